// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol
import Synchronization

/// A loaded version of a model.
///
/// It answers for as long as somebody holds it: a version that was replaced is let go by the repository, finishes what
/// was asked of it, and then gives its memory back. So a swap fails no request.
package final class ServedModel: AnsweringModel {
    private let core: ModelCore

    init(_ core: ModelCore) { self.core = core }

    deinit {
        core.end()
        // Giving back a large model takes its time, and this may be an event loop's thread.
        WorkerThread.start("unload") { [core] in withExtendedLifetime(core) {} }
    }

    package var name: String { core.name }
    package var version: String { core.version }
    package var signature: ModelSignature { core.signature }
    package var config: ModelConfig { core.config }
    package var statistics: ModelStatistics { core.statistics.withLock { $0 } }
    /// Requests that wait or run.
    package var pending: Int { core.pending.load(ordering: .relaxed) }
    /// Bytes that the model takes.
    package var memory: Int { core.memory }
    /// Whether requests of one row run on the thread that asks.
    package var isInline: Bool { core.isInline }

    package func submit(
        _ request: InferenceRequest, deadline: ContinuousClock.Instant?,
        _ done: @escaping @Sendable (Result<InferenceResponse, InferenceFault>) -> Void
    ) -> Ticket {
        // The model is held until the request is answered.
        core.submit(request, deadline: deadline) { result in
            done(result)
            withExtendedLifetime(self) {}
        }
    }
}

extension AnsweringModel {
    /// Waits for the answer; a task that is cancelled gives the request up.
    package func infer(
        _ request: InferenceRequest, deadline: ContinuousClock.Instant? = nil
    ) async throws(InferenceFault) -> InferenceResponse {
        let ticket = LateTicket()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                ticket.set(submit(request, deadline: deadline) { continuation.resume(returning: $0) })
            }
        } onCancel: {
            ticket.cancel()
        }
        return try result.get()
    }
}

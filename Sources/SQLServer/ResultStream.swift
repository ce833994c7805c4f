// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import HTTPTypes
import Hummingbird
import LakeEngine
import Logging
import NIOCore
import Synchronization

/// Sends a statement's rows as the client takes them: a batch is read when the one before it was written.
final class ResultStream: Sendable {
    private let running: Mutex<SQLService.Running?>
    private let service: SQLService
    private let logger: Logger
    private let arrival: ContinuousClock.Instant
    private let count = Mutex((rows: 0, bytes: 0))

    init(_ running: SQLService.Running, _ service: SQLService, _ logger: Logger, _ arrival: ContinuousClock.Instant) {
        self.running = Mutex(running)
        self.service = service
        self.logger = logger
        self.arrival = arrival
    }

    // An answer that nobody asked for: its client was gone.
    deinit {
        if running.withLock({ $0 }) != nil { service.metrics.add(.cancelled, arrival.duration(to: .now)) }
    }

    /// Sends everything but the mark of the body's end.
    /// - Throws: where the rest cannot be sent; the body must then stay without its end.
    func send(_ format: ResultFormat, _ writer: SendableWriter) async throws {
        let taken = running.withLock { running in
            defer { running = nil }
            return running
        }
        guard let taken else { throw CancellationError() }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.content(taken, format, writer) }
                // The statement's own limit ends reading rows; this one a client that does not take them.
                group.addTask {
                    try await Task.sleep(until: taken.deadline + .seconds(1), clock: .continuous)
                    throw LakeError(.timeout, "the client did not take the result within the statement's time")
                }
                defer { group.cancelAll() }
                try await group.next()
            }
            taken.loan.giveBack()
            end(.ok)
        } catch {
            taken.content.close()
            let fault = SQLFault(any: error)
            // A connection that cannot be written to is one that the client has closed.
            end(error is SQLFault || error is LakeError ? .failed : .cancelled)
            logger.debug("result cut off", metadata: ["code": "\(fault.code)", "message": "\(fault.message)"])
            throw error
        }
    }

    private func end(_ outcome: SQLMetrics.Outcome) {
        let (rows, bytes) = count.withLock { $0 }
        service.metrics.add(outcome, arrival.duration(to: .now), rows: rows, bytes: bytes)
    }

    private func content(
        _ running: SQLService.Running, _ format: ResultFormat, _ writer: SendableWriter
    ) async throws {
        switch running.content {
        case .rows(let result, let first): try await rows(result, first, running, format, writer)
        case .file(let file):
            var writer = writer.writer
            while let bytes = try await file.next() { try await write(bytes, 0, running, &writer) }
            let rows = await file.rows
            count.withLock { $0.rows += rows }
        }
    }

    private func rows(
        _ result: LakeResult, _ first: ArrowBatch?, _ running: SQLService.Running, _ format: ResultFormat,
        _ writer: SendableWriter
    ) async throws {
        var encoder = ResultEncoder(format, result.schema)
        var writer = writer.writer
        do {
            try await write(encoder.start(), 0, running, &writer)
            var next = first
            while let batch = next {
                try await write(try encoder.batch(batch), batch.rowCount, running, &writer)
                next = try await result.next()
            }
            try await write(encoder.end(), 0, running, &writer)
        } catch let error as LakeError {
            let line = encoder.failure(SQLFault(error))
            if !line.isEmpty { try await writer.write(ByteBuffer(bytes: line)) }
            throw error
        }
    }

    private func write(
        _ bytes: [UInt8], _ rows: Int, _ running: SQLService.Running, _ writer: inout any ResponseBodyWriter
    ) async throws {
        guard !bytes.isEmpty else { return }
        let isWithin = count.withLock { count in
            guard count.bytes + bytes.count <= running.bytes else { return false }
            count = (count.rows + rows, count.bytes + bytes.count)
            return true
        }
        guard isWithin else { throw LakeError(.limit, "the result has over \(running.bytes) bytes") }
        try await writer.write(ByteBuffer(bytes: bytes))
    }
}

/// Hands a body's writer to the one task that uses it while the task that owns it waits.
///
/// Sendable because of that wait: no two tasks have it at once.
struct SendableWriter: @unchecked Sendable {
    let writer: any ResponseBodyWriter
}

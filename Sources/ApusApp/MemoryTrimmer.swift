// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import InferenceProtocol
import ServiceLifecycle

/// Gives a model server's free memory back to the system: a moment after a model went, once for several that go
/// together; and while nobody asks anything.
struct MemoryTrimmer: Service {
    private static let patience: Duration = .milliseconds(200)
    private static let afterStart: Duration = .seconds(2)
    private static let interval: Duration = .seconds(30)

    private let wanted = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    func trim() { wanted.continuation.yield() }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in wanted.stream {
                try? await Task.sleep(for: Self.patience)
                ProgramMemory.giveBackFree()
            }
        }
    }

    /// Looks now and then whether the server rests.
    static func whileResting(_ repository: ModelRepository) -> any Service {
        AnyService {
            await cancelWhenGracefulShutdown {
                var pause = afterStart
                var last: UInt64 = 0
                while true {
                    do { try await Task.sleep(for: pause) } catch { return }
                    pause = interval
                    let asked = repository.answering.reduce(UInt64(0)) { $0 &+ $1.statistics.success.count }
                    defer { last = asked }
                    // A server that works would only have to fetch it again.
                    guard asked == last else { continue }
                    ProgramMemory.giveBackFree()
                    ProgramMemory.giveBackCode(andLibraries: true)
                }
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ServiceLifecycle

/// Keeps a server that rests a small one: gives back what starting needed, and later what a load left behind.
struct IdleMemory: Service {
    private static let afterStart: Duration = .seconds(2)
    private static let interval: Duration = .seconds(60)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var pause = Self.afterStart
            while true {
                do { try await Task.sleep(for: pause) } catch { return }
                pause = Self.interval
                ProgramMemory.giveBackFree()
                ProgramMemory.giveBackCode()
            }
        }
    }
}

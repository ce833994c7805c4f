// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import KubeStore
import Logging
import Synchronization
import Testing

struct EventExpiryTests {
    /// A clock that the test moves.
    private final class Clock: Sendable {
        private let time = Mutex(Timestamp(seconds: 1_800_000_000))

        var now: Timestamp { time.withLock { $0 } }

        func move(by duration: Duration) { time.withLock { $0 = $0 + duration } }
    }

    private func request(_ method: String, _ path: String, _ body: JSONValue? = nil) -> KubeRequest {
        KubeRequest(
            method: method, path: "/api/v1/namespaces/default/events" + path,
            contentType: method == "PATCH" ? "application/merge-patch+json" : "application/json",
            body: body?.encoded ?? [])
    }

    private func event(_ name: String, at time: Timestamp) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "Event", "metadata": ["name": .string(name), "namespace": "default"],
            "involvedObject": ["kind": "Pod", "name": "p", "namespace": "default"], "reason": "Test", "type": "Normal",
            "lastTimestamp": .string(time.rfc3339),
        ]
    }

    @Test func eventsThatAreNotRepeatedGoAfterAnHour() async throws {
        let clock = Clock()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let server = APIServer(store: try KubeStore(inMemory: .init(), logger: logger), logger: logger) { clock.now }
        try await server.bootstrap(host: "127.0.0.1", port: 6443)
        for name in ["old", "repeated"] {
            let answer = await server.handle(request("POST", "", event(name, at: clock.now)), user: .admin)
            #expect(answer.status == 201)
        }
        clock.move(by: .seconds(3000))
        let again: JSONValue = ["count": 2, "lastTimestamp": .string(clock.now.rfc3339)]
        #expect(await server.handle(request("PATCH", "/repeated", again), user: .admin).status == 200)
        clock.move(by: .seconds(700))
        await server.removeOldEvents()
        #expect(await server.handle(request("GET", "/old"), user: .admin).status == 404)
        #expect(await server.handle(request("GET", "/repeated"), user: .admin).status == 200)
    }
}

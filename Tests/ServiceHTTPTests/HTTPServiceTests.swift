// SPDX-License-Identifier: Apache-2.0
import Hummingbird
import Listening
import Logging
import ServiceHTTP
import Testing

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

struct HTTPServiceTests {
    @Test(.timeLimit(.minutes(5)))
    func takenAddressesAreNamed() async throws {
        let first = MetricsEndpoint(host: "127.0.0.1", port: 0, logger: quiet) { "" }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let bound = AsyncStream.makeStream(of: Int.self)
            group.addTask { try await first.run { bound.continuation.yield($0) } }
            var ports = bound.stream.makeAsyncIterator()
            let port = try #require(await ports.next())
            let second = HTTPService(
                configuration: HTTPServiceConfiguration(host: "127.0.0.1", port: port), logger: quiet
            ) { _, _ in .text("") }
            let error = await #expect(throws: ListenError.self) { try await second.run(signals: []) { _ in } }
            #expect(error?.code == .addressInUse)
            #expect(
                error?.description == "address 127.0.0.1:\(port) is already in use: stop the other program or "
                    + "choose another with --listen")
            group.cancelAll()
        }
    }
}

struct MetricsTextTests {
    @Test func labelsAreEscaped() {
        var text = MetricsText()
        text.family("things", .gauge, "How many things.")
        text.sample("things", [("name", "a \"b\" \\ c\nd"), ("kind", "x")], 3)
        text.sample("things", [], 0.5)
        #expect(
            text.text == """
                # HELP things How many things.
                # TYPE things gauge
                things{name="a \\"b\\" \\\\ c\\nd",kind="x"} 3
                things 0.5

                """)
    }
}

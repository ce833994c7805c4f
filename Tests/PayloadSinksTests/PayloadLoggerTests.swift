// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol
import Logging
import NIOCore
import PayloadSinks
import ScriptedHTTP
import Testing

@Suite struct PayloadLoggerTests {
    private func event(_ id: String, isRequest: Bool = true, body: String = "{}") -> PayloadEvent {
        PayloadEvent(
            id: id, isRequest: isRequest, contentType: "application/json", body: ByteBuffer(string: body),
            model: "iris", time: Timestamp(nanoseconds: 1_700_000_000_000_000_000))
    }

    /// Sent, failed, dropped.
    private func counts(_ payloads: PayloadLogger) -> [Int] {
        [payloads.counts.sent, payloads.counts.failed, payloads.counts.dropped]
    }

    private func quiet() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    @Test func eventsHaveKServesAttributes() {
        let origin = PayloadOrigin(
            source: "http://here/", service: "isvc", namespace: "ns", metadataHeaders: ["x-user"])
        var event = event("7\r\nce-evil: 1")
        event.metadata = [("x-user", "me"), ("cookie", "secret")]
        let attributes = CloudEvent(event, origin).attributes
        let values = Dictionary(attributes.map { ($0.name, $0.value) }) { $1 }
        #expect(
            values == [
                "specversion": "1.0", "id": "7ce-evil: 1", "source": "http://here/",
                "type": "org.kubeflow.serving.inference.request", "time": "2023-11-14T22:13:20.000000000Z",
                "inferenceservicename": "isvc", "namespace": "ns", "component": "predictor", "endpoint": "default",
                "modelname": "iris", "metadata": #"{"x-user":["me"]}"#,
            ])
    }

    @Test(arguments: [
        "http://h:1/x", "https://h", "kafka://b:9092/topic", "kafka://b:9092,c:9092/a.b-c_d",
    ]) func targetsAreRead(_ url: String) throws {
        _ = try PayloadTarget(url)
        #expect(
            try PayloadTarget("kafka://b:9092,c:1/t") == .topic("t", brokers: ["b:9092", "c:1"]))
    }

    @Test(arguments: ["", "ftp://h/x", "kafka://b", "kafka://b/", "kafka:///t", "kafka://b/a b", "http://", "http"])
    func othersAreRefused(_ url: String) {
        #expect(throws: PayloadTarget.Refusal.self) { try PayloadTarget(url) }
    }

    @Test func eventsArePosted() async throws {
        let server = try await ScriptedServer.start { request, number in
            // The first try of the first event fails.
            .answer(number == 1 ? 503 : 200)
        }
        let configuration = PayloadLogConfiguration(try PayloadTarget(server.endpoint + "/sink"))
        let payloads = PayloadLogger(configuration, logger: quiet())
        payloads.offer(event("a"))
        payloads.offer(event("a", isRequest: false, body: "answer"))
        payloads.finish()
        try await payloads.run()
        #expect(counts(payloads) == [2, 0, 0])
        let requests = server.requests
        #expect(requests.count == 3)
        let answer = try #require(
            requests.first {
                $0.header("ce-type") == "org.kubeflow.serving.inference.response" && $0.body == Array("answer".utf8)
            })
        #expect(answer.method == "POST" && answer.path == "/sink")
        #expect(answer.header("ce-id") == "a" && answer.header("content-type") == "application/json")
    }

    @Test func tooMuchIsDropped() throws {
        var configuration = PayloadLogConfiguration(try PayloadTarget("http://127.0.0.1:1/"))
        configuration.queue = 2
        configuration.mode = .response
        let payloads = PayloadLogger(configuration, logger: quiet())
        for _ in 0..<5 { payloads.offer(event("x", isRequest: false)) }
        payloads.offer(event("not asked for"))
        #expect(counts(payloads) == [0, 0, 3])
        configuration.queueBytes = 10
        let small = PayloadLogger(configuration, logger: quiet())
        small.offer(event("x", isRequest: false, body: "more than ten bytes"))
        #expect(small.counts.dropped == 1)
    }

    @Test func whoDoesNotTakeThemCostsNothingButThem() async throws {
        let server = try await ScriptedServer.start { _, _ in .answer(500) }
        var configuration = PayloadLogConfiguration(try PayloadTarget(server.endpoint))
        configuration.attempts = 1
        let payloads = PayloadLogger(configuration, logger: quiet())
        payloads.offer(event("x"))
        payloads.finish()
        try await payloads.run()
        #expect(counts(payloads) == [0, 1, 0])
    }
}

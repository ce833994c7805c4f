// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import TrackingClient

@Suite("Errors and retries of the tracking client")
struct TrackingErrorTests {
    private static func body(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("MLflow's errors have its code and words")
    func errors() {
        let error = TrackingClientError(
            status: 404, body: Self.body(#"{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No run 7"}"#))
        #expect(error.code == .notFound && error.message == "No run 7" && error.status == 404 && !error.isTransient)
        #expect(error.description == "No run 7 (RESOURCE_DOES_NOT_EXIST, 404)")
    }

    @Test(
        "Answers that are not MLflow's are told by their status",
        arguments: [
            (401, TrackingClientError.Code.unauthenticated, false), (403, .denied, false),
            (404, .noSuchEndpoint, false),
            (429, .badAnswer, true), (500, .badAnswer, true), (501, .badAnswer, false), (502, .badAnswer, true),
            (503, .badAnswer, true), (400, .badAnswer, false),
        ] as [(Int, TrackingClientError.Code, Bool)])
    func proxies(status: Int, code: TrackingClientError.Code, isTransient: Bool) {
        for text in ["", "<html>no</html>", "[1]", "{\"message\":"] {
            let error = TrackingClientError(status: status, body: Self.body(text))
            #expect(error.code == code && error.isTransient == isTransient && !error.message.isEmpty)
        }
    }

    @Test("A state that is wrong stays wrong, though MLflow answers it with 500")
    func invalidState() {
        let error = TrackingClientError(
            status: 500, body: Self.body(#"{"error_code": "INVALID_STATE", "message": "deleted"}"#))
        #expect(!error.isTransient)
        let other = TrackingClientError(
            status: 500, body: Self.body(#"{"error_code": "INTERNAL_ERROR", "message": "locked"}"#))
        #expect(other.isTransient)
    }

    @Test("What would be done twice is sent again only where the server did nothing")
    func repetition() {
        let retries = TrackingRetries()
        let broken = TrackingClientError(.connection, "broke")
        let unsent = TrackingClientError(.connection, "refused", isUnsent: true)
        let busy = TrackingClientError(status: 429, body: [])
        let failed = TrackingClientError(status: 500, body: [])
        func again(_ error: TrackingClientError, _ repetition: TrackingRetries.Repetition) -> Bool {
            retries.pause(after: error, failures: 1, repetition: repetition) != nil
        }
        for error in [broken, unsent, busy, failed] { #expect(again(error, .harmless)) }
        #expect(again(unsent, .doubles) && again(busy, .doubles))
        #expect(!again(broken, .doubles) && !again(failed, .doubles))
        #expect(!again(TrackingClientError(.invalid, "no", status: 400), .harmless))
        #expect(!again(TrackingClientError(.cancelled, "cancelled"), .harmless))
    }

    @Test("Pauses double up to the longest, and attempts end")
    func pauses() {
        let retries = TrackingRetries()
        let error = TrackingClientError(.connection, "broke")
        let longest = (1..<retries.attempts).map {
            retries.pause(after: error, failures: $0, repetition: .harmless, random: 1)
        }
        #expect(longest == [100, 200, 400, 800, 1600].map { .milliseconds($0) })
        #expect(retries.pause(after: error, failures: 1, repetition: .harmless, random: 0) == .milliseconds(50))
        #expect(retries.pause(after: error, failures: retries.attempts, repetition: .harmless) == nil)
        #expect(retries.pause(failures: 1_000_000, random: 1) == retries.maximum)
        #expect(TrackingRetries.none.pause(after: error, failures: 1, repetition: .harmless) == nil)
    }

    @Test("A server that asks for rest gets it, within reason")
    func rest() {
        let retries = TrackingRetries()
        func pause(_ text: String) -> Duration? {
            retries.pause(
                after: TrackingClientError(status: 503, body: [], retryAfter: text), failures: 1, repetition: .doubles,
                random: 1)
        }
        #expect(pause("2") == .seconds(2))
        #expect(pause("86400") == retries.maximum)
        #expect(pause("Wed, 21 Oct 2015 07:28:00 GMT") == .milliseconds(100))
        #expect(pause("-5") == .milliseconds(100))
    }
}

@Suite("What the tracking client reads and writes")
struct TrackingFormTests {
    @Test("The environment says where the server is and who asks")
    func environment() throws {
        let none = TrackingClientConfiguration(environment: [:])
        #expect(none.address == "http://127.0.0.1:5000" && none.authorization == nil)
        let token = TrackingClientConfiguration(environment: [
            "MLFLOW_TRACKING_URI": "https://h:1/prefix/", "MLFLOW_TRACKING_TOKEN": "abc",
            "MLFLOW_TRACKING_USERNAME": "u",
        ])
        #expect(try token.base() == "https://h:1/prefix")
        #expect(token.authorization == "Bearer abc")
        let basic = TrackingClientConfiguration(environment: [
            "MLFLOW_TRACKING_TOKEN": "abc", "MLFLOW_TRACKING_USERNAME": "Aladdin",
            "MLFLOW_TRACKING_PASSWORD": "open sesame",
        ])
        #expect(basic.authorization == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        #expect("\(String(describing: basic.credentials))".contains("sesame") == false)
        #expect(
            ["", "f", "fo", "foo", "foob"].map { Base64.encode(Array($0.utf8)) } == [
                "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==",
            ])
    }

    @Test(
        "Addresses that are none are refused",
        arguments: ["", "127.0.0.1:5000", "sqlite:///x", "http://", "http:///x", "file:/x", "http://a b", "http://h?x"])
    func addresses(text: String) {
        let error = #expect(throws: TrackingClientError.self) {
            try TrackingClientConfiguration(address: text).base()
        }
        #expect(error?.code == .invalid)
    }

    @Test("Numbers that are not finite are strings in JSON")
    func numbers() throws {
        for value in [0, -1.5, 1e300, .infinity, -.infinity] {
            #expect(MetricNumber.parse(try JSONParser.parse(MetricNumber.json(value).text)) == value)
        }
        #expect(MetricNumber.parse(MetricNumber.json(.nan))?.isNaN == true)
        #expect(MetricNumber.parse("no number") == nil && MetricNumber.parse(.null) == nil)
    }

    @Test("Versions of models are named as MLflow names them")
    func references() {
        #expect(ModelReference("models:/movies@champion") == ModelReference(name: "movies", .alias("champion")))
        #expect(ModelReference("models:/movies/7") == ModelReference(name: "movies", .version("7")))
        for text in [
            "models:/movies", "models:/movies/", "models:/movies/0", "models:/movies/x", "models:/@a", "models:/a@",
            "models:/a/b@c", "runs:/x", "", "models:/m-0123",
        ] { #expect(ModelReference(text) == nil) }
        #expect(ModelReference("models:/a@b")?.description == "models:/a@b")
    }

    @Test("Artifacts are reached through the proxy alone, and never out of their place")
    func places() throws {
        let place = try ArtifactPlace(uri: "mlflow-artifacts:/1/abc/artifacts")
        #expect(place.path == "1/abc/artifacts")
        #expect(
            try ArtifactPlace(uri: "mlflow-artifacts://host:5000/1/x") == ArtifactPlace(uri: "mlflow-artifacts:/1/x"))
        #expect(try place.appending("a b/ü.txt").encoded == "1/abc/artifacts/a%20b/%C3%BC.txt")
        for uri in ["s3://b/x", "/tmp/x", "file:///x", ""] {
            let error = #expect(throws: TrackingClientError.self) { try ArtifactPlace(uri: uri) }
            #expect(error?.code == .unsupported)
        }
        for name in ["../x", "a/../../b", "./a", "a\0b"] {
            let error = #expect(throws: TrackingClientError.self) { try place.appending(name) }
            #expect(error?.code == .invalid)
        }
    }

    @Test("Records read what is there and do without what is not")
    func records() throws {
        let run = RunRecord(
            try JSONParser.parse(
                """
                {"info": {"run_id": "r", "status": "FINISHED", "start_time": "5", "end_time": 9},
                 "data": {"metrics": [{"key": "m", "value": "NaN", "timestamp": 1, "step": "3"}],
                          "params": [{"key": "p", "value": "v"}]}}
                """))
        #expect(run.id == "r" && run.status == .finished && run.start == 5 && run.end == 9 && run.params == ["p": "v"])
        #expect(run.points.first?.step == 3 && run.metrics["m"]?.isNaN == true && run.tags.isEmpty)
        let nothing = RunRecord(.null)
        #expect(nothing.id.isEmpty && nothing.status == nil && nothing.end == nil && nothing.metrics.isEmpty)
        let model = RegisteredModelRecord(["name": "m", "aliases": [["alias": "champion", "version": "3"]]])
        #expect(model.aliases == ["champion": "3"])
        let page = TrackingPage([["name": "m"]], token: "", RegisteredModelRecord.init)
        #expect(page.records.map(\.name) == ["m"] && page.next == nil)
    }
}

@Suite("What the system says")
struct SystemReadingTests {
    @Test("Readings give MLflow's metrics and the process's own")
    func metrics() {
        var first = SystemReading()
        first.take(stat: "cpu  100 0 50 800 50 0 0 0 9 9\ncpu0 1 2 3 4\n")
        first.take(process: "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 20 30 0 0 20 0 1 0 100 999 50 1", pageSize: 4096)
        first.take(
            network: """
                Inter-|   Receive
                 face |bytes    packets
                    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0
                  eth0: 1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0
                """)
        #expect(first.ticks == 1000 && first.idleTicks == 850)
        #expect(first.processTicks == 50 && first.processMemory == 50 * 4096)
        #expect(first.received == 1000 && first.transmitted == 2000)
        var second = first
        second.take(stat: "cpu  200 0 50 875 75 0 0 0 0 0\n")
        second.take(memory: "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    250 kB\n")
        second.processTicks += 40
        second.received += 3_000_000
        let values = Dictionary(
            second.metrics(since: first, first: first, processors: 2).map { ($0.key, $0.value) }
        ) { $1 }
        #expect(values["system/cpu_utilization_percentage"] == 50)
        #expect(values["system/process_cpu_utilization_percentage"] == 40)
        #expect(values["system/system_memory_usage_percentage"] == 75)
        #expect(values["system/system_memory_usage_megabytes"] == 0.8)
        #expect(values["system/network_receive_megabytes"] == 3)
        #expect(values["system/process_memory_usage_megabytes"] == 0.2)
    }

    @Test(
        "Texts of another form give nothing", arguments: ["", "cpu", "cpu x y", ")", "a ) S", "MemTotal:", ":", "a: 1"])
    func otherForms(text: String) {
        var reading = SystemReading()
        reading.take(stat: text)
        reading.take(memory: text)
        reading.take(process: text, pageSize: 4096)
        reading.take(network: text)
        #expect(reading == SystemReading())
    }
}

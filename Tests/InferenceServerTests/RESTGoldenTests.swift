// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol
import Testing

@testable import InferenceServer

/// What a real Triton 2.51 answered to right and wrong requests, and what is answered here: statuses and shapes are the
/// same but where a comment says why not.
@Suite struct RESTGoldenTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var label: String
        var method = "POST"
        var path = "/v2/models/add/infer"
        var headers: [(String, String)] = []
        var body: [UInt8] = []
        var status: Int
        /// What the answer has.
        var part = ""

        var testDescription: String { label }

        init(_ label: String, _ method: String, _ path: String, _ status: Int, _ part: String = "") {
            self.init(label, method, path, "", status, part)
        }

        init(
            _ label: String, _ method: String, _ path: String, _ body: String = "", bytes: [UInt8]? = nil,
            headers: [(String, String)] = [], _ status: Int, _ part: String = ""
        ) {
            self.label = label
            self.method = method
            self.path = path
            self.body = bytes ?? Array(body.utf8)
            self.headers = headers
            self.status = status
            self.part = part
        }
    }

    private static func infer(_ label: String, _ body: String, _ status: Int, _ part: String = "") -> Row {
        Row(label, "POST", "/v2/models/add/infer", body, status, part)
    }

    private static func input(
        name: String = "X", shape: String = "[1,4]", type: String = "FP32", data: String = "[1,2,3,4]",
        more: String = ""
    ) -> String {
        #"{"inputs":[{"name":"\#(name)","shape":\#(shape),"datatype":"\#(type)","data":\#(data)}]\#(more)}"#
    }

    private static let head =
        #"{"inputs":[{"name":"X","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}],"parameters":{"binary_data_output":true}}"#
    private static let raw: [UInt8] = [Float]([1, 2, 3, 4]).withUnsafeBytes { Array($0) }
    private static let ok =
        #"{"model_name":"add","model_version":"1","outputs":[{"name":"Y","datatype":"FP32","shape":[1,4],"data":[2.0,3.0,4.0,5.0]},{"name":"S","datatype":"FP32","shape":[1,1],"data":[10.0]}]}"#

    private static func binary(
        _ label: String, _ head: String, _ raw: [UInt8], _ length: String?, _ status: Int, _ part: String = ""
    ) -> Row {
        Row(
            label, "POST", "/v2/models/add/infer", bytes: Array(head.utf8) + raw,
            headers: length.map { [("Inference-Header-Content-Length", $0)] } ?? [], status, part)
    }

    private static let reading: [Row] = [
        Row("server", "GET", "/v2", 200, #""name":"apus""#),
        // Triton's body is empty; KServe's SDK reads this one.
        Row("live", "GET", "/v2/health/live", 200, #"{"live":true}"#),
        Row("ready", "GET", "/v2/health/ready", 200, #"{"ready":true}"#),
        Row("model", "GET", "/v2/models/add", 200, #""inputs":[{"datatype":"FP32","name":"X","shape":[-1,4]}]"#),
        Row("version", "GET", "/v2/models/add/versions/1", 200, #""versions":["1"]"#),
        Row("model ready", "GET", "/v2/models/add/ready", 200),
        // Triton says 400, KServe 404.
        Row("version not there, ready", "GET", "/v2/models/add/versions/9/ready", 404),
        Row("unknown, ready", "GET", "/v2/models/none/ready", 404),
        Row("loading, ready", "GET", "/v2/models/loading/ready", 503, #""ready":false"#),
        Row("unknown", "GET", "/v2/models/none", 404, "'none' is not found"),
        Row("version not there", "GET", "/v2/models/add/versions/9", 404, "version 9"),
        Row("version that is no number", "GET", "/v2/models/add/versions/x", 404),
        Row("config", "GET", "/v2/models/add/config", 200, #""max_batch_size":8"#),
        Row("statistics", "GET", "/v2/models/add/stats", 200, #""inference_count":0"#),
        // Triton says 400.
        Row("statistics of unknown", "GET", "/v2/models/none/stats", 404),
        Row("all statistics", "GET", "/v2/models/stats", 200, #"{"model_stats":[{"#),
        Row("trace", "GET", "/v2/trace/setting", 200, #""trace_rate":"1000""#),
        Row("log", "GET", "/v2/logging", 200, #""log_format":"default""#),
        // Not served.
        Row("shared memory", "GET", "/v2/systemsharedmemory/status", 501),
        Row("CUDA shared memory", "GET", "/v2/cudasharedmemory/status", 501),
        // KServe's.
        Row("models", "GET", "/v2/models", 200, #"{"models":["add","text"]}"#),
        Row("another path", "GET", "/v3", 404), Row("root", "GET", "/", 200, #"{"status":"alive"}"#),
        Row("index", "POST", "/v2/repository/index", 200, #"{"name":"add","state":"READY","version":"1"}"#),
        Row("index with reasons", "POST", "/v2/repository/index", "{}", 200, #""reason":"soon","state":"LOADING""#),
        Row("index by GET", "GET", "/v2/repository/index", 405),
        Row("change of trace", "POST", "/v2/trace/setting", #"{"trace_rate":"5"}"#, 200, #""trace_rate":"5""#),
        Row(
            "change of log", "POST", "/v2/logging", #"{"log_verbose_level":1,"nope":1}"#, 200, #""log_verbose_level":1"#
        ),
        Row("V1 models", "GET", "/v1/models", 200, #"{"models":["add","text"]}"#),
        Row("V1 model", "GET", "/v1/models/add", 200, #"{"name":"add","ready":true}"#),
        Row("V1 model that loads", "GET", "/v1/models/loading", 503, #""ready":false"#),
        Row("V1 explain", "POST", "/v1/models/add:explain", "{}", 501), Row("ping", "GET", "/ping", 200),
        Row("description", "GET", "/openapi.json", 200, #""openapi":"3.1.0""#),
    ]

    private static let asking: [Row] = [
        infer("ok", input(), 200, ok),
        infer("nested, id", input(data: "[[1,2,3,4]]", more: #","id":"q1""#), 200, #"{"id":"q1","#),
        infer(
            "one output", input(more: #","outputs":[{"name":"S"}]"#), 200,
            #"[{"name":"S","datatype":"FP32","shape":[1,1],"data":[10.0]}]"#),
        infer(
            "mixed binary output",
            input(more: #","outputs":[{"name":"Y","parameters":{"binary_data":true}},{"name":"S"}]"#),
            200, #""parameters":{"binary_data_size":16}},{"name":"S","datatype":"FP32","shape":[1,1],"data":[10.0]}]}"#),
        infer(
            "binary_data_output", input(more: #","parameters":{"binary_data_output":true}"#), 200,
            #""binary_data_size":4}"#),
        infer("empty", "", 400),
        // JSON that cannot be read is 500 in Triton.
        infer("bad json", "{", 400), infer("array", "[]", 400), infer("no inputs", "{}", 400),
        infer("empty inputs", #"{"inputs":[]}"#, 400, "missing input 'X'"),
        infer("wrong name", input(name: "Z"), 400, "unexpected inference input 'Z'"),
        infer("wrong dtype", input(type: "INT32"), 400, "expects 'FP32'"),
        infer("unknown dtype", input(type: "WAT"), 400, "invalid datatype"),
        infer("wrong shape", input(shape: "[1,3]", data: "[1,2,3]"), 400, "Expected [-1,4], got [1,3]"),
        infer("no batch dim", input(shape: "[4]"), 400, "got [4]"),
        infer(
            "batch too large", input(shape: "[9,4]", data: "[\(repeatElement("0", count: 36).joined(separator: ","))]"),
            400, "must be <= 8"),
        infer("too few", input(data: "[1,2,3]"), 400), infer("too many", input(data: "[1,2,3,4,5]"), 400),
        infer("negative", input(shape: "[1,-4]"), 400),
        // Triton refuses rows that there are none of.
        infer("empty batch", input(shape: "[0,4]", data: "[]"), 200, #""shape":[0,4],"data":[]"#),
        infer("strings", input(data: #"["a","b","c","d"]"#), 400),
        infer("NaN text", input(data: #"[1.5,"NaN",2,3]"#), 400),
        // Triton takes NaN, which is no JSON.
        infer("NaN", input(data: "[NaN,1,2,3]"), 400, "binary"), infer("bool", input(data: "[true,1,2,3]"), 400),
        infer("1e400", input(data: "[1e400,1,2,3]"), 400),
        infer("unknown output", input(more: #","outputs":[{"name":"Q"}]"#), 400, "output 'Q'"),
        infer(
            "twice",
            #"{"inputs":[{"name":"X","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]},{"name":"X","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}"#,
            400, "twice"),
        // Triton dies of it.
        infer("a tensor without end", input(shape: "[1099511627776,4]"), 413),
        Row("unknown model", "POST", "/v2/models/none/infer", input(), 404),
        Row("unknown version", "POST", "/v2/models/add/versions/7/infer", input(), 404),
        Row("model that loads", "POST", "/v2/models/loading/infer", input(), 503),
        Row("PUT", "PUT", "/v2/models/add/infer", input(), 405), Row("GET", "GET", "/v2/models/add/infer", 405),
        infer("the model fails", input(data: "[-13,0,0,0]"), 500, "the model failed"),
        infer("the queue is full", input(data: "[-14,0,0,0]"), 429, "the queue is full"),
        binary("binary", head, raw, "\(head.utf8.count)", 200, #""binary_data_size":16"#),
        binary("binary short", head, Array(raw.prefix(8)), "\(head.utf8.count)", 400, "expecting 8 additional bytes"),
        binary("binary long", head, raw + [1, 2, 3, 4], "\(head.utf8.count)", 400, "unexpected additional input data"),
        binary("header too long", head, raw, "99999", 400), binary("header negative", head, raw, "-1", 400),
        binary("header text", head, raw, "x", 400), binary("no header", head, raw, nil, 400),
        binary("raw body", "", raw, "0", 200, #""binary_data_size":16"#),
        binary(
            "binary size 12", head.replacing16(by: "12"), Array(raw.prefix(12)), "\(head.utf8.count)", 400,
            "Expected 16, got 12"),
        Row(
            "text", "POST", "/v2/models/text/infer",
            #"{"inputs":[{"name":"I","shape":[2],"datatype":"BYTES","data":["a","é"]}]}"#, 200, #""data":["a","é"]"#),
        Row(
            "numbers for BYTES", "POST", "/v2/models/text/infer",
            #"{"inputs":[{"name":"I","shape":[2],"datatype":"BYTES","data":[1,2]}]}"#, 400),
        // Triton writes bytes that are no UTF-8 into its JSON.
        Row(
            "bytes that are no UTF-8, in JSON", "POST", "/v2/models/text/infer",
            bytes: Array(
                #"{"inputs":[{"name":"I","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]}"#.utf8)
                + [2, 0, 0, 0, 255, 254], headers: [("Inference-Header-Content-Length", "92")], 400, "binary"),
        Row(
            "V1 rows", "POST", "/v1/models/add:predict", #"{"instances":[[1,2,3,4]]}"#, 200,
            #"{"predictions":[{"Y":[2.0,3.0,4.0,5.0],"S":[10.0]}]}"#),
        Row("V1 wrong", "POST", "/v1/models/add:predict", #"{"instances":[[1,2,3]]}"#, 400),
        Row("V1 unknown", "POST", "/v1/models/none:predict", "{}", 404),
        Row("SageMaker with several models", "POST", "/invocations", "{}", 400),
        Row(
            "SageMaker rows", "POST", "/endpoints/add/invocations", "1,2,3,4\n",
            headers: [("Content-Type", "text/csv"), ("Accept", "text/csv")], 200, "2.0,3.0,4.0,5.0,10.0\n"),
        Row(
            "SageMaker instances", "POST", "/endpoints/add/invocations", #"{"instances":[[1,2,3,4]]}"#, 200,
            "predictions"),
        Row(
            "SageMaker tensors", "POST", "/endpoints/x/invocations", input(),
            headers: [("X-Amzn-SageMaker-Target-Model", "add")], 200, ok),
        Row("SageMaker wrong", "POST", "/endpoints/add/invocations", "{", 400, #"{"Message":"#),
        Row("SageMaker unknown", "POST", "/endpoints/none/invocations", "{}", 400, #"{"Message":"#),
        Row(
            "SageMaker, the model fails", "POST", "/endpoints/add/invocations", #"{"instances":[[-13,2,3,4]]}"#, 424,
            "OriginalStatusCode"),
        Row(
            "an encoding that is not read", "POST", "/v2/models/add/infer", input(),
            headers: [("Content-Encoding", "br")], 415),
    ]

    static let rows = reading + asking

    /// What waits for something, and ends on another thread.
    static let waiting: [Row] = [
        // Triton says 500.
        Row("load of an unknown model", "POST", "/v2/repository/models/none/load", "{}", 404),
        Row("load", "POST", "/v2/repository/models/add/load", #"{"parameters":{"config":"{}"}}"#, 200),
        Row("unload", "POST", "/v2/repository/models/none/unload", #"{"parameters":{"unload_dependents":true}}"#, 200),
    ]

    @Test(arguments: rows) func row(_ row: Row) throws {
        let connection = try TestConnection()
        try check(connection.ask(row.method, row.path, row.headers, row.body), row)
        // The connection is as good as before.
        let answer = connection.ask("GET", "/v2/health/live")
        #expect(answer.status == 200)
    }

    @Test(.timeLimit(.minutes(2)), arguments: waiting) func waitingRow(_ row: Row) async throws {
        try check(try await TestConnection.askThreaded(row.method, row.path, row.body), row)
    }

    private func check(_ answer: (status: Int, headers: [String: String], body: [UInt8]), _ row: Row) throws {
        #expect(answer.status == row.status)
        #expect(answer.headers["content-length"] == "\(answer.body.count)")
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(row.part.isEmpty || text.contains(row.part), "\(text)")
        if answer.status >= 400, !row.path.hasSuffix("ready"), !row.path.hasPrefix("/v1/models/loading") {
            let json = try JSONParser.parse(answer.body)
            #expect((json["error"].string ?? json["Message"].string ?? "").utf8.count > 5)
        }
    }

    @Test func headersOfAnswers() throws {
        let connection = try TestConnection()
        var answer = connection.ask("POST", "/v2/models/add/infer", [], Array(Self.input(data: "[-14,0,0,0]").utf8))
        #expect(answer.headers["retry-after"] == "2")
        answer = connection.ask("PUT", "/v2")
        #expect(answer.status == 405)
        let head = #""outputs":[{"name":"Y","parameters":{"binary_data":true}}]"#
        answer = connection.ask("POST", "/v2/models/add/infer", [], Array(Self.input(more: "," + head).utf8))
        let length = try #require(answer.headers["inference-header-content-length"].flatMap { Int($0) })
        #expect(answer.headers["content-type"] == "application/octet-stream")
        #expect(Array(answer.body[length...]) == [Float]([2, 3, 4, 5]).withUnsafeBytes { Array($0) })
        answer = connection.ask(
            "POST", "/endpoints/add/invocations", [("X-Amzn-SageMaker-Target-Variant", "blue")],
            Array(Self.input().utf8))
        #expect(answer.headers["x-amzn-invoked-production-variant"] == "blue")
        answer = connection.ask("POST", "/endpoints/none/invocations", [], Array("{}".utf8))
        #expect(answer.headers["x-amzn-errortype"] == "ValidationError")
    }
}

extension String {
    fileprivate func replacing16(by text: String) -> String {
        split(separator: "16", omittingEmptySubsequences: false).joined(separator: text)
    }
}

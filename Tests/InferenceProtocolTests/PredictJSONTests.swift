// SPDX-License-Identifier: Apache-2.0
import ApusCore
import NIOCore
import Testing

@testable import InferenceProtocol

@Suite struct PredictJSONTests {
    private static let one = ModelSignature(
        platform: "test", inputs: [TensorSpec(name: "X", type: .fp32, shape: [-1, 2])], outputs: [], maximumBatch: 8)
    private static let two = ModelSignature(
        platform: "test",
        inputs: [
            TensorSpec(name: "N", type: .int64, shape: [-1, 1]), TensorSpec(name: "S", type: .bytes, shape: [-1, 1]),
        ],
        outputs: [], maximumBatch: 8)

    private func read(_ text: String, _ signature: ModelSignature = one) throws -> InferenceRequest {
        try Array(text.utf8).withUnsafeBytes {
            try PredictJSON.request($0, model: "m", signature: signature, limits: RequestLimits())
        }
    }

    @Test(arguments: [
        #"{"instances":[[1,2],[3,4]]}"#, #"{"inputs":[[1,2],[3,4]]}"#, #"{"inputs":{"X":[[1,2],[3,4]]}}"#,
        #"{"instances":[{"X":[1,2]},{"X":[3,4]}]}"#, #"{"signature_name":"a","instances":[[1,2],[3,4]],"x":[1,{}]}"#,
    ])
    func rows(_ text: String) throws {
        let input = try #require(try read(text).inputs.first)
        #expect(input.shape == [2, 2])
        #expect(input.withBytes { Array($0.bindMemory(to: Float.self)) } == [1, 2, 3, 4])
        try Self.one.check(read(text))
    }

    @Test func objectsOfScalars() throws {
        let request = try read(#"{"instances":[{"N":9007199254740993,"S":"a"},{"S":"é","N":-1}]}"#, Self.two)
        #expect(request.inputs.map(\.shape) == [[2, 1], [2, 1]])
        #expect(request.inputs[0].withBytes { Array($0.bindMemory(to: Int64.self)) } == [9_007_199_254_740_993, -1])
        try Self.two.check(request)
    }

    @Test(arguments: [
        "{}", "[]", #"{"instances":1}"#, #"{"instances":{}}"#, #"{"instances":[[1,2],[3]]}"#,
        #"{"instances":[[1,2],3]}"#,
        #"{"instances":[[1,2],[[3,4]]]}"#, #"{"instances":[{"X":[1,2]},[3,4]]}"#, #"{"instances":[{"Z":[1,2]}]}"#,
        #"{"instances":[{"X":[1,2]},{}]}"#, #"{"instances":[{},{"X":[1,2]}]}"#,
        #"{"instances":[{"X":[1,2]},{"X":[3]}]}"#,
        #"{"instances":[{"X":[1,2],"X":[3,4]}]}"#, #"{"instances":[[1,2]],"instances":[[1,2]]}"#,
        #"{"instances":[["a","b"]]}"#,
        #"{"instances":[[1,NaN]]}"#,
    ])
    func wrongRows(_ text: String) { #expect(throws: InferenceFault.self) { try read(text) } }

    @Test func rowsHaveBounds() {
        let deep = String(repeating: "[", count: 30) + "1" + String(repeating: "]", count: 30)
        #expect(throws: InferenceFault.self) { try read(#"{"instances":\#(deep)}"#) }
        let many = String(repeating: #"{"X":[1,2]},"#, count: 100_000)
        #expect(throws: InferenceFault.self) { try read(#"{"instances":[\#(many){"X":[1,2]}]}"#) }
    }

    @Test func severalInputsNeedNames() {
        #expect(throws: InferenceFault.self) { try read(#"{"instances":[[1,2]]}"#, Self.two) }
    }

    private func written(_ outputs: [Tensor]) throws -> String {
        var buffer = ByteBuffer()
        try PredictJSON.write(
            InferenceResponse(model: "m", version: "1", id: "", outputs: outputs),
            for: InferenceRequest(model: "m", version: nil, inputs: []), into: &buffer)
        return String(buffer: buffer)
    }

    private func tensor(_ name: String, _ shape: [Int]) -> Tensor {
        let values = (0..<shape.reduce(1, *)).map { Int32($0) }
        return Tensor(
            name: name, type: .int32, shape: shape, storage: values.withUnsafeBytes { TensorStorage(copying: $0) })
    }

    @Test func predictions() throws {
        #expect(try written([tensor("Y", [2])]) == #"{"predictions":[0,1]}"#)
        #expect(try written([tensor("Y", [2, 1, 2])]) == #"{"predictions":[[[0,1]],[[2,3]]]}"#)
        #expect(try written([tensor("Y", [0, 2])]) == #"{"predictions":[]}"#)
        #expect(try written([tensor("Y", [])]) == #"{"predictions":0}"#)
        #expect(
            try written([tensor("L", [2]), tensor("P", [2, 2])])
                == #"{"predictions":[{"L":0,"P":[0,1]},{"L":1,"P":[2,3]}]}"#)
        #expect(try written([tensor("L", [2]), tensor("P", [1])]) == #"{"predictions":{"L":[0,1],"P":[0]}}"#)
    }

    @Test func linesOfNumbers() throws {
        let request = try Array("1,2\r\n\n3.5,-4e1\n".utf8).withUnsafeBytes {
            try CSVRows.request($0, model: "m", signature: Self.one, limits: RequestLimits())
        }
        #expect(request.inputs[0].withBytes { Array($0.bindMemory(to: Float.self)) } == [1, 2, 3.5, -40])
        for text in ["", "a,b\n1,2\n", "1,2\n3\n", "1],[2\n", "1,,2\n"] {
            #expect(throws: InferenceFault.self, "\(text)") {
                try Array(text.utf8).withUnsafeBytes {
                    let request = try CSVRows.request($0, model: "m", signature: Self.one, limits: RequestLimits())
                    try Self.one.check(request)
                }
            }
        }
        var buffer = ByteBuffer()
        try CSVRows.write(
            InferenceResponse(model: "m", version: "1", id: "", outputs: [tensor("L", [2]), tensor("P", [2, 2])]),
            into: &buffer)
        #expect(String(buffer: buffer) == "0,0,1\n1,2,3\n")
    }
}

@Suite struct ModelConfigTests {
    private static let signature = ModelSignature(
        platform: "onnxruntime_onnx", inputs: [TensorSpec(name: "X", type: .fp32, shape: [-1, 4])],
        outputs: [TensorSpec(name: "Y", type: .bytes, shape: [-1])], maximumBatch: 8)

    @Test func whatIsWrittenReadsAsTheSame() throws {
        let text = """
            {"max_batch_size": 8, "dynamic_batching": {"preferred_batch_size": [8, 4], "max_queue_delay_microseconds": "100",
            "priority_levels": 3, "default_priority_level": 2, "default_queue_policy": {"max_queue_size": 9,
            "default_timeout_microseconds": 5000}}, "instance_group": [{"count": 2}, {"count": 1}],
            "response_cache": {"enable": true}, "version_policy": {"specific": {"versions": [1, 3]}},
            "model_warmup": [{"name": "w", "batch_size": 4, "inputs": {"X": {"data_type": "TYPE_FP32", "dims": [4],
            "random_data": true}}}], "parameters": {"a": {"string_value": "b"}}, "ensemble_scheduling": {"step": [
            {"model_name": "m", "model_version": -1, "input_map": {"X": "x"}, "output_map": {"Y": "y"}}]}}
            """
        let config = try ModelConfig(json: try JSONParser.parse(text))
        #expect(config.preferredBatches == [4, 8])
        #expect(config.queueDelay == .microseconds(100))
        #expect(config.instances == 3)
        #expect(config.versionPolicy == .specific(["1", "3"]))
        var again = try ModelConfig(json: config.json(name: "m", signature: Self.signature))
        // The model's own tensors are told, too.
        #expect(again.inputs.map(\.name) == ["X"] && again.inputs[0].shape == [4])
        (again.inputs, again.outputs, again.platform) = (config.inputs, config.outputs, config.platform)
        #expect(again == config)
    }

    @Test(arguments: [
        "[]", #"{"max_batch_size":-1}"#, #"{"max_batch_size":"x"}"#,
        #"{"dynamic_batching":{"preferred_batch_size":[0]}}"#,
        #"{"dynamic_batching":{"default_priority_level":1}}"#, #"{"input":[{"name":"X","data_type":"FP32"}]}"#,
        #"{"input":[{"name":"X","data_type":"TYPE_FP32","dims":[-2]}]}"#, #"{"instance_group":[{"count":0}]}"#,
        #"{"ensemble_scheduling":{"step":[{}]}}"#, #"{"platform":1}"#,
    ])
    func wrongConfigurations(_ text: String) throws {
        let json = try JSONParser.parse(text)
        #expect(throws: InferenceFault.self) { try ModelConfig(json: json) }
    }

    @Test func statistics() {
        var statistics = ModelStatistics()
        var timing = RequestTiming()
        (timing.queue, timing.input, timing.inference, timing.output) = (1, 2, 3, 4)
        for _ in 0..<3 { statistics.add(timing, rows: 2, isFailure: false, now: 77) }
        statistics.addRun(timing, rows: 6)
        statistics.add(timing, rows: 1, isFailure: true, now: 78)
        let json = statistics.json(name: "m", version: "1")
        #expect(json["inference_count"] == 6)
        #expect(json["execution_count"] == 1)
        #expect(json["last_inference"] == 77)
        #expect(json["inference_stats"]["success"] == ["count": 3, "ns": 30])
        #expect(json["inference_stats"]["fail"] == ["count": 1, "ns": 10])
        #expect(json["batch_stats"][0]["batch_size"] == 6)
        #expect(json["batch_stats"][0]["compute_infer"] == ["count": 1, "ns": 3])
    }
}

@Suite struct TensorTests {
    private func tensor(_ values: [Int16], _ shape: [Int]) -> Tensor {
        Tensor(name: "X", type: .int16, shape: shape, storage: values.withUnsafeBytes { TensorStorage(copying: $0) })
    }

    @Test func rowsAndJoins() {
        let whole = tensor([1, 2, 3, 4, 5, 6], [3, 2])
        let parts = [whole.rows(0..<1), whole.rows(1..<3)]
        #expect(parts[1].shape == [2, 2])
        #expect(parts[1].withBytes { Array($0.bindMemory(to: Int16.self)) } == [3, 4, 5, 6])
        let joined = Tensor.joined(parts.reversed())
        #expect(joined.shape == [3, 2])
        #expect(joined.withBytes { Array($0.bindMemory(to: Int16.self)) } == [3, 4, 5, 6, 1, 2])
    }

    @Test func rowsAndJoinsOfStrings() {
        let whole = Tensor(name: "S", type: .bytes, shape: [3, 1], content: .strings(StringTensor(["a", "", "bcd"])))
        let joined = Tensor.joined([whole.rows(1..<3), whole.rows(0..<1), whole.rows(2..<2)])
        #expect(joined.shape == [3, 1])
        guard case .strings(let strings) = joined.content else {
            Issue.record("no strings")
            return
        }
        #expect((0..<3).map { String(decoding: strings[$0], as: UTF8.self) } == ["", "bcd", "a"])
        #expect(joined.byteCount == 4)
    }

    @Test func shapesWithoutEnd() {
        #expect(Tensor.elementCount(of: [1 << 40, 4], limit: 1 << 26) == nil)
        #expect(Tensor.elementCount(of: [.max, .max], limit: .max) == nil)
        #expect(Tensor.elementCount(of: [-1], limit: 10) == nil)
        #expect(Tensor.elementCount(of: [], limit: 10) == 1)
        #expect(Tensor.elementCount(of: [0, .max], limit: 10) == nil)
        #expect(Tensor.elementCount(of: [0, 5], limit: 10) == 0)
    }
}

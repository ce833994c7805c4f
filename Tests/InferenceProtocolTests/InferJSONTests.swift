// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import InferenceProtocol

@Suite struct InferJSONTests {
    private static let signature = ModelSignature(
        platform: "test", inputs: [TensorSpec(name: "X", type: .fp32, shape: [-1, 4])],
        outputs: [TensorSpec(name: "Y", type: .fp32, shape: [-1, 4])], maximumBatch: 8)

    private func read(
        _ text: String, _ binary: [UInt8] = [], length: Int? = nil, limits: RequestLimits = RequestLimits()
    ) throws -> InferenceRequest {
        let bytes = Array(text.utf8) + binary
        return try bytes.withUnsafeBytes {
            try InferJSON.request(
                $0, headerLength: length ?? (binary.isEmpty ? nil : text.utf8.count), model: "m",
                signature: Self.signature, limits: limits)
        }
    }

    private func floats(_ tensor: Tensor) -> [Float] { tensor.withBytes { Array($0.bindMemory(to: Float.self)) } }

    private func input(_ data: String, _ type: String = "FP32", _ shape: String = "[2,2]") -> String {
        #"{"inputs":[{"name":"X","shape":\#(shape),"datatype":"\#(type)","data":\#(data)}]}"#
    }

    @Test(arguments: [
        "[1,2,3,4]", "[[1,2],[3,4]]", " [ 1.0 ,2e0,\n3,\t4 ] ", "[[[1],[2]],[[3],[4]]]", "[[],[1,2,3],[4]]",
        "[1,[2,3],4]",
    ])
    func flatOrNested(_ data: String) throws {
        let tensor = try #require(try read(input(data)).inputs.first)
        #expect(floats(tensor) == [1, 2, 3, 4])
        #expect(tensor.shape == [2, 2])
        let isAligned = tensor.withBytes { Int(bitPattern: $0.baseAddress) % 64 == 0 }
        #expect(isAligned)
    }

    @Test(arguments: [
        "[1,2,3]", "[1,2,3,4,5]", "[1,2,3,4", "[1,2,3,4]]", "[1,2,3,]", "[,1,2,3]", "[1 2 3 4]", "[1,2,3,null]",
        "[1,2,3,\"4\"]", "[1,2,3,true]", "[1,2,3,NaN]", "[1,2,3,1e39]", "[1,2,3,{}]", "{}", "4", "\"AAAA\"", "null",
        "[]",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1,2,3,4]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "[1,2,3,4}", "[1,2,,3]",
    ])
    func wrongData(_ data: String) { #expect(throws: InferenceFault.self) { try read(input(data)) } }

    @Test func membersInAnyOrder() throws {
        let text =
            #"{"parameters":{},"inputs":[{"data":[[1,2],[3,4]],"datatype":"FP32","shape":[2,2],"name":"X"}],"id":"é\n"}"#
        let request = try read(text)
        #expect(request.id == "é\n")
        #expect(floats(request.inputs[0]) == [1, 2, 3, 4])
    }

    @Test func everyType() throws {
        for type in TensorType.allCases where type != .bytes {
            let data = type == .bool ? "[true,false,1,0]" : "[1,0,1,0]"
            let tensor = try #require(try read(input(data, type.name)).inputs.first)
            #expect(tensor.byteCount == 4 * (type.byteCount ?? 0))
            var text = JSONText(ByteBuffer())
            try text.data(tensor)
            switch type {
            case .bool: #expect(String(buffer: text.buffer) == "[true,false,true,false]")
            case .fp16, .bf16, .fp32, .fp64: #expect(String(buffer: text.buffer) == "[1.0,0.0,1.0,0.0]")
            default: #expect(String(buffer: text.buffer) == "[1,0,1,0]")
            }
        }
        let strings = try #require(try read(input(#"["a","",["é\u0041","\ud83d\ude00"]]"#, "BYTES")).inputs.first)
        guard case .strings(let texts) = strings.content else {
            Issue.record("no strings")
            return
        }
        #expect((0..<4).map { String(decoding: texts[$0], as: UTF8.self) } == ["a", "", "éA", "😀"])
    }

    @Test func parameters() throws {
        let request = try read(
            #"{"parameters":{"binary_data_output":true,"priority":3,"timeout":1500,"a":1,"b":-1.5,"c":"x","d":false,"e":null,"f":18446744073709551615},"inputs":[],"outputs":[{"name":"Y","parameters":{"binary_data":false,"classification":2}},{"name":"Z"}]}"#
        )
        #expect(request.priority == 3)
        #expect(request.timeout == .microseconds(1500))
        #expect(
            request.parameters == [
                "a": .int(1), "b": .double(-1.5), "c": .string("x"), "d": .bool(false), "f": .uint(.max),
            ])
        guard case .binary = request.form else {
            Issue.record("not binary")
            return
        }
        #expect(request.outputs.map(\.name) == ["Y", "Z"])
        #expect(request.outputs[0].isBinary == false)
        #expect(request.outputs[0].classes == 2)
        #expect(request.outputs[1].isBinary == nil)
    }

    @Test(arguments: [
        "", " ", "{", "[]", "1", "{}", #"{"inputs":{}}"#, #"{"inputs":[]} x"#, #"{"inputs":[1]}"#, #"{"inputs":[{}]}"#,
        #"{"inputs":[],"inputs":[]}"#, #"{"inputs":[],"id":1}"#, #"{"inputs":[],"id":"\ud800"}"#,
        "{\"inputs\":[],\"id\":\"\u{1}\"}",
        #"{"inputs":[],"parameters":[]}"#, #"{"inputs":[],"parameters":{"a":{}}}"#, #"{"inputs":[],"outputs":[{}]}"#,
        #"{"inputs":[{"name":"X","shape":[1],"datatype":"FP32"}]}"#,
        #"{"inputs":[{"name":"X","shape":[-1],"datatype":"FP32","data":[1]}]}"#,
        #"{"inputs":[{"name":"X","shape":[1.5],"datatype":"FP32","data":[1]}]}"#,
        #"{"inputs":[{"name":"X","shape":1,"datatype":"FP32","data":[1]}]}"#,
        #"{"inputs":[{"name":"X","shape":[1],"datatype":"FP128","data":[1]}]}"#,
        #"{"inputs":[{"name":"X","shape":[1],"datatype":"FP32","data":[1],"data":[1]}]}"#,
        #"{"inputs":[{"name":"X","name":"Y","shape":[1],"datatype":"FP32","data":[1]}]}"#,
        #"{"inputs":[{"name":"X","shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4}}]}"#,
        #"{"inputs":[{"name":"X","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}"#,
        #"{"inputs":[{"name":"X","shape":[1],"datatype":"FP32","parameters":{"shared_memory_region":"a"}}]}"#,
    ])
    func wrongRequests(_ text: String) { #expect(throws: InferenceFault.self) { try read(text) } }

    @Test func declaredTensorsGetNoMemoryBeforeTheirData() {
        for shape in ["[1099511627776,4]", "[9223372036854775807,9223372036854775807]", "[67108864]", "[8388608,8]"] {
            #expect(throws: InferenceFault.self) { try read(input("[1,2,3,4]", "FP64", shape)) }
            #expect(throws: InferenceFault.self) { try read(input("[\"1\"]", "BYTES", shape)) }
        }
        var limits = RequestLimits()
        limits.elements = 3
        #expect(throws: InferenceFault.self) { try read(input("[1,2,3,4]"), limits: limits) }
        #expect(throws: InferenceFault.self) { try read(input("[0]", "FP32", "[0,99999999999]")) }
    }

    @Test func emptyTensors() throws {
        #expect(try read(input("[]", "FP32", "[0,4]")).inputs[0].shape == [0, 4])
        #expect(try read(input("[[],[]]", "FP32", "[2,0]")).inputs[0].elementCount == 0)
        #expect(try read(input("[]", "BYTES", "[0]")).inputs[0].elementCount == 0)
    }

    // MARK: Binary

    private func binary(_ type: String, _ shape: String, _ size: Int) -> String {
        #"{"inputs":[{"name":"X","shape":\#(shape),"datatype":"\#(type)","parameters":{"binary_data_size":\#(size)}}]}"#
    }

    private func bytes(_ values: [Float]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

    @Test func binaryInputs() throws {
        #expect(floats(try read(binary("FP32", "[1,4]", 16), bytes([1, 2, 3, 4])).inputs[0]) == [1, 2, 3, 4])
        let strings = try read(binary("BYTES", "[2]", 11), [1, 0, 0, 0, 97, 2, 0, 0, 0, 255, 254]).inputs[0]
        guard case .strings(let texts) = strings.content else {
            Issue.record("no strings")
            return
        }
        #expect(Array(texts[0]) == [97] && Array(texts[1]) == [255, 254])
        // What was read is written the same way.
        var text = JSONText(ByteBuffer())
        text.binary(strings)
        #expect(Array(buffer: text.buffer) == [1, 0, 0, 0, 97, 2, 0, 0, 0, 255, 254])
    }

    @Test func wrongBinaryInputs() {
        let four = bytes([1, 2, 3, 4])
        for (text, bytes) in [
            (binary("FP32", "[1,4]", 16), Array(four.prefix(8))), (binary("FP32", "[1,4]", 16), four + [0]),
            (binary("FP32", "[1,4]", 12), four), (binary("FP32", "[1,4]", -1), four),
            (binary("FP32", "[1,4]", .max), four), (binary("FP32", "[1,5]", 16), four),
            (binary("BYTES", "[2]", 5), [1, 0, 0, 0, 97]), (binary("BYTES", "[1]", 5), [200, 0, 0, 0, 97]),
            (binary("BYTES", "[1]", 5), [255, 255, 255, 255, 97]),
            (binary("BYTES", "[2]", 12), [8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
            (binary("BYTES", "[1]", 3), [0, 0, 0]), (binary("BYTES", "[1000000]", 5), [1, 0, 0, 0, 97]),
            (binary("BYTES", "[1]", 9), [1, 0, 0, 0, 97, 0, 0, 0, 0]),
        ] {
            #expect(throws: InferenceFault.self, "\(text)") { try read(text, bytes) }
        }
        for length in [-1, 200, 500, Int.max, Int.min] {
            #expect(throws: InferenceFault.self) { try read(binary("FP32", "[1,4]", 16), four, length: length) }
        }
    }

    @Test func aBodyWithoutJSON() throws {
        let request = try bytes([1, 2, 3, 4]).withUnsafeBytes {
            try InferJSON.request($0, headerLength: 0, model: "m", signature: Self.signature, limits: RequestLimits())
        }
        #expect(floats(request.inputs[0]) == [1, 2, 3, 4])
        #expect(request.inputs[0].shape == [1, 4])
        for count in [0, 3, 5] {
            #expect(throws: InferenceFault.self) {
                try bytes([Float](repeating: 0, count: count)).withUnsafeBytes {
                    try InferJSON.request(
                        $0, headerLength: 0, model: "m", signature: Self.signature, limits: RequestLimits())
                }
            }
        }
    }

    // MARK: Answers

    private func answer(_ wish: String, _ outputs: [Tensor]) throws -> (text: String, length: Int?, bytes: [UInt8]) {
        let request = try read(wish)
        var buffer = ByteBuffer()
        let length = try InferJSON.write(
            InferenceResponse(model: "m", version: "1", id: request.id, outputs: outputs), for: request, into: &buffer)
        let bytes = Array(buffer: buffer)
        return (
            String(decoding: bytes.prefix(length ?? bytes.count), as: UTF8.self), length,
            Array(bytes.dropFirst(length ?? bytes.count))
        )
    }

    private func tensor(_ values: [Float], _ name: String = "Y") -> Tensor {
        Tensor(
            name: name, type: .fp32, shape: [1, values.count],
            storage: values.withUnsafeBytes { TensorStorage(copying: $0) })
    }

    @Test func answers() throws {
        let outputs = [
            tensor([2, 3.5]),
            Tensor(name: "T", type: .bytes, shape: [2], content: .strings(StringTensor(["a\"\n", "é"]))),
        ]
        let json = try answer(#"{"id":"q\"1","inputs":[]}"#, outputs)
        #expect(
            json.text
                == #"{"id":"q\"1","model_name":"m","model_version":"1","outputs":[{"name":"Y","datatype":"FP32","shape":[1,2],"data":[2.0,3.5]},{"name":"T","datatype":"BYTES","shape":[2],"data":["a\"\n","é"]}]}"#
        )
        #expect(json.length == nil)
        let mixed = try answer(
            #"{"inputs":[],"outputs":[{"name":"Y","parameters":{"binary_data":true}},{"name":"T"}]}"#, outputs)
        #expect(mixed.text.contains(#""parameters":{"binary_data_size":8}}"#) && mixed.text.contains(#""data":["a"#))
        #expect(mixed.bytes == bytes([2, 3.5]))
        let all = try answer(
            #"{"inputs":[],"parameters":{"binary_data_output":true},"outputs":[{"name":"Y","parameters":{"binary_data":false}},{"name":"T"}]}"#,
            outputs)
        #expect(all.bytes == [3, 0, 0, 0, 97, 34, 10, 2, 0, 0, 0, 0xC3, 0xA9])
        let classes = try answer(
            #"{"inputs":[],"outputs":[{"name":"Y","parameters":{"classification":2}}]}"#, [tensor([0.25, 4, 2])])
        #expect(classes.text.contains(#""datatype":"BYTES","shape":[1,2],"data":["4.0:1","2.0:2"]"#))
        let none = try answer(
            #"{"inputs":[],"outputs":[{"name":"Y","parameters":{"classification":2}}]}"#, [tensor([])])
        #expect(none.text.contains(#""shape":[1,0],"data":[]"#))
        let wrong = Tensor(
            name: "T", type: .bytes, shape: [1],
            content: .strings(StringTensor(storage: [255].withUnsafeBytes { TensorStorage(copying: $0) }, ends: [1])))
        #expect(throws: InferenceFault.self) { try answer(#"{"inputs":[]}"#, [wrong]) }
        #expect(
            try answer(#"{"inputs":[],"parameters":{"binary_data_output":true}}"#, [wrong]).bytes == [1, 0, 0, 0, 255])
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol
import NIOCore
import Testing

@Suite struct MessageTableTests {
    private let table = MessageTable.standard

    private func roundTrip(_ json: JSONValue, _ name: String) throws -> JSONValue {
        var buffer = ByteBuffer()
        table.encode(json, as: name, into: &buffer)
        let table = table
        return try buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(InferenceFault) in try table.decode(bytes, as: name, limits: RequestLimits()) }
        }.get()
    }

    @Test func messagesComeBackAsTheyWere() throws {
        let config: JSONValue = [
            "config": [
                "name": "m", "platform": "onnxruntime_onnx", "max_batch_size": 8,
                "input": [["name": "X", "data_type": "TYPE_FP32", "dims": [-1, 4]]],
                "version_policy": ["latest": ["num_versions": 1]],
                "parameters": ["k": ["string_value": "v"]],
                "dynamic_batching": ["preferred_batch_size": [4, 8], "max_queue_delay_microseconds": 100],
            ]
        ]
        #expect(try roundTrip(config, "inference.ModelConfigResponse") == config)
        let statistics: JSONValue = [
            "model_stats": [
                [
                    "name": "m", "version": "1", "last_inference": 1_795_727_185_642,
                    "inference_stats": ["success": ["count": 3, "ns": 30_063_205]],
                    "batch_stats": [["batch_size": 2, "compute_infer": ["count": 1, "ns": 5]]],
                ]
            ]
        ]
        #expect(try roundTrip(statistics, "inference.ModelStatisticsResponse") == statistics)
        let settings: JSONValue = ["settings": ["a": ["bool_param": false], "b": ["uint32_param": 0]]]
        #expect(try roundTrip(settings, "inference.LogSettingsResponse") == settings)
    }

    @Test func defaultsAreLeftOut() throws {
        var buffer = ByteBuffer()
        table.encode(["ready": false], as: "inference.ServerReadyResponse", into: &buffer)
        #expect(buffer.readableBytes == 0)
        table.encode(["ready": true], as: "inference.ServerReadyResponse", into: &buffer)
        #expect(Array(buffer.readableBytesView) == [8, 1])
    }

    @Test func symbolsHaveFiles() {
        #expect(
            table.services == [
                "inference.GRPCInferenceService", "grpc.health.v1.Health",
                "grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection",
            ])
        let symbols = [
            "inference.GRPCInferenceService": "grpc_service.proto",
            "inference.GRPCInferenceService.ModelInfer": "grpc_service.proto",
            "inference.ModelInferRequest.InferInputTensor": "grpc_service.proto",
            "inference.DataType": "model_config.proto", "inference.None": nil, "ModelInferRequest": nil,
        ]
        for (symbol, file) in symbols { #expect(table.file(of: symbol) == file) }
        #expect(table.files(with: "grpc_service.proto") == ["grpc_service.proto", "model_config.proto"])
        #expect(table.descriptor(ofFile: "none.proto") == nil)
    }

    /// Any bytes are a message or a fault.
    @Test(arguments: [
        "inference.RepositoryModelLoadRequest", "inference.TraceSettingRequest", "inference.ModelConfigResponse",
        "grpc.reflection.v1.ServerReflectionRequest",
    ]) func damagedMessagesDoNoHarm(_ name: String) {
        var random = Random(state: 11)
        var faults = 0
        for _ in 0..<3000 {
            let bytes = (0..<Int(random.next() % 40)).map { index in
                // Keys of low fields and short lengths, so that some of it is right.
                let bits = UInt8(truncatingIfNeeded: random.next())
                return index % 2 == 0 ? bits & 0x1F : bits & 0x87
            }
            let table = table
            let result = bytes.withUnsafeBytes { bytes in
                Result { () throws(InferenceFault) in
                    try table.decode(bytes, as: name, limits: RequestLimits())
                }
            }
            if case .failure(let fault) = result {
                #expect(fault.code == .invalid)
                faults += 1
            }
        }
        #expect(faults > 0 && faults < 3000)
    }
}

@Suite struct InferResponseTests {
    private func tensor<Number: FixedWidthInteger>(
        _ name: String, _ type: TensorType, _ values: [Number]
    ) -> Tensor {
        let storage = TensorStorage(byteCount: values.count * MemoryLayout<Number>.size)
        values.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
        return Tensor(name: name, type: type, shape: [values.count], content: .memory(storage, 0..<storage.byteCount))
    }

    private func written(_ outputs: [Tensor], raw: Bool) throws -> JSONValue {
        var response = InferenceResponse(model: "m", version: "1", id: "7", outputs: outputs)
        response.parameters["p"] = .bool(true)
        var buffer = ByteBuffer()
        InferMessages.write(response, raw: raw, into: &buffer)
        return try buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(InferenceFault) in
                try MessageTable.standard.decode(
                    bytes, as: "inference.ModelInferResponse", limits: RequestLimits())
            }
        }.get()
    }

    @Test func contentsHaveTheirFields() throws {
        let strings = Tensor(name: "S", type: .bytes, shape: [2], content: .strings(StringTensor(["a", ""])))
        let json = try written(
            [
                tensor("A", .int8, [-1, 2] as [Int8]), tensor("B", .uint64, [.max, 0] as [UInt64]),
                tensor("C", .int64, [.min, 1] as [Int64]), tensor("D", .bool, [1, 0] as [UInt8]), strings,
            ], raw: false)
        let outputs = json["outputs"].elements
        #expect(json["model_name"] == "m" && json["model_version"] == "1" && json["id"] == "7")
        #expect(json["parameters"] == ["p": ["bool_param": true]])
        #expect(outputs[0]["contents"] == ["int_contents": [-1, 2]])
        #expect(outputs[1]["contents"] == ["uint64_contents": ["18446744073709551615", 0]])
        #expect(outputs[2]["contents"] == ["int64_contents": [.int(.min), 1]])
        #expect(outputs[3]["contents"] == ["bool_contents": [true, false]])
        #expect(outputs[4]["contents"] == ["bytes_contents": ["YQ==", ""]])
        #expect(json["raw_output_contents"] == .null)
    }

    @Test func halfNumbersMakeAllRaw() throws {
        let json = try written(
            [tensor("A", .int8, [3] as [Int8]), tensor("H", .fp16, [0x3C00] as [UInt16])], raw: false)
        #expect(json["raw_output_contents"] == ["Aw==", "ADw="])
        #expect(json["outputs"].elements.allSatisfy { $0["contents"].isNull })
    }

    @Test func rawStringsHaveTheirLengths() throws {
        let strings = Tensor(name: "S", type: .bytes, shape: [2], content: .strings(StringTensor(["ab", ""])))
        let json = try written([strings], raw: true)
        #expect(json["raw_output_contents"] == ["AgAAAGFiAAAAAA=="])
        #expect(json["outputs"].elements.first?["shape"] == [2])
    }

    @Test func aStreamsFaultIsAnAnswer() throws {
        var buffer = ByteBuffer()
        InferMessages.writeStream(
            .failure(InferenceFault(.notFound, "no model")), id: "9", raw: true, into: &buffer)
        let json = try buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(InferenceFault) in
                try MessageTable.standard.decode(
                    bytes, as: "inference.ModelStreamInferResponse", limits: RequestLimits())
            }
        }.get()
        #expect(json == ["error_message": "no model", "infer_response": ["id": "9"]])
    }
}

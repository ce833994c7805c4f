// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import Testing

@testable import ModelRuntimes

/// Whether the library is there: `scripts/bootstrap` installs it.
private let hasLibrary = LibraryPaths.find(.onnxruntime, environment: ProcessPlace.environment) != nil

@Suite("ONNX Runtime", .enabled(if: hasLibrary))
struct ONNXRuntimeTests {
    static func model(
        _ graph: [UInt8], _ body: (any LoadedModel, any ModelInstance) throws -> Void
    ) throws {
        try withFolder { folder in
            try write(ONNXBytes.model(graph), to: folder + "/model.onnx")
            let model = try RuntimeRegistry.standard.load(
                ModelFolder(name: "m", version: "1", path: folder), RuntimeOptions())
            try body(model, try model.makeInstance())
        }
    }

    static func floats(_ name: String, _ values: [Float], _ shape: [Int]) -> Tensor {
        let storage = TensorStorage(byteCount: values.count * 4)
        values.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
        return Tensor(name: name, type: .fp32, shape: shape, content: .memory(storage, 0..<values.count * 4))
    }

    static func strings(_ name: String, _ values: [[UInt8]], _ shape: [Int]) -> Tensor {
        let storage = TensorStorage(byteCount: values.reduce(0) { $0 + $1.count })
        storage.bytes.copyBytes(from: values.flatMap { $0 })
        var ends: [Int] = []
        for value in values { ends.append((ends.last ?? 0) + value.count) }
        return Tensor(
            name: name, type: .bytes, shape: shape, content: .strings(StringTensor(storage: storage, ends: ends)))
    }

    static func values(_ tensor: Tensor) -> [Float] {
        guard case .memory(let storage, let range) = tensor.content else { return [] }
        return range.isEmpty
            ? [] : Array(UnsafeRawBufferPointer(rebasing: storage.bytes[range]).bindMemory(to: Float.self))
    }

    /// y = x + x
    static let doubling = ONNXBytes.graph(
        [ONNXBytes.node("Add", ["x", "x"], ["y"])], inputs: [ONNXBytes.value("x", 1, [nil, 2])],
        outputs: [ONNXBytes.value("y", 1, [nil, 2])])

    @Test("numbers in, numbers out; rows are told from the shapes")
    func numbers() throws {
        try Self.model(Self.doubling) { model, instance in
            #expect(model.signature.platform == "onnxruntime_onnx")
            #expect(model.signature.inputs == [TensorSpec(name: "x", type: .fp32, shape: [-1, 2])])
            #expect(model.signature.outputs == [TensorSpec(name: "y", type: .fp32, shape: [-1, 2])])
            #expect(model.signature.maximumBatch > 0)
            let outputs = try instance.run(
                [Self.floats("x", [1, 2, 3, 4], [2, 2])], outputs: ["y"], deadline: .now + .seconds(60))
            #expect(outputs.count == 1 && outputs[0].shape == [2, 2] && Self.values(outputs[0]) == [2, 4, 6, 8])
            let none = try instance.run([Self.floats("x", [], [0, 2])], outputs: ["y"], deadline: nil)
            #expect(none[0].shape == [0, 2] && Self.values(none[0]) == [])
        }
    }

    @Test("an output outlives its instance, its model and its file")
    func outputsOutlive() throws {
        var kept: Tensor?
        try Self.model(Self.doubling) { _, instance in
            kept = try instance.run([Self.floats("x", [5, 6], [1, 2])], outputs: ["y"], deadline: nil)[0]
        }
        let output = try #require(kept)
        #expect(Self.values(output) == [10, 12])
    }

    @Test("what does not fit is refused, and the next request is answered")
    func refusals() throws {
        try Self.model(Self.doubling) { _, instance in
            for (input, outputs) in [
                (Self.floats("x", [1, 2, 3], [1, 3]), ["y"]), (Self.floats("z", [1, 2], [1, 2]), ["y"]),
                (Self.floats("x", [1, 2], [1, 2]), ["w"]), (Self.floats("x", [1], [1, 2]), ["y"]),
            ] {
                let fault = #expect(throws: InferenceFault.self) {
                    try instance.run([input], outputs: outputs, deadline: nil)
                }
                #expect(fault?.code == .invalid)
            }
            let after = try instance.run([Self.floats("x", [1, 2], [1, 2])], outputs: [], deadline: nil)
            #expect(Self.values(after[0]) == [2, 4])
        }
    }

    @Test("strings keep all their bytes, zeros and none among them")
    func texts() throws {
        let graph = ONNXBytes.graph(
            [ONNXBytes.node("Identity", ["s"], ["t"])], inputs: [ONNXBytes.value("s", 8, [nil])],
            outputs: [ONNXBytes.value("t", 8, [nil])])
        try Self.model(graph) { model, instance in
            #expect(model.signature.inputs[0].type == .bytes)
            let given: [[UInt8]] = [Array("Grüße".utf8), [], [0, 1, 0], Array(repeating: 7, count: 5000)]
            let output = try instance.run([Self.strings("s", given, [4])], outputs: ["t"], deadline: nil)[0]
            guard case .strings(let strings) = output.content else {
                Issue.record("not strings")
                return
            }
            var start = 0
            for (value, end) in zip(given, strings.ends) {
                #expect(Array(strings.storage.bytes[start..<end]) == value)
                start = end
            }
            let none = try instance.run([Self.strings("s", [], [0])], outputs: ["t"], deadline: nil)[0]
            #expect(none.shape == [0])
        }
    }

    @Test("a loop that never ends is ended at the deadline, and the instance is good for more")
    func endless() throws {
        let body = ONNXBytes.graph(
            [ONNXBytes.node("Identity", ["go"], ["on"]), ONNXBytes.node("Add", ["v", "v"], ["w"])],
            inputs: [ONNXBytes.value("i", 7, []), ONNXBytes.value("go", 9, []), ONNXBytes.value("v", 1, [1])],
            outputs: [ONNXBytes.value("on", 9, []), ONNXBytes.value("w", 1, [1])])
        let graph = ONNXBytes.graph(
            [ONNXBytes.node("Loop", ["", "c", "x"], ["y"], [ONNXBytes.attribute("body", graph: body)])],
            inputs: [ONNXBytes.value("x", 1, [1])], outputs: [ONNXBytes.value("y", 1, [1])],
            constants: [ONNXBytes.boolean("c", true)])
        try Self.model(graph) { _, instance in
            for _ in 0..<2 {
                let fault = #expect(throws: InferenceFault.self) {
                    try instance.run([Self.floats("x", [1], [1])], outputs: ["y"], deadline: .now + .milliseconds(50))
                }
                #expect(fault?.code == .deadline)
            }
        }
    }

    @Test("files that are no models are refused with the model's name")
    func damaged() throws {
        let good = ONNXBytes.model(Self.doubling)
        for bytes in [[], Array("hello".utf8), Array(good.prefix(good.count / 2)), good + [0xFF]] {
            try withFolder { folder in
                try write(bytes, to: folder + "/model.onnx")
                let fault = #expect(throws: InferenceFault.self) {
                    try RuntimeRegistry.standard.load(
                        ModelFolder(name: "broken", version: "1", path: folder), RuntimeOptions())
                }
                #expect(fault?.description.contains("broken") == true)
            }
        }
    }
}

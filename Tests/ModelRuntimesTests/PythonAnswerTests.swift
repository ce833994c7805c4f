// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol
import Testing

@testable import ModelRuntimes

@Suite("Answers of a Python worker, which a model may make as it likes")
struct PythonAnswerTests {
    private func read(_ outputs: JSONValue, _ body: [UInt8]) throws -> [Tensor] {
        let storage = TensorStorage(byteCount: body.count)
        storage.bytes.copyBytes(from: body)
        return try PythonInstance.tensors(outputs, storage, "m")
    }

    @Test func tensorsLieOneBehindTheOther() throws {
        let tensors = try read(
            [
                ["name": "a", "datatype": "INT16", "shape": [2], "size": 4],
                ["name": "b", "datatype": "BYTES", "shape": [1], "size": 5],
                ["name": "c", "datatype": "FP64", "shape": [0, 3], "size": 0],
            ], [1, 0, 2, 0, 1, 0, 0, 0, 120])
        #expect(tensors.map(\.shape) == [[2], [1], [0, 3]])
    }

    @Test(arguments: [
        // More elements than there are bytes, or than can be counted.
        (["name": "a", "datatype": "INT16", "shape": [3], "size": 4] as JSONValue),
        ["name": "a", "datatype": "FP64", "shape": [4_294_967_296, 4_294_967_296], "size": 4],
        ["name": "a", "datatype": "FP64", "shape": [9_223_372_036_854_775_807], "size": 4],
        ["name": "a", "datatype": "BYTES", "shape": [9_223_372_036_854_775_807, 2], "size": 4],
        ["name": "a", "datatype": "BYTES", "shape": [1], "size": 4],
        ["name": "a", "datatype": "INT16", "shape": [-2, -1], "size": 4],
        ["name": "a", "datatype": "INT16", "shape": ["2"], "size": 4],
        ["name": "a", "datatype": "INT16", "shape": [2], "size": -4],
        ["name": "a", "datatype": "INT16", "shape": [2], "size": 5],
        ["name": "a", "datatype": "DATE", "shape": [2], "size": 4], ["datatype": "INT16", "shape": [2], "size": 4],
    ])
    func whatCannotBeIsRefused(_ field: JSONValue) {
        #expect(throws: InferenceFault.self) { try read([field], [9, 0, 0, 0]) }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import InferenceProtocol

/// Bytes that were changed at random: a request or a fault, never anything else.
@Suite struct FuzzTests {
    private struct Words: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static let signature = ModelSignature(
        platform: "test",
        inputs: [
            TensorSpec(name: "X", type: .fp32, shape: [-1, 2]), TensorSpec(name: "S", type: .bytes, shape: [-1]),
        ], outputs: [], maximumBatch: 4)

    private static let one = ModelSignature(
        platform: "test", inputs: [TensorSpec(name: "X", type: .int32, shape: [-1, -1])], outputs: [], maximumBatch: 0)

    private static let requests: [([UInt8], Int?)] = [
        (
            Array(
                #"{"id":"a\u00e9","parameters":{"priority":1,"x":"y"},"inputs":[{"name":"X","shape":[2,2],"datatype":"FP32","data":[[1.5,-2e3],[0.1,4]]},{"name":"S","shape":[2],"datatype":"BYTES","data":["a","\ud83d\ude00"]}],"outputs":[{"name":"Y","parameters":{"binary_data":true}}]}"#
                    .utf8), nil
        ),
        (
            Array(
                #"{"inputs":[{"name":"S","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}},{"name":"X","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}"#
                    .utf8)
                + [1, 0, 0, 0, 97, 2, 0, 0, 0, 255, 254, 1, 2, 3, 4, 5, 6, 7, 8], 178
        ),
        (Array(#"{"instances":[{"X":[1,2],"S":"a"},{"X":[3,4],"S":"b"}]}"#.utf8), nil),
        (Array(#"{"inputs":{"X":[[1,2],[3,4]],"S":["a","b"]}}"#.utf8), nil),
        (Array(#"{"instances":[[[1,2],[3,4]],[[5,6],[7,8]]]}"#.utf8), nil),
        (Array("1,2.5\n-3e2,4\r\n".utf8), nil),
    ]

    private static let interesting: [UInt8] =
        Array("{}[]\",:\\0-9.eE+truefalsnu \n".utf8) + [0, 1, 0x7F, 0x80, 0xC3, 0xFF]

    @Test(arguments: requests.indices) func changedRequests(_ index: Int) {
        var words = Words(state: UInt64(index) &* 977 &+ 3)
        let (bytes, length) = Self.requests[index]
        var limits = RequestLimits()
        limits.elements = 4096
        for _ in 0..<4000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...4, using: &words) {
                let place = Int.random(in: 0..<max(changed.count, 1), using: &words)
                switch Int.random(in: 0..<5, using: &words) {
                case 0: changed[place] = UInt8.random(in: 0...255, using: &words)
                case 1: changed[place] = Self.interesting.randomElement(using: &words) ?? 0
                case 2: changed.remove(at: place)
                case 3: changed.insert(Self.interesting.randomElement(using: &words) ?? 0, at: place)
                default:
                    let end = min(changed.count, place + Int.random(in: 0..<16, using: &words))
                    changed.insert(contentsOf: changed[place..<end], at: place)
                }
                if changed.isEmpty { changed = [0] }
            }
            check(changed, length, limits)
        }
        for end in 0..<bytes.count { check(Array(bytes[..<end]), length, limits) }
    }

    private func check(_ bytes: [UInt8], _ length: Int?, _ limits: RequestLimits) {
        bytes.withUnsafeBytes { bytes in
            for length in [length, nil, 0] {
                let request = try? InferJSON.request(
                    bytes, headerLength: length, model: "m", signature: Self.one, limits: limits)
                consistent(request)
            }
            for signature in [Self.signature, Self.one] {
                consistent(try? PredictJSON.request(bytes, model: "m", signature: signature, limits: limits))
            }
            consistent(try? CSVRows.request(bytes, model: "m", signature: Self.one, limits: limits))
            _ = InferJSON.isRequest(bytes, limits: limits)
        }
    }

    /// Whatever was read has as many bytes as its shape says.
    private func consistent(_ request: InferenceRequest?) {
        for input in request?.inputs ?? [] {
            switch input.content {
            case .memory(let storage, let range):
                #expect(range.count == input.elementCount * (input.type.byteCount ?? 0))
                #expect(range.upperBound <= storage.byteCount)
            case .strings(let strings):
                #expect(strings.count == input.elementCount)
                #expect((strings.ends.last ?? 0) <= strings.storage.byteCount)
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol
import Testing

@testable import InferenceEngine

@Suite struct EnsemblePlanTests {
    typealias Step = ModelConfig.EnsembleStep

    private func plan(_ steps: [Step]) throws -> EnsemblePlan {
        try EnsemblePlan("e", steps: steps, inputs: ["i"], outputs: ["o"])
    }

    @Test func ordersByWhatStepsTake() throws {
        let plan = try plan([
            Step(model: "last", inputs: ["x": "b", "y": "c"], outputs: ["z": "o"]),
            Step(model: "left", inputs: ["x": "i"], outputs: ["y": "b"]),
            Step(model: "right", inputs: ["x": "i"], outputs: ["y": "c"]),
        ])
        #expect(plan.steps.map(\.after) == [[1, 2], [], []])
        #expect(plan.members == ["last", "left", "right"])
    }

    @Test func refusesWhatCannotBe() {
        let wrong: [([Step], String)] = [
            ([], "0 steps"),
            ([Step(model: "a", inputs: ["x": "none"], outputs: ["y": "o"])], "'none'"),
            ([Step(model: "a", inputs: ["x": "i"], outputs: ["y": "p"])], "no step makes the output 'o'"),
            ([Step(model: "a", inputs: ["x": "i"], outputs: ["y": "i"])], "which is an input"),
            ([Step(model: "e", inputs: ["x": "i"], outputs: ["y": "o"])], "the ensemble itself"),
            (
                [
                    Step(model: "a", inputs: ["x": "i"], outputs: ["y": "o"]),
                    Step(model: "b", inputs: ["x": "i"], outputs: ["y": "o"]),
                ], "made twice"
            ),
            (
                [
                    Step(model: "a", inputs: ["x": "q"], outputs: ["y": "o"]),
                    Step(model: "b", inputs: ["x": "o"], outputs: ["y": "q"]),
                ], "wait for each other"
            ),
        ]
        for (steps, expected) in wrong {
            do {
                _ = try plan(steps)
                Issue.record("\(expected): taken")
            } catch {
                #expect("\(error)".contains(expected))
            }
        }
    }

    @Test func looksAtTypes() throws {
        func signature(_ input: TensorSpec, _ output: TensorSpec) -> ModelSignature {
            ModelSignature(platform: "", inputs: [input], outputs: [output], maximumBatch: 0)
        }
        let plan = try plan([Step(model: "a", inputs: ["x": "i"], outputs: ["y": "o"])])
        let number = TensorSpec(name: "i", type: .fp32, shape: [-1, 4])
        let answer = TensorSpec(name: "o", type: .fp32, shape: [2, 4])
        let whole = signature(number, answer)
        func member(_ input: TensorSpec, _ output: TensorSpec) throws {
            try plan.check(whole, members: [signature(input, output)])
        }
        let x = TensorSpec(name: "x", type: .fp32, shape: [2, -1])
        let y = TensorSpec(name: "y", type: .fp32, shape: [-1, 4])
        try member(x, y)
        let wrong = [
            (TensorSpec(name: "x", type: .int64, shape: [2, -1]), y),
            (TensorSpec(name: "x", type: .fp32, shape: [2, 5]), y),
            (TensorSpec(name: "x", type: .fp32, shape: [2]), y),
            (TensorSpec(name: "other", type: .fp32, shape: [2, 4]), y),
            (x, TensorSpec(name: "other", type: .fp32, shape: [2, 4])),
            (x, TensorSpec(name: "y", type: .fp64, shape: [2, 4])),
        ]
        for (input, output) in wrong { #expect(throws: InferenceFault.self) { try member(input, output) } }
    }
}

@Suite struct ResponseCacheTests {
    private func key(_ number: Float, model: UInt64 = 1, outputs: [String] = ["Y"]) -> ResponseCache.Key {
        ResponseCache.Key(model: model, inputs: [Tensor.of("X", [number], [1])], outputs: outputs)
    }

    private let answer = [Tensor.of("Y", [Float](repeating: 1, count: 250), [250])]

    @Test func keysAreAllThatIsAsked() {
        #expect(key(1) == key(1))
        #expect(key(1) != key(2))
        #expect(key(1) != key(1, model: 2))
        #expect(key(1) != key(1, outputs: ["Z"]))
        let shape = ResponseCache.Key(model: 1, inputs: [Tensor.of("X", [1], [1, 1])], outputs: ["Y"])
        #expect(key(1) != shape)
        func texts(_ elements: [String]) -> ResponseCache.Key {
            let tensor = Tensor(name: "S", type: .bytes, shape: [2], content: .strings(StringTensor(elements)))
            return ResponseCache.Key(model: 1, inputs: [tensor], outputs: ["Y"])
        }
        #expect(texts(["ab", "c"]) != texts(["a", "bc"]))
        #expect(texts(["ab", "c"]) == texts(["ab", "c"]))
    }

    @Test func keepsWhatWasUsedLast() {
        // Each takes 1128 bytes.
        var cache = ResponseCache(maximumBytes: 10_000)
        for number in 0..<8 { cache.insert(answer, for: key(Float(number))) }
        #expect(cache.count == 8)
        #expect(cache.find(key(0))?.count == 1)
        cache.insert(answer, for: key(8))
        #expect(cache.count == 8)
        #expect(cache.find(key(0)) != nil)
        #expect(cache.find(key(1)) == nil)
        #expect(cache.bytes == 8 * 1128)
    }

    @Test func tooLargeIsNotKept() {
        var cache = ResponseCache(maximumBytes: 5000)
        cache.insert(answer, for: key(1))
        #expect(cache.count == 0)
        #expect(cache.bytes == 0)
    }

    @Test func forgetsAModel() {
        var cache = ResponseCache(maximumBytes: 100_000)
        cache.insert(answer, for: key(1, model: 1))
        cache.insert(answer, for: key(1, model: 2))
        cache.insert(answer, for: key(1, model: 2))
        cache.remove(model: 2)
        #expect(cache.count == 1)
        #expect(cache.bytes == 1128)
        #expect(cache.find(key(1, model: 1)) != nil)
    }

    @Test func manyUsesTakeNoMemory() {
        var cache = ResponseCache(maximumBytes: 100_000)
        for round in 0..<10_000 {
            if cache.find(key(Float(round % 30))) == nil { cache.insert(answer, for: key(Float(round % 30))) }
        }
        #expect(cache.count == 30)
        #expect(cache.bytes == 30 * 1128)
    }
}

@Suite struct InlineBudgetTests {
    typealias Sample = InlineBudget.Sample

    @Test func learnsOfSamples() {
        #expect(InlineBudget.elements([], limit: 100) < 0)
        #expect(InlineBudget.elements([Sample(elements: 4, nanoseconds: 101)], limit: 100) < 0)
        #expect(InlineBudget.elements([Sample(elements: 4, nanoseconds: 100)], limit: 100) == 16)
        // 10 and 1 for each element: 90 fit.
        let samples = [Sample(elements: 10, nanoseconds: 20), Sample(elements: 60, nanoseconds: 70)]
        #expect(InlineBudget.elements(samples, limit: 100) == 90)
        // No more than twice of what was tried.
        #expect(InlineBudget.elements(samples, limit: 10_000) == 120)
        let steep = [Sample(elements: 10, nanoseconds: 20), Sample(elements: 60, nanoseconds: 520)]
        #expect(InlineBudget.elements(steep, limit: 100) == 18)
    }

    @Test func forgetsWhatTurnsOutSlow() {
        let budget = InlineBudget([Sample(elements: 100, nanoseconds: 10)], limit: 100)
        #expect(budget.allows(400))
        for _ in 0..<10 {
            budget.ran(elements: 300, nanoseconds: 2000)
            budget.ran(elements: 300, nanoseconds: 2000)
            budget.ran(elements: 300, nanoseconds: 50)
        }
        #expect(budget.allows(400))
        for _ in 0..<3 { budget.ran(elements: 300, nanoseconds: 2000) }
        #expect(!budget.allows(300))
        #expect(budget.allows(150))
    }
}

@Suite struct ConfigTextTests {
    private func parse(_ text: String) throws -> JSONValue { try ConfigText.parse(Array(text.utf8)) }

    @Test func readsAConfiguration() throws {
        let json = try parse(
            #"""
            # A model.
            name: "simple"
            platform: 'onnxruntime_onnx'
            max_batch_size: 8
            input [
              { name: "X" data_type: TYPE_FP32 dims: [ 4 ] },
              { name: "Z", data_type: TYPE_INT64; dims: 1 dims: -1 }
            ]
            output { name: "Y" data_type: TYPE_FP32 dims: 4 }
            dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }
            instance_group [ { count: 2 kind: KIND_CPU } ]
            version_policy: { specific { versions: [1, 3] } }
            parameters { key: "a" value { string_value: "1" } }
            parameters: { key: "b" value: < string_value: "x" "y\n\101" > }
            response_cache { enable: true }
            """#)
        let config = try ModelConfig(json: json)
        #expect(json["name"].string == "simple")
        #expect(config.maximumBatch == 8)
        #expect(config.inputs.map(\.shape) == [[4], [1, -1]])
        #expect(config.outputs.map(\.name) == ["Y"])
        #expect(config.preferredBatches == [4, 8])
        #expect(config.queueDelay == .microseconds(100))
        #expect(config.instances == 2)
        #expect(config.versionPolicy == .specific(["1", "3"]))
        #expect(config.parameters == ["a": "1", "b": "xy\nA"])
        #expect(config.isCached)
    }

    @Test func readsAnEnsemble() throws {
        let json = try parse(
            #"""
            platform: "ensemble"
            ensemble_scheduling {
              step [
                { model_name: "a" model_version: -1
                  input_map { key: "X" value: "I" } output_map { key: "Y" value: "O" } }
              ]
            }
            """#)
        let config = try ModelConfig(json: json)
        #expect(config.ensemble == [.init(model: "a", inputs: ["X": "I"], outputs: ["Y": "O"])])
    }

    @Test func saysWhereItIsWrong() {
        let wrong = [
            "a", "a:", "a {", "a: \"x", "a: [1, 2", "a: [1 2]", "{ }", "a: 1 }", "\na: \"x\ny\"", "a: @", "input [ {",
            String(repeating: "a {", count: 100),
        ]
        for text in wrong {
            do {
                let json = try parse(text)
                Issue.record("\(text): \(json)")
            } catch {
                #expect("\(error)".contains("line"))
            }
        }
    }

    @Test func anyBytes() {
        var random = Generator(state: 7)
        let seed = Array(
            "name: \"m\" input [ { dims: [ 1, -1 ] } ] parameters { key: \"a\" value { x: 1.5f } } # c\n".utf8)
        for _ in 0..<3000 {
            var bytes = seed
            for _ in 0..<(1 + random.next() % 6) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                default: bytes.insert(seed[Int(random.next() % UInt64(seed.count))], at: place)
                }
            }
            // It is read or refused.
            _ = try? ConfigText.parse(bytes)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Triton's ModelConfig as JSON with the names of the protocol: what a load's parameter `config` has, and what
/// `/v2/models/NAME/config` answers.
extension ModelConfig {
    /// Reads the fields that mean something here; others are passed over, as a configuration of Triton has many.
    /// - Throws: `invalid` for a field of the wrong type or out of its range.
    package init(json: JSONValue) throws(InferenceFault) {
        self.init()
        guard case .object = json else { throw Self.fault("the configuration", "an object", json) }
        maximumBatch = try Self.count(json, "max_batch_size", 0...1_000_000) ?? 0
        platform = try Self.text(json, "platform") ?? ""
        backend = try Self.text(json, "backend") ?? ""
        inputs = try Self.specs(json["input"], "input")
        outputs = try Self.specs(json["output"], "output")
        try readBatching(json["dynamic_batching"])
        var instances = 0
        for group in json["instance_group"].elements { instances += try Self.count(group, "count", 1...1024) ?? 1 }
        self.instances = instances
        for warmup in json["model_warmup"].elements { self.warmup.append(try Self.warmup(warmup)) }
        isCached = json["response_cache"]["enable"].bool ?? false
        for step in json["ensemble_scheduling"]["step"].elements {
            guard let model = try Self.text(step, "model_name"), !model.isEmpty else {
                throw Self.fault("ensemble_scheduling.step.model_name", "a name", step["model_name"])
            }
            let version = try Self.count(step, "model_version", -1...Int.max).flatMap { $0 > 0 ? String($0) : nil }
            ensemble.append(
                EnsembleStep(
                    model: model, version: version, inputs: step["input_map"].stringMembers,
                    outputs: step["output_map"].stringMembers))
        }
        try readVersions(json["version_policy"])
        for (name, value) in json["parameters"].members {
            parameters[name] = value["string_value"].string ?? value.string
        }
    }

    private mutating func readBatching(_ json: JSONValue) throws(InferenceFault) {
        guard case .object = json else { return }
        isBatching = true
        for size in json["preferred_batch_size"].elements {
            guard let size = size.int, size > 0 else {
                throw Self.fault("dynamic_batching.preferred_batch_size", "numbers above 0", size)
            }
            preferredBatches.append(size)
        }
        preferredBatches.sort()
        let longest = 3_600_000_000
        queueDelay = .microseconds(try Self.count(json, "max_queue_delay_microseconds", 0...longest) ?? 0)
        priorityLevels = try Self.count(json, "priority_levels", 0...1024) ?? 0
        defaultPriority = try Self.count(json, "default_priority_level", 0...1024) ?? 0
        guard defaultPriority <= priorityLevels else {
            throw Self.fault(
                "dynamic_batching.default_priority_level", "one of the \(priorityLevels) levels",
                JSONValue(defaultPriority))
        }
        let policy = json["default_queue_policy"]
        maximumQueue = try Self.count(policy, "max_queue_size", 0...10_000_000) ?? 0
        let timeout = try Self.count(policy, "default_timeout_microseconds", 0...longest) ?? 0
        defaultTimeout = timeout > 0 ? .microseconds(timeout) : nil
    }

    private mutating func readVersions(_ json: JSONValue) throws(InferenceFault) {
        if case .object = json["all"] {
            versionPolicy = .all
        } else if case .object = json["specific"] {
            versionPolicy = .specific(json["specific"]["versions"].elements.compactMap(\.int).map(String.init))
        } else if case .object = json["latest"] {
            versionPolicy = .latest(max(1, try Self.count(json["latest"], "num_versions", 0...1024) ?? 1))
        }
    }

    private static func warmup(_ json: JSONValue) throws(InferenceFault) -> Warmup {
        var warmup = Warmup()
        warmup.name = try text(json, "name") ?? ""
        warmup.batchSize = try count(json, "batch_size", 0...1_000_000) ?? 0
        warmup.count = try count(json, "count", 0...1000) ?? 1
        for (name, value) in json["inputs"].members {
            guard let type = try type(value) else { throw fault("model_warmup.inputs.data_type", "a type", value) }
            var input = Warmup.Input(type: type, shape: try shape(value["dims"]))
            if value["random_data"].bool == true { input.data = .random }
            warmup.inputs[name] = input
        }
        return warmup
    }

    private static func specs(_ json: JSONValue, _ field: String) throws(InferenceFault) -> [TensorSpec] {
        var specs: [TensorSpec] = []
        for value in json.elements {
            guard let name = try text(value, "name"), !name.isEmpty else {
                throw fault("\(field).name", "a name", value)
            }
            guard let type = try type(value) else { throw fault("\(field).data_type", "a type as TYPE_FP32", value) }
            var spec = TensorSpec(name: name, type: type, shape: try shape(value["dims"]))
            spec.isOptional = value["optional"].bool ?? false
            specs.append(spec)
        }
        return specs
    }

    private static func type(_ json: JSONValue) throws(InferenceFault) -> TensorType? {
        try text(json, "data_type").flatMap { TensorType(configName: $0) }
    }

    private static func shape(_ json: JSONValue) throws(InferenceFault) -> [Int] {
        var shape: [Int] = []
        for axis in json.elements {
            guard let axis = number(axis), axis >= -1 else { throw fault("dims", "numbers from -1", axis) }
            shape.append(axis)
        }
        return shape
    }

    /// proto3's JSON has 64-bit numbers as strings, too.
    private static func number(_ json: JSONValue) -> Int? { json.int ?? json.string.flatMap { Int($0) } }

    private static func count(_ json: JSONValue, _ field: String, _ range: ClosedRange<Int>) throws(InferenceFault)
        -> Int?
    {
        let value = json[field]
        guard !value.isNull else { return nil }
        guard let number = number(value), range.contains(number) else {
            throw fault(field, "a number from \(range.lowerBound) to \(range.upperBound)", value)
        }
        return number
    }

    private static func text(_ json: JSONValue, _ field: String) throws(InferenceFault) -> String? {
        let value = json[field]
        guard !value.isNull else { return nil }
        guard let text = value.string else { throw fault(field, "a text", value) }
        return text
    }

    private static func fault(_ field: String, _ expected: String, _ got: JSONValue) -> InferenceFault {
        InferenceFault(
            .invalid, "\(field) of the model's configuration must be \(expected), got \(got.text.prefix(100))")
    }
}

extension ModelConfig {
    /// The whole configuration, with what the model's file says where the configuration does not.
    package func json(name: String, signature: ModelSignature) -> JSONValue {
        let batch = maximumBatch > 0 ? maximumBatch : signature.maximumBatch
        var json: JSONValue = [
            "name": .string(name), "platform": .string(platform.isEmpty ? signature.platform : platform),
            "backend": .string(backend), "version_policy": versionsJSON, "max_batch_size": JSONValue(batch),
            "input": .array(
                signature.inputs.map {
                    [
                        "name": .string($0.name), "data_type": .string($0.type.configName), "format": "FORMAT_NONE",
                        "dims": Self.dims($0.shape, batch), "is_shape_tensor": false, "allow_ragged_batch": false,
                        "optional": .bool($0.isOptional),
                    ]
                }),
            "output": .array(
                signature.outputs.map {
                    [
                        "name": .string($0.name), "data_type": .string($0.type.configName),
                        "dims": Self.dims($0.shape, batch), "label_filename": "", "is_shape_tensor": false,
                    ]
                }),
            "batch_input": .array([]), "batch_output": .array([]),
            "instance_group": [
                ["name": .string("\(name)_0"), "kind": "KIND_CPU", "count": JSONValue(max(1, instances))]
            ],
            "default_model_filename": "", "cc_model_filenames": .object([:]), "metric_tags": .object([:]),
            "parameters": .object(parameters.mapValues { ["string_value": .string($0)] }),
            "model_warmup": .array(warmup.map(Self.json)),
            "response_cache": ["enable": .bool(isCached)],
        ]
        if isBatching { json["dynamic_batching"] = batchingJSON }
        if !ensemble.isEmpty {
            json["ensemble_scheduling"] = [
                "step": .array(
                    ensemble.map {
                        [
                            "model_name": .string($0.model),
                            "model_version": .int($0.version.flatMap { Int64($0) } ?? -1),
                            "input_map": JSONValue($0.inputs), "output_map": JSONValue($0.outputs),
                        ]
                    })
            ]
        }
        return json
    }

    private var batchingJSON: JSONValue {
        [
            "preferred_batch_size": .array(preferredBatches.map { JSONValue($0) }),
            "max_queue_delay_microseconds": JSONValue(queueDelay.inMicroseconds), "preserve_ordering": false,
            "priority_levels": JSONValue(priorityLevels), "default_priority_level": JSONValue(defaultPriority),
            "default_queue_policy": [
                "timeout_action": "REJECT", "allow_timeout_override": true,
                "default_timeout_microseconds": JSONValue(defaultTimeout?.inMicroseconds ?? 0),
                "max_queue_size": JSONValue(maximumQueue),
            ],
            "priority_queue_policy": .object([:]),
        ]
    }

    private var versionsJSON: JSONValue {
        switch versionPolicy {
        case .latest(let count): ["latest": ["num_versions": JSONValue(count)]]
        case .all: ["all": .object([:])]
        case .specific(let versions): ["specific": ["versions": .array(versions.map { .int(Int64($0) ?? 0) })]]
        }
    }

    private static func json(_ warmup: Warmup) -> JSONValue {
        [
            "name": .string(warmup.name), "batch_size": JSONValue(warmup.batchSize), "count": JSONValue(warmup.count),
            "inputs": .object(
                warmup.inputs.mapValues { input in
                    [
                        "data_type": .string(input.type.configName), "dims": .array(input.shape.map { JSONValue($0) }),
                        (input.data == .zero ? "zero_data" : "random_data"): true,
                    ]
                }),
        ]
    }

    private static func dims(_ shape: [Int], _ batch: Int) -> JSONValue {
        .array((batch > 0 ? Array(shape.dropFirst()) : shape).map { JSONValue($0) })
    }
}

extension Duration {
    var inMicroseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }
}

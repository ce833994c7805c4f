// SPDX-License-Identifier: Apache-2.0

/// The messages of `ModelInfer` and `ModelStreamInfer`, between their bytes and tensors without steps between.
package enum InferMessages {
    /// Parameters that say where a tensor lies in memory of both sides.
    static let sharedMemory = "shared_memory_region"

    /// Reads a `ModelInferRequest`.
    /// - Parameters:
    ///   - bytes: the message.
    ///   - limits: of what it may have.
    /// - Returns: the request; its tensors have memory of their own.
    /// - Throws: what is wrong with it.
    package static func modelInferRequest(
        _ bytes: UnsafeRawBufferPointer, limits: RequestLimits
    ) throws(InferenceFault) -> InferenceRequest {
        var reader = WireReader(bytes)
        var request = InferenceRequest(model: "", version: nil, inputs: [])
        var inputs: [InputMessage] = []
        var raw: [UnsafeRawBufferPointer] = []
        typealias Fields = MessageFields.ModelInferRequest
        while let (number, payload) = try reader.next() {
            switch number {
            case Fields.modelName: request.model = try payload.text("model_name", longest: limits.nameBytes)
            case Fields.modelVersion:
                let version = try payload.text("model_version", longest: limits.nameBytes)
                request.version = version.isEmpty ? nil : version
            case Fields.id: request.id = try payload.text("id", longest: limits.nameBytes)
            case Fields.parameters:
                try add(try payload.bytes("parameters"), to: &request.parameters, limits)
            case Fields.inputs:
                try room(inputs.count, "inputs", limits)
                inputs.append(try InputMessage(try payload.bytes("inputs"), limits))
            case Fields.outputs:
                try room(request.outputs.count, "outputs", limits)
                request.outputs.append(try output(try payload.bytes("outputs"), limits))
            case Fields.rawInputContents:
                try room(raw.count, "raw_input_contents", limits)
                raw.append(try payload.bytes("raw_input_contents"))
            default: break
            }
        }
        try takeReserved(&request)
        guard raw.isEmpty || raw.count == inputs.count else {
            throw InferenceFault(
                .invalid,
                "raw_input_contents has \(raw.count) entries for model '\(request.model)', expected one for each of "
                    + "its \(inputs.count) inputs")
        }
        request.form = raw.isEmpty ? .typedMessages : .rawMessages
        var budget = limits.decompressedBytes
        request.inputs.reserveCapacity(inputs.count)
        for (index, input) in inputs.enumerated() {
            let tensor = try input.tensor(
                raw: raw.isEmpty ? nil : raw[index], model: request.model, limits, budget: &budget)
            request.inputs.append(tensor)
        }
        return request
    }

    private static func room(_ count: Int, _ what: String, _ limits: RequestLimits) throws(InferenceFault) {
        guard count < limits.inputs else {
            throw InferenceFault(.invalid, "the request has more than \(limits.inputs) \(what)")
        }
    }

    private static func output(
        _ bytes: UnsafeRawBufferPointer, _ limits: RequestLimits
    ) throws(InferenceFault) -> RequestedOutput {
        var reader = WireReader(bytes)
        var output = RequestedOutput(name: "")
        while let (number, payload) = try reader.next() {
            switch number {
            case MessageFields.InferRequestedOutputTensor.name:
                output.name = try payload.text("an output's name", longest: limits.nameBytes)
            case MessageFields.InferRequestedOutputTensor.parameters:
                try add(try payload.bytes("parameters"), to: &output.parameters, limits)
            default: break
            }
        }
        try refuseSharedMemory(output.parameters, "output '\(output.name)'")
        switch output.parameters.removeValue(forKey: "classification") {
        case nil: break
        case .int(let count) where (0...Int64(Int32.max)).contains(count): output.classes = Int(count)
        case .uint(let count) where count <= UInt64(Int32.max): output.classes = Int(count)
        default:
            throw InferenceFault(
                .invalid, "parameter 'classification' of output '\(output.name)' must be a count of classes")
        }
        return output
    }

    static func refuseSharedMemory(
        _ parameters: [String: ParameterValue], _ what: String
    ) throws(InferenceFault) {
        guard parameters[sharedMemory] == nil else {
            throw InferenceFault(
                .unsupported, "\(what) is in shared memory, which this server has not: send the tensor's bytes")
        }
    }

    /// Reads an entry of a map of `InferParameter`.
    static func add(
        _ entry: UnsafeRawBufferPointer, to parameters: inout [String: ParameterValue], _ limits: RequestLimits
    ) throws(InferenceFault) {
        try room(parameters.count, "parameters", limits)
        var reader = WireReader(entry)
        var key = ""
        var value: ParameterValue?
        while let (number, payload) = try reader.next() {
            switch number {
            case 1: key = try payload.text("a parameter's name", longest: limits.nameBytes)
            case 2: value = try parameter(try payload.bytes("a parameter"), key, limits)
            default: break
            }
        }
        if let value { parameters[key] = value }
    }

    private static func parameter(
        _ bytes: UnsafeRawBufferPointer, _ key: String, _ limits: RequestLimits
    ) throws(InferenceFault) -> ParameterValue? {
        var reader = WireReader(bytes)
        var value: ParameterValue?
        typealias Fields = MessageFields.InferParameter
        while let (number, payload) = try reader.next() {
            switch (number, payload) {
            case (Fields.boolParam, .varint(let bits)): value = .bool(bits != 0)
            case (Fields.int64Param, .varint(let bits)): value = .int(Int64(bitPattern: bits))
            case (Fields.uint64Param, .varint(let bits)): value = .uint(bits)
            case (Fields.doubleParam, .fixed64(let bits)): value = .double(Double(bitPattern: bits))
            case (Fields.stringParam, .bytes):
                value = .string(try payload.text("parameter '\(key)'", longest: 64 * limits.nameBytes))
            case (Fields.boolParam...Fields.uint64Param, _):
                throw WireReader.malformed("parameter '\(key)' has another wire type")
            default: break
            }
        }
        return value
    }

    /// `priority` and `timeout` (in µs) are fields here.
    private static func takeReserved(_ request: inout InferenceRequest) throws(InferenceFault) {
        if let value = request.parameters.removeValue(forKey: "priority") {
            request.priority = try count(value, "priority")
        }
        if let value = request.parameters.removeValue(forKey: "timeout") {
            let microseconds = try count(value, "timeout")
            // 0: none. More than 31 years are none, too.
            if microseconds > 0, microseconds < 1 << 50 { request.timeout = .microseconds(Int64(microseconds)) }
        }
    }

    private static func count(_ value: ParameterValue, _ name: String) throws(InferenceFault) -> UInt64 {
        switch value {
        case .uint(let value): return value
        case .int(let value) where value >= 0: return UInt64(value)
        case .string(let text): if let value = UInt64(text) { return value }
        default: break
        }
        throw InferenceFault(.invalid, "parameter '\(name)' must be a whole number that is not negative")
    }
}

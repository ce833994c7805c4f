// SPDX-License-Identifier: Apache-2.0

/// The Open Inference Protocol's JSON, with the extension for binary tensors.
package enum InferJSON {
    /// An input as its JSON says it.
    private struct Input {
        var name: String?
        var type: TensorType?
        var typeName = ""
        var shape: [Int]?
        var binarySize: Int?
        /// Where `data` is, when it comes before what it is.
        var data: Int?
        var tensor: Tensor?
    }

    /// Reads a request.
    /// - Parameters:
    ///   - bytes: the body: JSON, and behind it the bytes of binary inputs.
    ///   - headerLength: bytes of the JSON (`Inference-Header-Content-Length`); nil: all; 0: the body is the data of
    ///     the model's only input.
    ///   - model: of the path.
    ///   - version: of the path.
    ///   - signature: needed for a body without JSON.
    ///   - limits: of one request.
    /// - Returns: the request; only its form is checked, not whether it fits the model.
    /// - Throws: `invalid`, `tooLarge`.
    package static func request(
        _ bytes: UnsafeRawBufferPointer, headerLength: Int? = nil, model: String, version: String? = nil,
        signature: ModelSignature? = nil, limits: RequestLimits
    ) throws(InferenceFault) -> InferenceRequest {
        if headerLength == 0 { return try rawRequest(bytes, model: model, version: version, signature: signature) }
        if let headerLength {
            guard headerLength > 0, headerLength <= bytes.count else {
                throw InferenceFault(
                    .invalid,
                    "Inference-Header-Content-Length has to be from 0 to \(bytes.count), the body's length, got \(headerLength)"
                )
            }
        }
        let json = UnsafeRawBufferPointer(rebasing: bytes[..<(headerLength ?? bytes.count)])
        var binary = BinaryTensors(
            bytes: UnsafeRawBufferPointer(rebasing: bytes[(headerLength ?? bytes.count)...]), model: model)
        var scanner = try JSONScanner(json, limits: limits)
        var request = InferenceRequest(model: model, version: version, inputs: [])
        var hasInputs = false
        try scanner.members("the request") { scanner, key throws(InferenceFault) in
            if scanner.equals(key, "inputs") {
                guard !hasInputs else { throw scanner.fault("inputs are given twice") }
                hasInputs = true
                try scanner.elements("inputs") { scanner throws(InferenceFault) in
                    guard request.inputs.count < limits.inputs else {
                        throw InferenceFault(.tooLarge, "a request may have \(limits.inputs) inputs, this one has more")
                    }
                    request.inputs.append(try input(&scanner, &binary))
                }
            } else if scanner.equals(key, "outputs") {
                request.outputs = []
                try scanner.elements("outputs") { scanner throws(InferenceFault) in
                    guard request.outputs.count < limits.inputs else {
                        throw InferenceFault(
                            .tooLarge, "a request may ask for \(limits.inputs) outputs, this one has more")
                    }
                    request.outputs.append(try output(&scanner))
                }
            } else if scanner.equals(key, "id") {
                request.id = try scanner.string(try scanner.text())
            } else if scanner.equals(key, "parameters") {
                try readParameters(&scanner, into: &request)
            } else {
                try scanner.skip()
            }
        }
        try scanner.finish()
        guard hasInputs else {
            throw InferenceFault(
                .invalid,
                "the request has no inputs: expected {\"inputs\": [{\"name\", \"shape\", \"datatype\", \"data\"}]}")
        }
        try binary.finish()
        return request
    }

    private static func readParameters(
        _ scanner: inout JSONScanner, into request: inout InferenceRequest
    ) throws(InferenceFault) {
        try scanner.members("parameters") { scanner, key throws(InferenceFault) in
            if scanner.equals(key, "binary_data_output") {
                request.form = try scanner.boolean() == 1 ? .binary : .json
            } else if scanner.equals(key, "priority") {
                request.priority = try scanner.integer(UInt64.self)
            } else if scanner.equals(key, "timeout") {
                let microseconds = try scanner.integer(Int64.self)
                request.timeout = microseconds > 0 ? .microseconds(microseconds) : nil
            } else {
                let name = try scanner.string(key)
                guard let value = try parameter(&scanner) else { return }
                guard request.parameters.count < scanner.limits.inputs else {
                    throw InferenceFault(
                        .tooLarge, "a request may have \(scanner.limits.inputs) parameters, this one has more")
                }
                request.parameters[name] = value
            }
        }
    }

    /// Nil for null.
    private static func parameter(_ scanner: inout JSONScanner) throws(InferenceFault) -> ParameterValue? {
        switch scanner.peek() {
        case UInt8(ascii: "\""): return .string(try scanner.string(try scanner.text()))
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try scanner.boolean() == 1)
        case UInt8(ascii: "n"):
            try scanner.literal("null")
            return nil
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            throw scanner.fault("a parameter has to be a text, a number or a boolean")
        default:
            let start = scanner.index
            let number = try scanner.number()
            let text = UnsafeBufferPointer(start: scanner.base + number.start, count: number.end - number.start)
            if let integer = Int64(String(decoding: text, as: UTF8.self)) { return .int(integer) }
            if let integer = UInt64(String(decoding: text, as: UTF8.self)) { return .uint(integer) }
            scanner.index = start
            return .double(try scanner.floating(Double.self))
        }
    }

    // MARK: Inputs

    private static func input(
        _ scanner: inout JSONScanner, _ binary: inout BinaryTensors
    ) throws(InferenceFault) -> Tensor {
        var input = Input()
        try scanner.members("an input") { scanner, key throws(InferenceFault) in
            if scanner.equals(key, "name") {
                guard input.name == nil else { throw scanner.fault("an input has two names") }
                input.name = try scanner.string(try scanner.text())
            } else if scanner.equals(key, "datatype") {
                guard input.type == nil, input.typeName.isEmpty else {
                    throw scanner.fault("an input has two datatypes")
                }
                let text = try scanner.text()
                input.type = type(text, scanner)
                if input.type == nil { input.typeName = try scanner.string(text) }
            } else if scanner.equals(key, "shape") {
                guard input.shape == nil else { throw scanner.fault("an input has two shapes") }
                input.shape = try shape(&scanner)
            } else if scanner.equals(key, "parameters") {
                try scanner.members("parameters of an input") { scanner, key throws(InferenceFault) in
                    if scanner.equals(key, "binary_data_size") {
                        input.binarySize = try scanner.integer(Int.self)
                    } else if scanner.equals(key, "shared_memory_region") {
                        throw InferenceFault(.unsupported, "shared memory is not served: send the tensor's data")
                    } else {
                        try scanner.skip()
                    }
                }
            } else if scanner.equals(key, "data") {
                guard input.data == nil else { throw scanner.fault("an input has data twice") }
                _ = scanner.peek()
                input.data = scanner.index
                if let name = input.name, let type = input.type, let shape = input.shape {
                    let count = try count(name, shape, scanner.limits)
                    input.tensor = try scanner.tensor(name, type, shape, count: count)
                } else {
                    try scanner.skip()
                }
            } else {
                try scanner.skip()
            }
        }
        return try tensor(input, &scanner, &binary)
    }

    private static func tensor(
        _ input: Input, _ scanner: inout JSONScanner, _ binary: inout BinaryTensors
    ) throws(InferenceFault) -> Tensor {
        guard let name = input.name else { throw scanner.fault("an input has no name") }
        guard let type = input.type else {
            throw InferenceFault(
                .invalid,
                input.typeName.isEmpty
                    ? "input '\(name)' has no datatype: give one as FP32"
                    : "invalid datatype '\(input.typeName)' for input '\(name)': expected one of \(TensorType.allCases.map(\.name).joined(separator: ", "))"
            )
        }
        guard let shape = input.shape else { throw InferenceFault(.invalid, "input '\(name)' has no shape") }
        if let size = input.binarySize {
            guard input.data == nil else {
                throw InferenceFault(.invalid, "input '\(name)' has both data and binary_data_size: give one of them")
            }
            return try binary.next(name, type, shape, count: try count(name, shape, scanner.limits), size: size)
        }
        if let tensor = input.tensor { return tensor }
        guard let data = input.data else {
            throw InferenceFault(.invalid, "input '\(name)' has no data: give data, or binary_data_size and bytes")
        }
        let after = scanner.index
        scanner.index = data
        defer { scanner.index = after }
        return try scanner.tensor(name, type, shape, count: try count(name, shape, scanner.limits))
    }

    private static func count(_ name: String, _ shape: [Int], _ limits: RequestLimits) throws(InferenceFault) -> Int {
        guard let count = Tensor.elementCount(of: shape, limit: limits.elements) else {
            throw InferenceFault(
                .tooLarge,
                "input '\(name)' has the shape \(JSONScanner.text(shape)): a tensor may have \(limits.elements) elements"
            )
        }
        return count
    }

    private static func type(_ text: JSONScanner.Text, _ scanner: JSONScanner) -> TensorType? {
        if scanner.equals(text, "FP32") { return .fp32 }
        guard text.end - text.start <= 6, !text.hasEscapes else { return nil }
        return TensorType(
            name: String(
                decoding: UnsafeBufferPointer(start: scanner.base + text.start, count: text.end - text.start),
                as: UTF8.self))
    }

    private static func shape(_ scanner: inout JSONScanner) throws(InferenceFault) -> [Int] {
        var shape: [Int] = []
        try scanner.elements("shape") { scanner throws(InferenceFault) in
            guard shape.count < scanner.limits.depth else {
                throw scanner.fault("a shape may have \(scanner.limits.depth) axes")
            }
            let axis = try scanner.integer(Int.self)
            guard axis >= 0 else { throw scanner.fault("a shape has the axis \(axis), which is negative") }
            shape.append(axis)
        }
        return shape
    }

    // MARK: Outputs

    private static func output(_ scanner: inout JSONScanner) throws(InferenceFault) -> RequestedOutput {
        var name: String?
        var output = RequestedOutput(name: "")
        try scanner.members("an output") { scanner, key throws(InferenceFault) in
            if scanner.equals(key, "name") {
                name = try scanner.string(try scanner.text())
            } else if scanner.equals(key, "parameters") {
                try scanner.members("parameters of an output") { scanner, key throws(InferenceFault) in
                    if scanner.equals(key, "binary_data") {
                        output.isBinary = try scanner.boolean() == 1
                    } else if scanner.equals(key, "classification") {
                        output.classes = try scanner.integer(Int.self)
                        guard output.classes >= 0, output.classes <= scanner.limits.elements else {
                            throw scanner.fault("classification has to be a number of classes, got \(output.classes)")
                        }
                    } else if scanner.equals(key, "shared_memory_region") {
                        throw InferenceFault(
                            .unsupported, "shared memory is not served: take the output from the answer")
                    } else {
                        try scanner.skip()
                    }
                }
            } else {
                try scanner.skip()
            }
        }
        guard let name else { throw scanner.fault("an output has no name") }
        output.name = name
        return output
    }
}

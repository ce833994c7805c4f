// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import NIOCore

/// KServe's V1 protocol: rows under `instances`, or columns under `inputs`.
package enum PredictJSON {
    /// Reads a request.
    /// - Parameters:
    ///   - bytes: the body.
    ///   - model: of the path.
    ///   - signature: says names and types of the inputs.
    ///   - limits: of one request.
    /// - Returns: the request, with tensors of the signature's types.
    /// - Throws: `invalid`, `tooLarge`.
    package static func request(
        _ bytes: UnsafeRawBufferPointer, model: String, signature: ModelSignature, limits: RequestLimits
    ) throws(InferenceFault) -> InferenceRequest {
        var scanner = try JSONScanner(bytes, limits: limits)
        var request: InferenceRequest?
        try scanner.members("the request") { scanner, key throws(InferenceFault) in
            let isRows = scanner.equals(key, "instances")
            guard isRows || scanner.equals(key, "inputs") else { return try scanner.skip() }
            guard request == nil else { throw scanner.fault("instances or inputs are given twice") }
            request = try inputs(&scanner, isRows: isRows, model: model, signature)
        }
        try scanner.finish()
        guard let request else {
            throw InferenceFault(.invalid, "the request has no instances: expected {\"instances\": [row, …]}")
        }
        return request
    }

    private static func inputs(
        _ scanner: inout JSONScanner, isRows: Bool, model: String, _ signature: ModelSignature
    ) throws(InferenceFault) -> InferenceRequest {
        var request = InferenceRequest(model: model, version: nil, inputs: [])
        request.form = .predictions(ofObjects: false)
        let first = scanner.peek()
        if first == UInt8(ascii: "{") {
            guard !isRows else { throw scanner.fault("instances has to be an array") }
            request.inputs = try columns(&scanner, signature)
            return request
        }
        guard first == UInt8(ascii: "[") else { throw scanner.fault("instances has to be an array") }
        if isRows, try firstElementIsObject(scanner) {
            request.form = .predictions(ofObjects: true)
            request.inputs = try objects(&scanner, signature)
            return request
        }
        let needed = signature.inputs.filter { !$0.isOptional }
        guard needed.count == 1 || (needed.isEmpty && signature.inputs.count == 1),
            let spec = needed.first ?? signature.inputs.first
        else {
            throw InferenceFault(
                .invalid,
                "model '\(model)' has \(signature.inputs.count) inputs: give each instance as an object of \(signature.inputs.map(\.name).joined(separator: ", "))"
            )
        }
        request.inputs = [try tensor(&scanner, spec)]
        return request
    }

    private static func firstElementIsObject(_ scanner: JSONScanner) throws(InferenceFault) -> Bool {
        var ahead = scanner
        ahead.index += 1
        return ahead.peek() == UInt8(ascii: "{")
    }

    /// A tensor whose shape is that of its arrays.
    private static func tensor(_ scanner: inout JSONScanner, _ spec: TensorSpec) throws(InferenceFault) -> Tensor {
        let shape = try scanner.shapeAhead(deepest: deepest(spec, scanner))
        guard let count = Tensor.elementCount(of: shape, limit: scanner.limits.elements) else {
            throw InferenceFault(.tooLarge, "input '\(spec.name)' has more than \(scanner.limits.elements) elements")
        }
        var tensor = try scanner.tensor(spec.name, spec.type, shape, count: count, nesting: .shape(shape))
        tensor.shape = fitted(shape, to: spec)
        return tensor
    }

    private static func deepest(_ spec: TensorSpec, _ scanner: JSONScanner) -> Int {
        // A model may not know its axes.
        spec.shape.isEmpty ? min(8, scanner.limits.depth) : min(spec.shape.count, scanner.limits.depth)
    }

    /// Rows of one element may be given without their arrays.
    private static func fitted(_ shape: [Int], to spec: TensorSpec) -> [Int] {
        guard shape.count + 1 == spec.shape.count, let last = spec.shape.last, last == 1 || last == -1 else {
            return shape
        }
        return shape + [1]
    }

    private static func columns(
        _ scanner: inout JSONScanner, _ signature: ModelSignature
    ) throws(InferenceFault) -> [Tensor] {
        var inputs: [Tensor] = []
        try scanner.members("inputs") { scanner, key throws(InferenceFault) in
            let spec = try spec(try scanner.string(key), signature)
            guard !inputs.contains(where: { $0.name == spec.name }) else {
                throw scanner.fault("input '\(spec.name)' is given twice")
            }
            inputs.append(try tensor(&scanner, spec))
        }
        return inputs
    }

    private static func spec(_ name: String, _ signature: ModelSignature) throws(InferenceFault) -> TensorSpec {
        guard let spec = signature.inputs.first(where: { $0.name == name }) else {
            throw InferenceFault(
                .invalid,
                "unexpected inference input '\(name.prefix(200))': the model has \(signature.inputs.map(\.name).joined(separator: ", "))"
            )
        }
        return spec
    }

    /// Each row that is an object takes memory of its own, many times its text.
    private static let mostObjects = 100_000

    /// Rows as objects: each input's values become one tensor.
    private static func objects(
        _ scanner: inout JSONScanner, _ signature: ModelSignature
    ) throws(InferenceFault) -> [Tensor] {
        var parts: [String: [Tensor]] = [:]
        var rows = 0
        try scanner.elements("instances") { scanner throws(InferenceFault) in
            rows += 1
            guard rows <= mostObjects else {
                throw InferenceFault(
                    .tooLarge,
                    "\(mostObjects) instances may be objects: send more as columns, {\"inputs\": {\"NAME\": [value, …]}}"
                )
            }
            try scanner.members("an instance") { scanner, key throws(InferenceFault) in
                let spec = try spec(try scanner.string(key), signature)
                guard parts[spec.name, default: []].count == rows - 1 else {
                    throw scanner.fault(
                        "instance \(rows - 1) has '\(spec.name)' twice, or one before it does not have it")
                }
                parts[spec.name, default: []].append(try element(&scanner, spec))
            }
        }
        var inputs: [Tensor] = []
        for spec in signature.inputs {
            guard let rowParts = parts[spec.name], let first = rowParts.first else { continue }
            guard rowParts.count == rows else {
                throw InferenceFault(
                    .invalid, "\(rows - rowParts.count) of \(rows) instances do not have '\(spec.name)'")
            }
            guard rowParts.allSatisfy({ $0.shape == first.shape }) else {
                throw InferenceFault(.invalid, "the instances' values of '\(spec.name)' have different shapes")
            }
            var whole = Tensor.joined(rowParts)
            whole.shape = fitted([rows] + first.shape.dropFirst(), to: spec)
            inputs.append(whole)
        }
        return inputs
    }

    /// One row of an input, as a tensor whose first axis is 1.
    private static func element(_ scanner: inout JSONScanner, _ spec: TensorSpec) throws(InferenceFault) -> Tensor {
        if scanner.peek() == UInt8(ascii: "[") {
            let shape = try scanner.shapeAhead(deepest: deepest(spec, scanner))
            guard let count = Tensor.elementCount(of: shape, limit: scanner.limits.elements) else {
                throw InferenceFault(
                    .tooLarge, "input '\(spec.name)' has more than \(scanner.limits.elements) elements")
            }
            var tensor = try scanner.tensor(spec.name, spec.type, shape, count: count, nesting: .shape(shape))
            tensor.shape = [1] + shape
            return tensor
        }
        return try scanner.scalar(spec.name, spec.type)
    }

    // MARK: Answers

    /// Writes an answer: `{"predictions": …}`. With one output its rows; with several an object a row where all have as
    /// many rows, else one object of arrays.
    /// - Parameters:
    ///   - response: the answer.
    ///   - request: what was asked; its inputs are not looked at.
    ///   - buffer: is appended to.
    /// - Throws: `invalid` for texts that are no UTF-8.
    package static func write(
        _ response: borrowing InferenceResponse, for request: borrowing InferenceRequest,
        into buffer: inout ByteBuffer
    ) throws(InferenceFault) {
        var json = JSONText(buffer)
        buffer = ByteBuffer()
        defer { buffer = json.buffer }
        json.raw("{\"predictions\":")
        let outputs = response.outputs
        if outputs.count == 1, let output = outputs.first {
            try json.nested(output)
        } else if let rows = outputs.first?.shape.first, outputs.allSatisfy({ $0.shape.first == rows }) {
            json.raw("[")
            for row in 0..<rows {
                if row > 0 { json.raw(",") }
                try write(outputs, row: row, &json)
            }
            json.raw("]")
        } else {
            try write(outputs, row: nil, &json)
        }
        json.raw("}")
    }

    private static func write(_ outputs: [Tensor], row: Int?, _ json: inout JSONText) throws(InferenceFault) {
        json.raw("{")
        for index in outputs.indices {
            if index > 0 { json.raw(",") }
            json.string(outputs[index].name)
            json.raw(":")
            if let row { try json.nested(outputs[index], row: row) } else { try json.nested(outputs[index]) }
        }
        json.raw("}")
    }
}

extension JSONScanner {
    /// One element without an array, as a tensor of one row.
    mutating func scalar(_ name: String, _ type: TensorType) throws(InferenceFault) -> Tensor {
        let start = index
        if type == .bytes {
            var bytes: [UInt8] = []
            try appendBytes(of: try text(), to: &bytes)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw fault("a string of input '\(name)' is not UTF-8")
            }
            return Tensor(name: name, type: .bytes, shape: [1], content: .strings(StringTensor([text])))
        }
        try skip()
        // The array that it would be the only element of.
        var copy: [UInt8] = [UInt8(ascii: "[")]
        copy.append(contentsOf: UnsafeBufferPointer(start: base + start, count: index - start))
        copy.append(UInt8(ascii: "]"))
        let limits = limits
        return try copy.withUnsafeBytes { bytes -> Result<Tensor, InferenceFault> in
            do throws(InferenceFault) {
                var scanner = try JSONScanner(bytes, limits: limits)
                return .success(try scanner.tensor(name, type, [1], count: 1))
            } catch {
                return .failure(error)
            }
        }.get()
    }
}

extension JSONText {
    /// A tensor as arrays in arrays.
    mutating func nested(_ tensor: Tensor) throws(InferenceFault) {
        try nested(tensor, axis: 0, 0..<tensor.elementCount)
    }

    /// One row of a tensor as arrays in arrays.
    mutating func nested(_ tensor: Tensor, row: Int) throws(InferenceFault) {
        let size = tensor.shape.dropFirst().reduce(1, *)
        try nested(tensor, axis: 1, row * size..<(row + 1) * size)
    }

    private mutating func nested(_ tensor: Tensor, axis: Int, _ range: Range<Int>) throws(InferenceFault) {
        guard axis < tensor.shape.count else { return try elements(tensor, range) }
        raw("[")
        if axis == tensor.shape.count - 1 {
            try elements(tensor, range)
        } else {
            let rows = tensor.shape[axis]
            let size = rows > 0 ? range.count / rows : 0
            for row in 0..<rows {
                if row > 0 { raw(",") }
                let start = range.lowerBound + row * size
                try nested(tensor, axis: axis + 1, start..<start + size)
            }
        }
        raw("]")
    }
}

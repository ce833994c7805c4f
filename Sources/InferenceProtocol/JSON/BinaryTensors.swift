// SPDX-License-Identifier: Apache-2.0

/// The bytes behind a request's JSON, one binary input after the other.
struct BinaryTensors {
    let bytes: UnsafeRawBufferPointer
    let model: String
    private var offset = 0

    init(bytes: UnsafeRawBufferPointer, model: String) {
        self.bytes = bytes
        self.model = model
    }

    /// The next input, whose size its JSON says.
    mutating func next(
        _ name: String, _ type: TensorType, _ shape: [Int], count: Int, size: Int
    ) throws(InferenceFault) -> Tensor {
        guard size >= 0 else {
            throw InferenceFault(.invalid, "binary_data_size of input '\(name)' is \(size), which is negative")
        }
        guard size <= bytes.count - offset else {
            throw InferenceFault(
                .invalid,
                "unexpected size for input '\(name)', expecting \(size - (bytes.count - offset)) additional bytes for model '\(model)' behind the JSON, whose length Inference-Header-Content-Length has to say"
            )
        }
        let part = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size])
        offset += size
        return try Self.tensor(part, name, type, shape, count: count, model: model)
    }

    /// All bytes have to be some input's.
    func finish() throws(InferenceFault) {
        guard offset == bytes.count else {
            throw InferenceFault(
                .invalid,
                "unexpected additional input data for model '\(model)': \(bytes.count - offset) bytes belong to no input"
            )
        }
    }

    /// A tensor of its little-endian elements; of BYTES each with its length (uint32) before it.
    static func tensor(
        _ bytes: UnsafeRawBufferPointer, _ name: String, _ type: TensorType, _ shape: [Int], count: Int, model: String
    ) throws(InferenceFault) -> Tensor {
        if let size = type.byteCount {
            guard bytes.count == count * size else {
                throw InferenceFault(
                    .invalid,
                    "input byte size mismatch for input '\(name)' for model '\(model)'. Expected \(count * size), got \(bytes.count)"
                )
            }
            return Tensor(name: name, type: type, shape: shape, storage: TensorStorage(copying: bytes))
        }
        return try strings(bytes, name, shape, count: count, model: model)
    }

    private static func strings(
        _ bytes: UnsafeRawBufferPointer, _ name: String, _ shape: [Int], count: Int, model: String
    ) throws(InferenceFault) -> Tensor {
        guard count <= bytes.count / 4 else {
            throw InferenceFault(
                .invalid,
                "expected \(count) string elements for inference input '\(name)' for model '\(model)', got \(bytes.count) bytes, too few for their lengths"
            )
        }
        let storage = TensorStorage(byteCount: bytes.count - 4 * count)
        var ends: [Int] = []
        ends.reserveCapacity(count)
        var offset = 0
        var end = 0
        while offset < bytes.count, ends.count < count {
            guard bytes.count - offset >= 4 else { break }
            let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            offset += 4
            guard length <= bytes.count - offset, length <= storage.byteCount - end else { break }
            UnsafeMutableRawBufferPointer(rebasing: storage.bytes[end..<end + length]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
            offset += length
            end += length
            ends.append(end)
        }
        guard offset == bytes.count, ends.count == count else {
            throw InferenceFault(
                .invalid,
                "expected \(count) string elements for inference input '\(name)' for model '\(model)', got \(ends.count) whole ones in \(bytes.count) bytes: each is its length as uint32 and its bytes"
            )
        }
        return Tensor(
            name: name, type: .bytes, shape: shape, content: .strings(StringTensor(storage: storage, ends: ends)))
    }
}

extension InferJSON {
    /// A request whose body is the data of the only input, without any JSON.
    static func rawRequest(
        _ bytes: UnsafeRawBufferPointer, model: String, version: String?, signature: ModelSignature?
    ) throws(InferenceFault) -> InferenceRequest {
        guard let signature, signature.inputs.count == 1, let spec = signature.inputs.first else {
            throw InferenceFault(
                .invalid,
                "a body without JSON (Inference-Header-Content-Length: 0) is only for models with one input, '\(model)' has \(signature?.inputs.count ?? 0)"
            )
        }
        var request = InferenceRequest(model: model, version: version, inputs: [])
        request.form = .binary
        var shape = spec.shape
        if signature.maximumBatch > 0, !shape.isEmpty { shape[0] = 1 }
        if spec.type == .bytes {
            let storage = TensorStorage(copying: bytes)
            let strings = StringTensor(storage: storage, ends: [bytes.count])
            request.inputs = [
                Tensor(
                    name: spec.name, type: .bytes, shape: shape.map { $0 < 0 ? 1 : $0 }, content: .strings(strings))
            ]
            return request
        }
        let size = spec.type.byteCount ?? 1
        let unknown = shape.indices.filter { shape[$0] < 0 }
        let known = shape.filter { $0 >= 0 }.reduce(1, *)
        guard unknown.count <= 1 else {
            throw InferenceFault(
                .invalid,
                "a body without JSON does not tell the shape of input '\(spec.name)': \(JSONScanner.text(shape))")
        }
        if let axis = unknown.first, known > 0 { shape[axis] = bytes.count / size / known }
        request.inputs = [
            try BinaryTensors.tensor(
                bytes, spec.name, spec.type, shape, count: shape.reduce(1, *), model: model)
        ]
        return request
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import CONNXRuntime
internal import InferenceProtocol

/// A value of ONNX Runtime, released with the last that uses it; its session stays until then.
///
/// Sendable although it holds a pointer: outputs are only read, and released once.
final class ONNXValue: @unchecked Sendable {
    let session: ONNXSession
    let pointer: OrtPointer

    init(_ session: ONNXSession, _ pointer: OrtPointer) {
        self.session = session
        self.pointer = pointer
    }

    deinit { if LibraryLifetime.isRunning { OrtReleaseValue(session.library.api, pointer) } }
}

/// Tensors to values and back.
enum ONNXValues {
    /// Elements of one output; what is larger was made by a model that is broken or hostile.
    private static let elementLimit = 1 << 40

    static func type(_ element: Int32) -> TensorType? { TensorType.allCases.first { $0.onnx == element } }

    static func shape(
        _ library: ONNXLibrary, _ info: OrtPointer?
    ) throws(InferenceFault) -> (element: Int32, shape: [Int]) {
        let api = library.api
        var element: Int32 = 0
        var rank = 0
        try library.check(OrtGetTensorElementType(api, info, &element), "reading a type")
        try library.check(OrtGetDimensionsCount(api, info, &rank), "reading a shape")
        guard (0...256).contains(rank) else { throw InferenceFault(.runtime, "a tensor has \(rank) axes") }
        var shape = [Int64](repeating: 0, count: rank)
        try library.check(OrtGetDimensions(api, info, &shape, rank), "reading a shape")
        return (element, shape.map { $0 < 0 ? -1 : Int($0) })
    }

    /// A value over a tensor's memory: it lasts only as long as `body`'s bytes do. Strings are copied.
    static func make(
        _ library: ONNXLibrary, _ tensor: borrowing Tensor, _ value: inout OrtPointer?
    ) throws(InferenceFault) {
        let api = library.api
        let rank = tensor.shape.count
        let name = tensor.name
        switch tensor.content {
        case .memory(let storage, let range):
            let element = tensor.type.onnx
            let start = storage.bytes.baseAddress.map { $0 + range.lowerBound }
            let status = withUnsafeTemporaryAllocation(of: Int64.self, capacity: max(rank, 1)) { shape in
                for axis in 0..<rank { shape[axis] = Int64(tensor.shape[axis]) }
                return OrtCreateTensorWithDataAsOrtValue(
                    api, library.memory, start, range.count, shape.baseAddress, rank, element, &value)
            }
            try library.check(status, "input '\(name)'")
        case .strings(let strings):
            let status = withUnsafeTemporaryAllocation(of: Int64.self, capacity: max(rank, 1)) { shape in
                for axis in 0..<rank { shape[axis] = Int64(tensor.shape[axis]) }
                return OrtCreateTensorAsOrtValue(
                    api, library.allocator, shape.baseAddress, rank, TensorType.bytes.onnx, &value)
            }
            try library.check(status, "input '\(name)'")
            var start = 0
            for (index, end) in strings.ends.enumerated() {
                var target: UnsafeMutablePointer<CChar>? = nil
                try library.check(
                    OrtGetResizedStringTensorElementBuffer(api, value, index, end - start, &target), "input '\(name)'")
                if end > start, let target, let source = strings.storage.bytes.baseAddress {
                    UnsafeMutableRawPointer(target).copyMemory(from: source + start, byteCount: end - start)
                }
                start = end
            }
        }
    }

    /// The tensor that a value is. Numbers are not copied.
    static func tensor(
        _ session: ONNXSession, _ pointer: OrtPointer, name: String, kind: ONNXKind
    ) throws(InferenceFault) -> Tensor {
        let value = ONNXValue(session, pointer)
        return switch kind {
        case .tensor: try plain(value, name: name)
        case .zipMap: try rows(value, name: name)
        }
    }

    private static func plain(_ value: ONNXValue, name: String) throws(InferenceFault) -> Tensor {
        let library = value.session.library
        let api = library.api
        var info: OrtPointer? = nil
        try library.check(OrtGetTensorTypeAndShape(api, value.pointer, &info), "output '\(name)'")
        defer { OrtReleaseTensorTypeAndShapeInfo(api, info) }
        let (element, shape) = try Self.shape(library, info)
        guard let type = type(element) else {
            throw InferenceFault(
                .unsupported,
                "output '\(name)' has elements of ONNX's type \(element), which the protocol does not have")
        }
        guard let count = Tensor.elementCount(of: shape, limit: elementLimit) else {
            throw InferenceFault(.runtime, "output '\(name)' has the shape \(shape)")
        }
        guard let width = type.byteCount else {
            return Tensor(
                name: name, type: type, shape: shape, content: .strings(try strings(value, count: count, name: name)))
        }
        var data: UnsafeMutableRawPointer? = nil
        try library.check(OrtGetTensorMutableData(api, value.pointer, &data), "output '\(name)'")
        let bytes = count * width
        guard bytes > 0, let data else {
            return Tensor(
                name: name, type: type, shape: shape, content: .memory(TensorStorage(byteCount: 0), 0..<0))
        }
        let storage = TensorStorage(adopting: data, byteCount: bytes) { _ = value }
        return Tensor(name: name, type: type, shape: shape, content: .memory(storage, 0..<bytes))
    }

    private static func strings(_ value: ONNXValue, count: Int, name: String) throws(InferenceFault) -> StringTensor {
        let library = value.session.library
        let api = library.api
        var total = 0
        try library.check(OrtGetStringTensorDataLength(api, value.pointer, &total), "output '\(name)'")
        let storage = TensorStorage(byteCount: total)
        var starts = [Int](repeating: 0, count: count)
        if count > 0 {
            try library.check(
                OrtGetStringTensorContent(api, value.pointer, storage.bytes.baseAddress, total, &starts, count),
                "output '\(name)'")
        }
        return StringTensor(storage: storage, ends: count > 0 ? starts.dropFirst() + [total] : [])
    }

    /// Rows × classes of a sequence of maps, the classes in the order of their keys.
    private static func rows(_ value: ONNXValue, name: String) throws(InferenceFault) -> Tensor {
        let library = value.session.library
        let api = library.api
        var count = 0
        try library.check(OrtGetValueCount(api, value.pointer, &count), "output '\(name)'")
        var parts: [(type: TensorType, count: Int, value: ONNXValue, bytes: UnsafeRawBufferPointer)] = []
        parts.reserveCapacity(count)
        for index in 0..<count {
            var map: OrtPointer? = nil
            try library.check(
                OrtGetValue(api, value.pointer, Int32(clamping: index), library.allocator, &map), "output '\(name)'")
            guard let map else { throw InferenceFault(.runtime, "output '\(name)': row \(index) is not there") }
            let row = ONNXValue(value.session, map)
            var numbers: OrtPointer? = nil
            try library.check(OrtGetValue(api, row.pointer, 1, library.allocator, &numbers), "output '\(name)'")
            guard let numbers else { throw InferenceFault(.runtime, "output '\(name)': row \(index) has no values") }
            let part = ONNXValue(value.session, numbers)
            let tensor = try plain(part, name: name)
            guard case .memory(let storage, let range) = tensor.content else {
                throw InferenceFault(
                    .unsupported, "output '\(name)' is a map to texts, which the protocol does not have")
            }
            parts.append(
                (tensor.type, tensor.shape.reduce(1, *), part, UnsafeRawBufferPointer(rebasing: storage.bytes[range])))
            guard parts[0].count == parts[index].count, parts[0].type == parts[index].type else {
                throw InferenceFault(
                    .runtime,
                    "output '\(name)': row \(index) has \(parts[index].count) classes, the first has \(parts[0].count)")
            }
        }
        guard let first = parts.first else {
            return Tensor(name: name, type: .fp32, shape: [0, 0], content: .memory(TensorStorage(byteCount: 0), 0..<0))
        }
        let width = first.bytes.count
        let storage = TensorStorage(byteCount: width * count)
        for (index, part) in parts.enumerated() {
            UnsafeMutableRawBufferPointer(rebasing: storage.bytes[index * width..<(index + 1) * width])
                .copyMemory(from: part.bytes)
            withExtendedLifetime(part.value) {}
        }
        return Tensor(
            name: name, type: first.type, shape: [count, first.count], content: .memory(storage, 0..<width * count))
    }
}

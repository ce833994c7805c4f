// SPDX-License-Identifier: Apache-2.0

/// Elements of the type BYTES, one behind the other.
package struct StringTensor: Sendable {
    package let storage: TensorStorage
    /// Where each element ends in the storage, ascending.
    package let ends: [Int]
    /// Where the first element begins in the storage.
    package let start: Int

    package init(storage: TensorStorage, ends: [Int], start: Int = 0) {
        self.storage = storage
        self.ends = ends
        self.start = start
    }

    package init(_ elements: [String]) {
        let bytes = elements.flatMap(\.utf8)
        var end = 0
        storage = bytes.withUnsafeBytes { TensorStorage(copying: $0) }
        ends = elements.map {
            end += $0.utf8.count
            return end
        }
        start = 0
    }

    package var count: Int { ends.count }

    /// The bytes of an element, valid for as long as the storage lives.
    package subscript(index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage.bytes[(index == 0 ? start : ends[index - 1])..<ends[index]])
    }

    /// Some of the elements, without a copy of their bytes.
    package func elements(_ range: Range<Int>) -> StringTensor {
        StringTensor(
            storage: storage, ends: Array(ends[range]),
            start: range.lowerBound == 0 ? start : ends[range.lowerBound - 1])
    }

    /// Bytes of all elements together.
    package var byteCount: Int { (ends.last ?? start) - start }
}

/// A named tensor, row-major.
package struct Tensor: Sendable {
    package enum Content: Sendable {
        case memory(TensorStorage, Range<Int>)
        case strings(StringTensor)
    }

    package var name: String
    package var type: TensorType
    package var shape: [Int]
    package var content: Content

    package init(name: String, type: TensorType, shape: [Int], content: Content) {
        self.name = name
        self.type = type
        self.shape = shape
        self.content = content
    }

    package init(name: String, type: TensorType, shape: [Int], storage: TensorStorage) {
        self.init(name: name, type: type, shape: shape, content: .memory(storage, 0..<storage.byteCount))
    }

    package var elementCount: Int { shape.reduce(1, *) }

    /// Bytes of its elements; for BYTES without their lengths.
    package var byteCount: Int {
        switch content {
        case .memory(_, let range): range.count
        case .strings(let strings): strings.byteCount
        }
    }

    /// Its elements' bytes; for BYTES all texts one behind the other.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        switch content {
        case .memory(let storage, let range):
            try withExtendedLifetime(storage) {
                try body(UnsafeRawBufferPointer(rebasing: storage.bytes[range]))
            }
        case .strings(let strings):
            try withExtendedLifetime(strings.storage) {
                try body(
                    UnsafeRawBufferPointer(
                        rebasing: strings.storage.bytes[strings.start..<(strings.ends.last ?? strings.start)]))
            }
        }
    }

    /// The rows of a range along the first axis, without a copy. The range has to lie in the first axis.
    package func rows(_ range: Range<Int>) -> Tensor {
        var part = self
        part.shape[0] = range.count
        let elements = shape.dropFirst().reduce(1, *)
        switch content {
        case .memory(let storage, let all):
            let size = elements * (type.byteCount ?? 1)
            let start = all.lowerBound + range.lowerBound * size
            part.content = .memory(storage, start..<start + range.count * size)
        case .strings(let strings):
            part.content = .strings(
                strings.elements(range.lowerBound * elements..<range.upperBound * elements))
        }
        return part
    }

    /// Several tensors as one along the first axis, with one copy. All have the first one's name, type and other axes.
    package static func joined(_ parts: [Tensor]) -> Tensor {
        guard var whole = parts.first, parts.count > 1 else {
            return parts.first ?? Tensor(name: "", type: .bool, shape: [0], storage: TensorStorage(byteCount: 0))
        }
        whole.shape[0] = parts.reduce(0) { $0 + $1.shape[0] }
        let storage = TensorStorage(byteCount: parts.reduce(0) { $0 + $1.byteCount })
        var offset = 0
        var ends: [Int] = []
        for part in parts {
            if case .strings(let strings) = part.content {
                ends.append(contentsOf: strings.ends.map { $0 - strings.start + offset })
            }
            part.withBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: storage.bytes[offset...]).copyMemory(from: bytes)
                offset += bytes.count
            }
        }
        whole.content =
            whole.type == .bytes
            ? .strings(StringTensor(storage: storage, ends: ends)) : .memory(storage, 0..<storage.byteCount)
        return whole
    }

    /// How many elements a shape has; nil where one of its axes is negative or the product has no end.
    package static func elementCount(of shape: [Int], limit: Int) -> Int? {
        var count = 1
        var isEmpty = false
        for axis in shape {
            guard axis >= 0 else { return nil }
            if axis == 0 {
                isEmpty = true
                continue
            }
            let (product, overflows) = count.multipliedReportingOverflow(by: axis)
            guard !overflows, product <= limit else { return nil }
            count = product
        }
        return isEmpty ? 0 : count
    }
}

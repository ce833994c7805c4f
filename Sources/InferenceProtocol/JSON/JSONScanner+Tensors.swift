// SPDX-License-Identifier: Apache-2.0

extension JSONScanner {
    /// How nested arrays have to be.
    enum Nesting {
        /// Flat or nested, as long as the number of elements is right.
        case any
        /// Exactly the shape.
        case shape([Int])
    }

    /// The elements of a tensor that come next, flat or nested, straight into its memory.
    /// - Parameters:
    ///   - name: of the input.
    ///   - type: of its elements.
    ///   - shape: as the request says it.
    ///   - count: elements that the shape has.
    ///   - nesting: how nested the arrays have to be.
    /// - Returns: the tensor.
    /// - Throws: `invalid` for what is no JSON, does not fit the type, or is not so many.
    mutating func tensor(
        _ name: String, _ type: TensorType, _ shape: [Int], count: Int, nesting: Nesting = .any
    ) throws(InferenceFault) -> Tensor {
        guard peek() == UInt8(ascii: "[") else { throw fault("the data of input '\(name)' has to be an array") }
        // An element takes a character and a comma: what cannot be there gets no memory.
        guard count <= (end - index) / 2 else {
            throw InferenceFault(
                .invalid,
                "the data of input '\(name)' has less elements than its shape \(Self.text(shape)) says, which is \(count)"
            )
        }
        if type == .bytes { return try strings(name, shape, count: count, nesting: nesting) }
        let storage = TensorStorage(byteCount: count * (type.byteCount ?? 1))
        let memory = storage.bytes
        switch type {
        case .fp32:
            try fill(memory, Float.self, name, count, nesting) { scanner throws(InferenceFault) in
                try scanner.floating(Float.self)
            }
        case .fp64:
            try fill(memory, Double.self, name, count, nesting) { scanner throws(InferenceFault) in
                try scanner.floating(Double.self)
            }
        case .fp16:
            try fill(memory, UInt16.self, name, count, nesting) { scanner throws(InferenceFault) in
                let value = Float16(try scanner.floating(Double.self))
                guard value.isFinite else { throw scanner.fault("a number is out of the range of FP16") }
                return value.bitPattern
            }
        case .bf16:
            try fill(memory, UInt16.self, name, count, nesting) { scanner throws(InferenceFault) in
                BrainFloat.bits(try scanner.floating(Float.self))
            }
        case .bool:
            try fill(memory, UInt8.self, name, count, nesting) { scanner throws(InferenceFault) in
                try scanner.boolean()
            }
        case .uint8: try fillIntegers(memory, UInt8.self, name, count, nesting)
        case .uint16: try fillIntegers(memory, UInt16.self, name, count, nesting)
        case .uint32: try fillIntegers(memory, UInt32.self, name, count, nesting)
        case .uint64: try fillIntegers(memory, UInt64.self, name, count, nesting)
        case .int8: try fillIntegers(memory, Int8.self, name, count, nesting)
        case .int16: try fillIntegers(memory, Int16.self, name, count, nesting)
        case .int32: try fillIntegers(memory, Int32.self, name, count, nesting)
        case .int64: try fillIntegers(memory, Int64.self, name, count, nesting)
        case .bytes: break
        }
        return Tensor(name: name, type: type, shape: shape, storage: storage)
    }

    private mutating func fillIntegers<Integer: FixedWidthInteger>(
        _ memory: UnsafeMutableRawBufferPointer, _ type: Integer.Type, _ name: String, _ count: Int, _ nesting: Nesting
    ) throws(InferenceFault) {
        try fill(memory, Integer.self, name, count, nesting) { scanner throws(InferenceFault) in
            try scanner.integer(Integer.self)
        }
    }

    @inline(__always)
    private mutating func fill<Element>(
        _ memory: UnsafeMutableRawBufferPointer, _ type: Element.Type, _ name: String, _ count: Int,
        _ nesting: Nesting, _ read: (inout JSONScanner) throws(InferenceFault) -> Element
    ) throws(InferenceFault) {
        let elements = memory.bindMemory(to: Element.self)
        var filled = 0
        try walk(nesting) { scanner throws(InferenceFault) in
            guard filled < count else { throw scanner.wrongCount(name, count, "more") }
            elements[filled] = try read(&scanner)
            filled += 1
        }
        guard filled == count else { throw wrongCount(name, count, "only \(filled)") }
    }

    private func wrongCount(_ name: String, _ count: Int, _ got: String) -> InferenceFault {
        InferenceFault(
            .invalid, "the data of input '\(name)' does not fit its shape: expected \(count) elements, got \(got)")
    }

    private mutating func strings(
        _ name: String, _ shape: [Int], count: Int, nesting: Nesting
    ) throws(InferenceFault) -> Tensor {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        ends.reserveCapacity(count)
        try walk(nesting) { scanner throws(InferenceFault) in
            guard ends.count < count else { throw scanner.wrongCount(name, count, "more") }
            guard scanner.peek() == UInt8(ascii: "\"") else {
                throw scanner.fault("input '\(name)' is of type BYTES: expected a string")
            }
            try scanner.appendBytes(of: try scanner.text(), to: &bytes)
            ends.append(bytes.count)
        }
        guard ends.count == count else { throw wrongCount(name, count, "only \(ends.count)") }
        guard bytes.withUnsafeBufferPointer({ String(validating: $0, as: UTF8.self) != nil }) else {
            throw fault("a string of input '\(name)' is not UTF-8: send it in binary")
        }
        let storage = bytes.withUnsafeBytes { TensorStorage(copying: $0) }
        return Tensor(
            name: name, type: .bytes, shape: shape, content: .strings(StringTensor(storage: storage, ends: ends)))
    }

    /// Goes through arrays in arrays; calls for each element.
    @inline(__always)
    private mutating func walk(
        _ nesting: Nesting, _ element: (inout JSONScanner) throws(InferenceFault) -> Void
    ) throws(InferenceFault) {
        var rows = Rows(nesting)
        var depth = 0
        // An array may end before its first element, but not after a comma.
        var mayEnd = false
        repeat {
            switch peek() {
            case UInt8(ascii: "["):
                index += 1
                depth += 1
                guard depth <= limits.depth else { throw fault("nested deeper than \(limits.depth) levels") }
                try rows.open(depth, self)
                mayEnd = true
                continue
            case UInt8(ascii: "]") where mayEnd:
                index += 1
                try rows.close(depth, self)
                depth -= 1
            default:
                try rows.element(depth, self)
                try element(&self)
            }
            // After an element or an array.
            while depth > 0 {
                let byte = peek()
                guard byte == UInt8(ascii: "]") || byte == UInt8(ascii: ","), index < end else {
                    throw fault("expected ',' or ']'")
                }
                index += 1
                guard byte == UInt8(ascii: "]") else {
                    mayEnd = false
                    break
                }
                try rows.close(depth, self)
                depth -= 1
            }
        } while depth > 0
    }

    /// Counts the elements of nested arrays, where they have to be as a shape says.
    private struct Rows {
        private let shape: [Int]?
        private var counts: [Int]

        init(_ nesting: Nesting) {
            if case .shape(let shape) = nesting {
                self.shape = shape
                counts = [Int](repeating: 0, count: shape.count + 1)
            } else {
                shape = nil
                counts = []
            }
        }

        @inline(__always)
        mutating func open(_ depth: Int, _ scanner: borrowing JSONScanner) throws(InferenceFault) {
            guard let shape else { return }
            guard depth <= shape.count else { throw scanner.fault("rows are nested deeper than the first one") }
            counts[depth - 1] += 1
            counts[depth] = 0
        }

        @inline(__always)
        mutating func close(_ depth: Int, _ scanner: borrowing JSONScanner) throws(InferenceFault) {
            guard let shape else { return }
            guard counts[depth] == shape[depth - 1] else {
                throw scanner.fault("a row has \(counts[depth]) elements, the first one has \(shape[depth - 1])")
            }
        }

        @inline(__always)
        mutating func element(_ depth: Int, _ scanner: borrowing JSONScanner) throws(InferenceFault) {
            guard let shape else { return }
            guard depth == shape.count else { throw scanner.fault("rows are not nested as deep as the first one") }
            counts[depth] += 1
        }
    }

    /// The shape of nested arrays by the first of each level, without passing them.
    /// - Parameter deepest: axes that there may be.
    /// - Returns: elements of each level.
    /// - Throws: `invalid` for arrays that are nested deeper.
    mutating func shapeAhead(deepest: Int) throws(InferenceFault) -> [Int] {
        let start = index
        defer { index = start }
        var shape: [Int] = []
        var starts: [Int] = []
        while peek() == UInt8(ascii: "["), index < end {
            starts.append(index)
            guard starts.count <= deepest else {
                throw fault("nested deeper than the \(deepest) axes of the model's input")
            }
            index += 1
        }
        // From the inside out: the bytes are passed at most as often as the arrays are deep.
        for start in starts.reversed() {
            index = start
            var count = 0
            try elements("the data") { scanner throws(InferenceFault) in
                try scanner.skip()
                count += 1
            }
            shape.insert(count, at: 0)
        }
        return shape
    }

    static func text(_ shape: [Int]) -> String { "[" + shape.map(String.init).joined(separator: ",") + "]" }
}

/// bfloat16: the upper half of a Float.
package enum BrainFloat {
    /// Rounded to the nearest, ties to even.
    package static func bits(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        guard !value.isNaN else { return UInt16(bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (UInt64(bits) + 0x7FFF + UInt64((bits >> 16) & 1)) >> 16)
    }

    package static func value(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }
}

// SPDX-License-Identifier: Apache-2.0

/// A column of a batch (an array in Arrow's words): values in place, read by row.
///
/// Sizes of buffers are checked when it is made, so that reading a row needs no more than the row's own check. Rows
/// are counted from 0 to `count`; a read outside is a programming error and stops the program.
package final class ArrowColumn: Sendable {
    package let type: ArrowType
    /// Rows.
    package let count: Int
    /// The place of row 0 in the buffers.
    let offset: Int
    let validity: ArrowBuffer?
    /// By layout: bits or values; offsets and bytes; views and their data buffers; offsets of a list; none.
    let buffers: [ArrowBuffer]
    let children: [ArrowColumn]
    let dictionary: ArrowColumn?

    init(
        type: ArrowType, count: Int, offset: Int = 0, validity: ArrowBuffer? = nil, buffers: [ArrowBuffer] = [],
        children: [ArrowColumn] = [], dictionary: ArrowColumn? = nil
    ) throws(ArrowError) {
        self.type = type
        self.count = count
        self.offset = offset
        self.validity = validity
        self.buffers = buffers
        self.children = children
        self.dictionary = dictionary
        try checkSizes()
    }

    private init(of column: ArrowColumn, offset: Int, count: Int) {
        type = column.type
        self.count = count
        self.offset = offset
        validity = column.validity
        buffers = column.buffers
        children = column.children
        dictionary = column.dictionary
    }

    /// The rows of a range, in the same memory.
    package func slice(_ range: Range<Int>) -> ArrowColumn {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "rows \(range) of \(count)")
        return ArrowColumn(of: self, offset: offset + range.lowerBound, count: range.count)
    }

    private func checkSizes() throws(ArrowError) {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard count >= 0, offset >= 0, !overflow, end < 1 << 33 else {
            throw ArrowError(.malformed, "a column of \(count) rows at \(offset)")
        }
        func need(_ place: Int, _ bytes: Int, _ what: String) throws(ArrowError) {
            guard place < buffers.count else { throw ArrowError(.malformed, "a column of \(type) without its \(what)") }
            guard buffers[place].count >= bytes else {
                throw ArrowError(
                    .malformed, "the \(what) of a column of \(end) rows have \(buffers[place].count) of \(bytes) bytes")
            }
        }
        if let validity, validity.count < (end + 7) / 8 {
            throw ArrowError(.malformed, "a null bitmap of \(validity.count) bytes for \(end) rows")
        }
        let fields = type.children
        guard children.count == fields.count else {
            throw ArrowError(.malformed, "a column of \(type) has \(children.count) children, not \(fields.count)")
        }
        switch type.layout {
        case .null: break
        case .bits: try need(0, (end + 7) / 8, "bits")
        case .fixed(let width): try need(0, end * width, "values")
        case .variable(let large):
            // An empty column may come without offsets.
            try need(0, end == 0 ? 0 : (end + 1) * (large ? 8 : 4), "offsets")
            try need(1, 0, "bytes")
        case .views: try need(0, end * 16, "views")
        case .list(let large): try need(0, end == 0 ? 0 : (end + 1) * (large ? 8 : 4), "offsets")
        case .fixedList(let size):
            guard let child = children.first, child.count >= end * size else {
                throw ArrowError(.malformed, "a column of lists of \(size) has too few values")
            }
        case .structure:
            for child in children where child.count < end {
                throw ArrowError(.malformed, "a structure of \(end) rows has a member of \(child.count)")
            }
        }
        if case .dictionary(let index, _, _) = type {
            guard dictionary != nil, case .int = index else {
                throw ArrowError(.malformed, "a column of dictionary indexes without its dictionary")
            }
        }
    }

    /// Checks every offset, view and index: for data from outside the process.
    func checkContents() throws(ArrowError) {
        for child in children { try child.checkContents() }
        try dictionary?.checkContents()
        switch type.layout {
        case .variable:
            for row in 0..<count where range(row, within: buffers[1].count) == nil {
                throw ArrowError(.malformed, "row \(row) of a column of \(type) lies outside its bytes")
            }
        case .list:
            for row in 0..<count where range(row, within: children[0].count) == nil {
                throw ArrowError(.malformed, "the list in row \(row) lies outside its values")
            }
        case .views:
            for row in 0..<count where !isNull(row) && viewed(row) == nil {
                throw ArrowError(.malformed, "row \(row) of a column of \(type) lies outside its bytes")
            }
        default: break
        }
        if case .dictionary = type, let dictionary {
            for row in 0..<count where !isNull(row) {
                guard let index = rawInteger(row), index >= 0, index < Int64(dictionary.count) else {
                    throw ArrowError(.malformed, "the index in row \(row) lies outside its dictionary")
                }
            }
        }
    }

    // MARK: Places

    /// Where a row's bytes or values lie, by the offsets; nil where they lie outside.
    func range(_ row: Int, within limit: Int) -> Range<Int>? {
        let place = offset + row
        let start: Int
        let end: Int
        switch type.layout {
        case .variable(large: false), .list(large: false):
            start = Int(buffers[0].load(place, as: Int32.self))
            end = Int(buffers[0].load(place + 1, as: Int32.self))
        case .variable(large: true), .list(large: true):
            start = Int(buffers[0].load(place, as: Int64.self))
            end = Int(buffers[0].load(place + 1, as: Int64.self))
        default: return nil
        }
        guard start >= 0, start <= end, end <= limit else { return nil }
        return start..<end
    }

    /// The bytes of a view (columnar format, "Variable-size Binary View Layout"): up to 12 inline, else in a buffer.
    func viewed(_ row: Int) -> UnsafeRawBufferPointer? {
        let at = (offset + row) * 16
        let length = Int(buffers[0].bytes.loadUnaligned(fromByteOffset: at, as: Int32.self))
        guard length >= 0 else { return nil }
        if length <= 12 { return UnsafeRawBufferPointer(rebasing: buffers[0].bytes[at + 4..<at + 4 + length]) }
        let index = Int(buffers[0].bytes.loadUnaligned(fromByteOffset: at + 8, as: Int32.self))
        let start = Int(buffers[0].bytes.loadUnaligned(fromByteOffset: at + 12, as: Int32.self))
        guard index >= 0, start >= 0, index + 1 < buffers.count, start + length <= buffers[index + 1].count else {
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: buffers[index + 1].bytes[start..<start + length])
    }

    /// The whole number in the buffers: integers, times since an epoch, 32 and 64-bit decimals without their point.
    @inline(__always)
    func rawInteger(_ row: Int) -> Int64? {
        let place = offset + row
        let buffer = buffers[0]
        switch type {
        case .int(let bits, let signed): return Self.integer(buffer, place, bits: bits, signed: signed)
        case .dictionary(.int(let bits, let signed), _, _):
            return Self.integer(buffer, place, bits: bits, signed: signed)
        case .date32, .interval(.yearMonth), .decimal(_, _, 32): return Int64(buffer.load(place, as: Int32.self))
        case .time(.second), .time(.millisecond): return Int64(buffer.load(place, as: Int32.self))
        case .date64, .time, .timestamp, .duration, .decimal(_, _, 64): return buffer.load(place, as: Int64.self)
        case .bool: return buffer.bit(place) ? 1 : 0
        default: return nil
        }
    }

    @inline(__always)
    private static func integer(_ buffer: ArrowBuffer, _ place: Int, bits: Int, signed: Bool) -> Int64? {
        switch (bits, signed) {
        case (8, true): Int64(buffer.load(place, as: Int8.self))
        case (8, false): Int64(buffer.load(place, as: UInt8.self))
        case (16, true): Int64(buffer.load(place, as: Int16.self))
        case (16, false): Int64(buffer.load(place, as: UInt16.self))
        case (32, true): Int64(buffer.load(place, as: Int32.self))
        case (32, false): Int64(buffer.load(place, as: UInt32.self))
        case (64, true): buffer.load(place, as: Int64.self)
        default: Int64(exactly: buffer.load(place, as: UInt64.self))
        }
    }
}

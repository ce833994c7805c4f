// SPDX-License-Identifier: Apache-2.0

/// Arrow's streaming format (columnar format, "IPC Streaming Format"): a schema, batches, an end mark, each to be
/// sent one after the other. Dictionaries and views are written as their plain types.
package enum IPCEncoder {
    /// The content type of a stream (IANA).
    package static let contentType = "application/vnd.apache.arrow.stream"

    /// The first message of a stream.
    package static func schema(_ schema: ArrowSchemaInfo) -> [UInt8] {
        framed(.message(.schema, .schema(schema.plain), bodyLength: 0), body: [])
    }

    /// A message of rows.
    package static func batch(_ batch: ArrowBatch) throws(ArrowError) -> [UInt8] {
        var writer = BodyWriter()
        for column in batch.columns { try writer.add(column) }
        let head = FlatValue.table([
            .long(Int64(batch.rowCount)), .reference(.longs(writer.nodes, perElement: 2)),
            .reference(.longs(writer.buffers, perElement: 2)),
        ])
        return framed(.message(.batch, head, bodyLength: writer.body.count), body: writer.body)
    }

    /// The end of a stream.
    package static let end: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]

    /// A whole stream.
    package static func stream(_ schema: ArrowSchemaInfo, _ batches: [ArrowBatch]) throws(ArrowError) -> [UInt8] {
        var bytes = Self.schema(schema)
        for batch in batches { bytes += try Self.batch(batch) }
        return bytes + end
    }

    /// Continuation mark, length of the head with padding, head, body.
    private static func framed(_ message: FlatValue, body: [UInt8]) -> [UInt8] {
        let head = FlatBuilder.build(message)
        let padded = (head.count + 7) / 8 * 8
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + padded + body.count)
        bytes.append(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF])
        withUnsafeBytes(of: UInt32(padded).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: head)
        bytes.append(contentsOf: repeatElement(0, count: padded - head.count))
        bytes.append(contentsOf: body)
        return bytes
    }
}

/// Arrow's file format (columnar format, "IPC File Format"): a stream between marks, and a footer with the places of
/// its batches.
package struct IPCFileEncoder: Sendable {
    /// The content type of a file (IANA).
    package static let contentType = "application/vnd.apache.arrow.file"
    private static let mark = Array("ARROW1".utf8)

    private let schema: ArrowSchemaInfo
    private var offset = 0
    /// Offset, length of the head, length of the body, of each batch.
    private var blocks: [Int64] = []

    package init(_ schema: ArrowSchemaInfo) { self.schema = schema }

    /// The start of the file.
    package mutating func start() -> [UInt8] {
        let bytes = Self.mark + [0, 0] + IPCEncoder.schema(schema)
        offset = bytes.count
        return bytes
    }

    /// A message of rows.
    package mutating func batch(_ batch: ArrowBatch) throws(ArrowError) -> [UInt8] {
        let bytes = try IPCEncoder.batch(batch)
        // After the mark and its own length, the head says how long it is.
        let head = 8 + bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) }
        blocks += [Int64(offset), Int64(head), Int64(bytes.count - head)]
        offset += bytes.count
        return bytes
    }

    /// The end of the file.
    package func end() -> [UInt8] {
        let footer = FlatBuilder.build(
            .table([
                .short(4), .reference(.schema(schema.plain)), .reference(.longs([], perElement: 3)),
                .reference(.longs(blocks, perElement: 3)),
            ]))
        var bytes = IPCEncoder.end + footer
        withUnsafeBytes(of: UInt32(footer.count).littleEndian) { bytes.append(contentsOf: $0) }
        return bytes + Self.mark
    }
}

/// Buffers of columns, one after the other, each at a multiple of 8.
private struct BodyWriter {
    /// Rows and nulls of each column, depth first.
    private(set) var nodes: [Int64] = []
    /// Offset and length of each buffer.
    private(set) var buffers: [Int64] = []
    private(set) var body: [UInt8] = []

    mutating func add(_ given: ArrowColumn) throws(ArrowError) {
        let column = try given.flattened()
        let nulls = column.nullCount
        nodes += [Int64(column.count), Int64(nulls)]
        guard column.type.layout != .null else { return }
        if nulls > 0, let validity = column.validity {
            addBits(validity, column.offset, column.count)
        } else {
            buffers += [Int64(body.count), 0]
        }
        let rows = column.offset..<column.offset + column.count
        switch column.type.layout {
        case .null: break
        case .bits: addBits(column.buffers[0], column.offset, column.count)
        case .fixed(let width):
            add(
                UnsafeRawBufferPointer(
                    rebasing: column.buffers[0].bytes[rows.lowerBound * width..<rows.upperBound * width]))
        case .variable(let large):
            let range = try addOffsets(of: column, large: large, limit: column.buffers[1].count)
            add(UnsafeRawBufferPointer(rebasing: column.buffers[1].bytes[range]))
        case .list(let large):
            let child = column.children[0]
            try add(child.slice(try addOffsets(of: column, large: large, limit: child.count)))
        case .fixedList(let size):
            try add(column.children[0].slice(rows.lowerBound * size..<rows.upperBound * size))
        case .structure:
            for child in column.children { try add(child.slice(rows)) }
        case .views: throw ArrowError(.unsupported, "views are not written")
        }
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer) {
        buffers += [Int64(body.count), Int64(bytes.count)]
        body.append(contentsOf: bytes)
        while body.count % 8 != 0 { body.append(0) }
    }

    private mutating func addBits(_ buffer: ArrowBuffer, _ offset: Int, _ count: Int) {
        if offset % 8 == 0 {
            return add(UnsafeRawBufferPointer(rebasing: buffer.bytes[offset / 8..<(offset + count + 7) / 8]))
        }
        var bits = [UInt8](repeating: 0, count: (count + 7) / 8)
        for row in 0..<count where buffer.bit(offset + row) { bits[row >> 3] |= 1 << UInt8(row & 7) }
        bits.withUnsafeBytes { add($0) }
    }

    /// Offsets that start at 0. Returns the range of bytes or values that they name.
    private mutating func addOffsets(of column: ArrowColumn, large: Bool, limit: Int) throws(ArrowError) -> Range<Int> {
        let count = column.count
        guard count > 0 else {
            let zero = [UInt8](repeating: 0, count: large ? 8 : 4)
            zero.withUnsafeBytes { add($0) }
            return 0..<0
        }
        guard let first = column.range(0, within: limit)?.lowerBound,
            let last = column.range(count - 1, within: limit)?.upperBound, first <= last
        else { throw ArrowError(.malformed, "offsets of a column of \(column.type) lie outside its values") }
        let source = column.buffers[0]
        let width = large ? 8 : 4
        if first == 0 {
            add(
                UnsafeRawBufferPointer(
                    rebasing: source.bytes[column.offset * width..<(column.offset + count + 1) * width]))
            return first..<last
        }
        let rebased = ArrowBuffer(count: (count + 1) * width) { memory in
            for index in 0...count {
                if large {
                    let value = source.load(column.offset + index, as: Int64.self) &- Int64(first)
                    memory.storeBytes(of: value, toByteOffset: index * 8, as: Int64.self)
                } else {
                    let value = source.load(column.offset + index, as: Int32.self) &- Int32(truncatingIfNeeded: first)
                    memory.storeBytes(of: value, toByteOffset: index * 4, as: Int32.self)
                }
            }
        }
        add(rebased.bytes)
        return first..<last
    }
}

extension ArrowColumn {
    /// Without dictionaries and views at this level: their values are written out.
    func flattened() throws(ArrowError) -> ArrowColumn {
        switch type {
        case .dictionary, .utf8View, .binaryView:
            if type.plain == .utf8 { return try .strings((0..<count).map { string($0) }) }
            return try ArrowColumn(type: type.plain, values: values)
        default: return self
        }
    }
}

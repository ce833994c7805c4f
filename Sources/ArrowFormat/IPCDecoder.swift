// SPDX-License-Identifier: Apache-2.0

/// Reads Arrow's streaming format as it comes. Everything is checked before a batch is given out: sizes, offsets,
/// indexes, limits.
package struct IPCDecoder {
    /// Known once the first message was read.
    package private(set) var schema: ArrowSchemaInfo?
    /// True once the end mark was read; bytes after it are an error.
    package private(set) var isAtEnd = false

    private let limits: ArrowLimits
    private var pending: [UInt8] = []
    /// How much of `pending` has been read.
    private var start = 0
    private var layout: IPCSchema?
    private var dictionaries: [Int64: ArrowColumn] = [:]

    package init(limits: ArrowLimits = .init()) { self.limits = limits }

    /// A whole stream; an end mark may be missing, a part of a message may not.
    package static func stream(_ bytes: [UInt8], limits: ArrowLimits = .init()) throws(ArrowError)
        -> (schema: ArrowSchemaInfo, batches: [ArrowBatch])
    {
        var decoder = IPCDecoder(limits: limits)
        let batches = try decoder.feed(bytes)
        guard let schema = decoder.schema, decoder.isComplete else {
            throw ArrowError(.malformed, "the stream ends early")
        }
        return (schema, batches)
    }

    /// Whether no part of a message is waiting for its rest.
    package var isComplete: Bool { start == pending.count }

    /// Takes bytes and returns the batches that they complete.
    package mutating func feed(_ bytes: some Collection<UInt8>) throws(ArrowError) -> [ArrowBatch] {
        if start > 0, start == pending.count {
            pending.removeAll(keepingCapacity: true)
            start = 0
        }
        pending.append(contentsOf: bytes)
        var batches: [ArrowBatch] = []
        while try step(&batches) {}
        if start > 1 << 20 {
            pending.removeFirst(start)
            start = 0
        }
        return batches
    }

    private func word(_ place: Int) -> UInt32 {
        pending.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt32.self)) }
    }

    /// Reads one message; false where its bytes are not all there.
    private mutating func step(_ batches: inout [ArrowBatch]) throws(ArrowError) -> Bool {
        guard pending.count - start >= 8 else { return false }
        guard !isAtEnd else { throw ArrowError(.malformed, "bytes after the end of the stream") }
        guard word(start) == 0xFFFF_FFFF else {
            throw ArrowError(.malformed, "a message does not start with the continuation mark")
        }
        let headLength = Int(word(start + 4))
        if headLength == 0 {
            isAtEnd = true
            start += 8
            return true
        }
        guard headLength <= limits.head, headLength % 8 == 0 else {
            throw ArrowError(.tooLarge, "a message with a head of \(headLength) bytes")
        }
        guard pending.count - start >= 8 + headLength else { return false }
        let message = try FlatTable(root: Array(pending[start + 8..<start + 8 + headLength]))
        let bodyLength = try message.number(3, default: Int64(0))
        guard bodyLength >= 0, bodyLength <= limits.body else {
            throw ArrowError(.tooLarge, "a message of \(bodyLength) bytes; the most is \(limits.body)")
        }
        let bodyStart = start + 8 + headLength
        guard pending.count - bodyStart >= Int(bodyLength) else { return false }
        guard try message.number(0, default: Int16(0)) >= 3 else {
            throw ArrowError(.unsupported, "messages before version 4 of the format are not read")
        }
        let body = ArrowBuffer(copying: pending[bodyStart..<bodyStart + Int(bodyLength)])
        start = bodyStart + Int(bodyLength)
        guard let kind = IPCMessageKind(rawValue: try message.number(1, default: UInt8(0))),
            let header = try message.table(2)
        else { throw ArrowError(.unsupported, "a message of an unknown kind") }
        switch kind {
        case .schema:
            guard layout == nil else { throw ArrowError(.malformed, "a second schema in one stream") }
            let read = try IPCSchema(header, limits: limits)
            layout = read
            schema = read.schema
        case .dictionary: try readDictionary(header, body)
        case .batch:
            guard let layout else { throw ArrowError(.malformed, "rows before the schema") }
            var reader = try BodyReader(header, body, limits, ids: layout.ids, dictionaries: dictionaries)
            var columns: [ArrowColumn] = []
            for field in layout.schema.fields { columns.append(try reader.column(field.type)) }
            for column in columns { try column.checkContents() }
            batches.append(try ArrowBatch(schema: layout.schema, rowCount: reader.rows, columns: columns))
        }
        return true
    }

    private mutating func readDictionary(_ header: FlatTable, _ body: ArrowBuffer) throws(ArrowError) {
        let id = try header.number(0, default: Int64(0))
        guard let type = layout?.values[id], let data = try header.table(1) else {
            throw ArrowError(.malformed, "dictionary \(id) belongs to no column")
        }
        var reader = try BodyReader(data, body, limits, ids: [nil], dictionaries: [:])
        let column = try reader.column(type)
        try column.checkContents()
        if try header.bool(2), let before = dictionaries[id] {
            // Added to what there is: rarely used, so simply.
            guard before.count + column.count <= limits.rows else {
                throw ArrowError(.tooLarge, "a dictionary of over \(limits.rows) values")
            }
            dictionaries[id] = try ArrowColumn(type: type.plain, values: before.values + column.values)
        } else {
            dictionaries[id] = column
        }
    }
}

/// Takes columns from a message's body in the order of the fields, depth first.
private struct BodyReader {
    let rows: Int
    private let body: ArrowBuffer
    private let limits: ArrowLimits
    private let nodes: [Int64]
    private let buffers: [Int64]
    private let variadic: [Int64]
    private let ids: [Int64?]
    private let dictionaries: [Int64: ArrowColumn]
    private var node = 0
    private var buffer = 0
    private var view = 0

    init(
        _ header: FlatTable, _ body: ArrowBuffer, _ limits: ArrowLimits, ids: [Int64?],
        dictionaries: [Int64: ArrowColumn]
    ) throws(ArrowError) {
        if try header.table(3) != nil {
            throw ArrowError(.unsupported, "compressed bodies are not read: send the stream without compression")
        }
        let length = try header.number(0, default: Int64(0))
        guard length >= 0, length <= limits.rows else { throw ArrowError(.tooLarge, "a batch of \(length) rows") }
        rows = Int(length)
        nodes = try header.longs(1, perElement: 2)
        buffers = try header.longs(2, perElement: 2)
        variadic = try header.longs(4, perElement: 1)
        self.body = body
        self.limits = limits
        self.ids = ids
        self.dictionaries = dictionaries
    }

    private mutating func nextBuffer() throws(ArrowError) -> ArrowBuffer {
        guard buffer * 2 + 1 < buffers.count else { throw ArrowError(.malformed, "a batch with too few buffers") }
        let (offset, length) = (buffers[buffer * 2], buffers[buffer * 2 + 1])
        buffer += 1
        guard offset >= 0, length >= 0, offset <= body.count, length <= body.count - Int(offset) else {
            throw ArrowError(.malformed, "a buffer of \(length) bytes at \(offset) of a body of \(body.count)")
        }
        return length == 0 ? .empty : body.slice(Int(offset), Int(length))
    }

    mutating func column(_ type: ArrowType) throws(ArrowError) -> ArrowColumn {
        guard node * 2 + 1 < nodes.count, node < ids.count || ids.count == 1 else {
            throw ArrowError(.malformed, "a batch with too few columns")
        }
        let id = node < ids.count ? ids[node] : nil
        let (count, nulls) = (nodes[node * 2], nodes[node * 2 + 1])
        node += 1
        guard count >= 0, count <= limits.rows, nulls >= 0, nulls <= count else {
            throw ArrowError(.malformed, "a column of \(count) rows, \(nulls) of them null")
        }
        var validity: ArrowBuffer?
        var own: [ArrowBuffer] = []
        if type.layout != .null {
            let bitmap = try nextBuffer()
            // Some writers leave a bitmap out, others send one that says that nothing is null.
            if nulls > 0 { validity = bitmap }
        }
        switch type.layout {
        case .null, .fixedList, .structure: break
        case .bits, .fixed, .list: own = [try nextBuffer()]
        case .variable: own = [try nextBuffer(), try nextBuffer()]
        case .views:
            guard view < variadic.count, (0...buffers.count).contains(Int(variadic[view])) else {
                throw ArrowError(.malformed, "a column of views without its count of buffers")
            }
            own = [try nextBuffer()]
            for _ in 0..<variadic[view] { own.append(try nextBuffer()) }
            view += 1
        }
        var children: [ArrowColumn] = []
        for child in type.children { children.append(try column(child.type)) }
        var dictionary: ArrowColumn?
        if case .dictionary(_, let value, _) = type {
            guard let id else { throw ArrowError(.malformed, "a column of indexes without a dictionary's id") }
            // All rows may be null before the dictionary comes.
            if let known = dictionaries[id] {
                dictionary = known
            } else {
                dictionary = try ArrowColumn(type: value.plain, values: [])
            }
        }
        return try ArrowColumn(
            type: type, count: Int(count), validity: validity, buffers: own, children: children,
            dictionary: dictionary)
    }
}

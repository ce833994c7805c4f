// SPDX-License-Identifier: Apache-2.0
package import CADBC

/// Reading the C data interface: schemas are copied, arrays are read in place and released when the last column of
/// them is let go. Sizes of buffers follow from types and lengths, for the interface does not tell them.
extension ArrowSchemaInfo {
    /// A copy of a schema, whose type has to be a structure; the caller goes on owning it.
    package init(_ schema: borrowing ArrowSchema, limits: ArrowLimits = .init()) throws(ArrowError) {
        var left = limits.fields
        let root = try ArrowField(reading: schema, depth: 0, limits: limits, left: &left)
        guard case .structure(let fields) = root.type else {
            throw ArrowError(.malformed, "the schema of a stream is of the type \(root.type), not a structure")
        }
        self.init(fields)
    }
}

extension ArrowField {
    fileprivate init(reading schema: borrowing ArrowSchema, depth: Int, limits: ArrowLimits, left: inout Int)
        throws(ArrowError)
    {
        left -= 1
        guard depth <= limits.depth, left >= 0 else {
            throw ArrowError(.tooLarge, "a schema of over \(limits.fields) fields, or nested over \(limits.depth) deep")
        }
        guard schema.release != nil, let format = schema.format, schema.n_children >= 0,
            schema.n_children <= limits.fields
        else { throw ArrowError(.malformed, "a schema that has been released, or without a format") }
        let name = schema.name.map { String(cString: $0) } ?? ""
        var children: [ArrowField] = []
        for index in 0..<Int(schema.n_children) {
            guard let child = schema.children?[index] else {
                throw ArrowError(.malformed, "the schema of '\(name)' lacks its child \(index)")
            }
            children.append(try ArrowField(reading: child.pointee, depth: depth + 1, limits: limits, left: &left))
        }
        var type: ArrowType
        do {
            type = try ArrowType(
                format: String(cString: format), children: children, keysSorted: schema.flags & 4 != 0)
        } catch {
            throw ArrowError(error.code, "column '\(name)': \(error.message)")
        }
        if let dictionary = schema.dictionary {
            let value = try ArrowField(reading: dictionary.pointee, depth: depth + 1, limits: limits, left: &left)
            guard case .int = type else {
                throw ArrowError(.malformed, "the dictionary of '\(name)' has indexes of the type \(type)")
            }
            type = .dictionary(index: type, value: value.type, ordered: schema.flags & 1 != 0)
        }
        self.init(name, type, isNullable: schema.flags & 2 != 0)
    }
}

/// A C array that is ours: released once, when no column reads it any more.
private final class CArrayOwner {
    var array: ArrowArray

    init(_ array: ArrowArray) { self.array = array }

    deinit { array.release?(&array) }
}

extension ArrowBatch {
    /// Takes a C array over (it is marked as moved, whether this succeeds or not): a structure of the schema's columns.
    package init(taking array: inout ArrowArray, schema: ArrowSchemaInfo, limits: ArrowLimits = .init())
        throws(ArrowError)
    {
        let owner = CArrayOwner(array)
        array.release = nil
        guard owner.array.release != nil else { throw ArrowError(.malformed, "an array that has been released") }
        let (rows, start) = (owner.array.length, owner.array.offset)
        guard rows >= 0, rows <= limits.rows, start >= 0, start <= limits.rows else {
            throw ArrowError(.tooLarge, "a batch of \(rows) rows at \(start)")
        }
        guard owner.array.n_children == schema.fields.count else {
            throw ArrowError(
                .malformed, "a batch of \(owner.array.n_children) columns for \(schema.fields.count) fields")
        }
        var columns: [ArrowColumn] = []
        columns.reserveCapacity(schema.fields.count)
        for (index, field) in schema.fields.enumerated() {
            guard let child = owner.array.children?[index] else {
                throw ArrowError(.malformed, "a batch lacks its column \(index)")
            }
            let column = try ArrowColumn(reading: child.pointee, type: field.type, owner: owner, limits: limits)
            guard column.count >= Int(start + rows) else {
                throw ArrowError(.malformed, "the column '\(field.name)' has \(column.count) of \(rows) rows")
            }
            columns.append(
                start == 0 && column.count == rows ? column : column.slice(Int(start)..<Int(start + rows)))
        }
        try self.init(schema: schema, rowCount: Int(rows), columns: columns)
    }
}

extension ArrowColumn {
    fileprivate convenience init(
        reading array: borrowing ArrowArray, type: ArrowType, owner: CArrayOwner, limits: ArrowLimits
    ) throws(ArrowError) {
        guard array.length >= 0, array.length <= limits.rows, array.offset >= 0, array.offset <= limits.rows else {
            throw ArrowError(.tooLarge, "a column of \(array.length) rows at \(array.offset)")
        }
        let end = Int(array.offset + array.length)
        let pointers = array.buffers
        let pointerCount = Int(array.n_buffers)
        func buffer(_ index: Int, bytes: Int) throws(ArrowError) -> ArrowBuffer {
            guard index < pointerCount, let pointers else {
                throw ArrowError(.malformed, "a column of \(type) with \(pointerCount) buffers")
            }
            guard let start = pointers[index] else {
                if bytes == 0 { return .empty }
                throw ArrowError(.malformed, "a column of \(type) lacks its buffer \(index)")
            }
            return ArrowBuffer(UnsafeRawBufferPointer(start: start, count: bytes), owner: owner)
        }

        var validity: ArrowBuffer?
        if type.layout != .null, array.null_count != 0, pointerCount > 0, let start = pointers?[0] {
            validity = ArrowBuffer(UnsafeRawBufferPointer(start: start, count: (end + 7) / 8), owner: owner)
        }
        var buffers: [ArrowBuffer] = []
        switch type.layout {
        case .null, .fixedList, .structure: break
        case .bits: buffers = [try buffer(1, bytes: (end + 7) / 8)]
        case .fixed(let width): buffers = [try buffer(1, bytes: end * width)]
        case .list(let large): buffers = [try buffer(1, bytes: end == 0 ? 0 : (end + 1) * (large ? 8 : 4))]
        case .variable(let large):
            let offsets = try buffer(1, bytes: end == 0 ? 0 : (end + 1) * (large ? 8 : 4))
            let last =
                end == 0 ? 0 : large ? offsets.load(end, as: Int64.self) : Int64(offsets.load(end, as: Int32.self))
            guard last >= 0, last <= 1 << 40 else {
                throw ArrowError(.malformed, "a column of \(type) of \(last) bytes")
            }
            buffers = [offsets, try buffer(2, bytes: Int(last))]
        case .views:
            // Validity, views, data buffers, and the sizes of the data buffers.
            guard pointerCount >= 3, let pointers else {
                throw ArrowError(.malformed, "a column of views with \(pointerCount) buffers")
            }
            buffers = [try buffer(1, bytes: end * 16)]
            let sizes = pointers[pointerCount - 1]
            for index in 2..<pointerCount - 1 {
                let size = sizes?.loadUnaligned(fromByteOffset: (index - 2) * 8, as: Int64.self) ?? 0
                guard size >= 0, size <= 1 << 40 else { throw ArrowError(.malformed, "a data buffer of \(size) bytes") }
                buffers.append(try buffer(index, bytes: Int(size)))
            }
        }

        let fields = type.children
        guard array.n_children == fields.count else {
            throw ArrowError(.malformed, "a column of \(type) has \(array.n_children) children, not \(fields.count)")
        }
        var children: [ArrowColumn] = []
        for (index, field) in fields.enumerated() {
            guard let child = array.children?[index] else {
                throw ArrowError(.malformed, "a column of \(type) lacks its child \(index)")
            }
            children.append(
                try ArrowColumn(reading: child.pointee, type: field.type, owner: owner, limits: limits))
        }
        var dictionary: ArrowColumn?
        if case .dictionary(_, let value, _) = type {
            guard let pointer = array.dictionary else { throw ArrowError(.malformed, "a column lacks its dictionary") }
            dictionary = try ArrowColumn(reading: pointer.pointee, type: value, owner: owner, limits: limits)
        }
        try self.init(
            type: type, count: Int(array.length), offset: Int(array.offset), validity: validity, buffers: buffers,
            children: children, dictionary: dictionary)
    }
}

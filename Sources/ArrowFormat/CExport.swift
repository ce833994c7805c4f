// SPDX-License-Identifier: Apache-2.0
package import CADBC
import Foundation

/// Handing batches to a driver through the C data interface: nothing is copied, the arrays keep our buffers alive
/// until the driver calls their release.
extension ArrowBatch {
    /// Fills in a C array (a structure of the columns), which the receiver releases.
    package func export(to array: inout ArrowArray) {
        ArrayExport.export(count: rowCount, buffers: [nil], children: columns, keeping: columns, to: &array)
    }
}

extension ArrowSchemaInfo {
    /// Fills in a C schema, which the receiver releases.
    package func export(to schema: inout ArrowSchema) {
        SchemaExport.export(ArrowField("", .structure(fields), isNullable: false), to: &schema)
    }
}

/// 64 zero bytes: what a pointer to an empty buffer points to, for receivers that read the first offset regardless.
private let nothing = ArrowBuffer(count: 64) { _ in }

private final class ArrayExport {
    private let buffers: UnsafeMutablePointer<UnsafeRawPointer?>
    private let children: UnsafeMutablePointer<UnsafeMutablePointer<ArrowArray>?>
    private let childCount: Int
    private var dictionary: UnsafeMutablePointer<ArrowArray>?
    /// The view layout's last buffer.
    private var sizes: ArrowBuffer?
    private let kept: [ArrowColumn]

    private init(buffers list: [UnsafeRawPointer?], children columns: [ArrowColumn], kept: [ArrowColumn]) {
        buffers = .allocate(capacity: max(list.count, 1))
        for (index, buffer) in list.enumerated() { (buffers + index).initialize(to: buffer) }
        children = .allocate(capacity: max(columns.count, 1))
        childCount = columns.count
        self.kept = kept
        for (index, column) in columns.enumerated() {
            let child = UnsafeMutablePointer<ArrowArray>.allocate(capacity: 1)
            child.initialize(to: ArrowArray())
            Self.export(column, to: &child.pointee)
            (children + index).initialize(to: child)
        }
    }

    deinit {
        for index in 0..<childCount { Self.free(children[index]) }
        Self.free(dictionary)
        children.deallocate()
        buffers.deallocate()
    }

    private static func free(_ array: UnsafeMutablePointer<ArrowArray>?) {
        guard let array else { return }
        // A receiver may have moved a child away and released it already.
        array.pointee.release?(array)
        array.deallocate()
    }

    private static func export(_ column: ArrowColumn, to array: inout ArrowArray) {
        var list: [UnsafeRawPointer?] = column.type.layout == .null ? [] : [column.validity?.bytes.baseAddress]
        for buffer in column.buffers { list.append(buffer.bytes.baseAddress ?? nothing.bytes.baseAddress) }
        var sizes: ArrowBuffer?
        if column.type.layout == .views {
            let counts = column.buffers.dropFirst().map { Int64($0.count) }
            let storage = ArrowBuffer(count: max(counts.count, 1) * 8) { memory in
                for (index, count) in counts.enumerated() {
                    memory.storeBytes(of: count, toByteOffset: index * 8, as: Int64.self)
                }
            }
            list.append(storage.bytes.baseAddress)
            sizes = storage
        }
        export(
            count: column.count, offset: column.offset, hasNulls: column.validity != nil || column.type == .null,
            buffers: list, children: column.children, dictionary: column.dictionary, sizes: sizes, keeping: [column],
            to: &array)
    }

    static func export(
        count: Int, offset: Int = 0, hasNulls: Bool = false, buffers: [UnsafeRawPointer?], children: [ArrowColumn],
        dictionary: ArrowColumn? = nil, sizes: ArrowBuffer? = nil, keeping kept: [ArrowColumn],
        to array: inout ArrowArray
    ) {
        let export = ArrayExport(buffers: buffers, children: children, kept: kept)
        export.sizes = sizes
        if let dictionary {
            let pointer = UnsafeMutablePointer<ArrowArray>.allocate(capacity: 1)
            pointer.initialize(to: ArrowArray())
            Self.export(dictionary, to: &pointer.pointee)
            export.dictionary = pointer
        }
        array.length = Int64(count)
        array.null_count = hasNulls ? -1 : 0
        array.offset = Int64(offset)
        array.n_buffers = Int64(buffers.count)
        array.n_children = Int64(children.count)
        array.buffers = export.buffers
        array.children = export.children
        array.dictionary = export.dictionary
        array.private_data = Unmanaged.passRetained(export).toOpaque()
        array.release = { pointer in
            guard let pointer, let data = pointer.pointee.private_data else { return }
            pointer.pointee.private_data = nil
            pointer.pointee.release = nil
            Unmanaged<ArrayExport>.fromOpaque(data).release()
        }
    }
}

private final class SchemaExport {
    private let format: UnsafeMutablePointer<CChar>?
    private let name: UnsafeMutablePointer<CChar>?
    private let children: UnsafeMutablePointer<UnsafeMutablePointer<ArrowSchema>?>
    private let childCount: Int
    private var dictionary: UnsafeMutablePointer<ArrowSchema>?

    private init(_ field: ArrowField) {
        format = strdup(field.type.format)
        name = strdup(field.name)
        let fields = field.type.children
        childCount = fields.count
        children = .allocate(capacity: max(fields.count, 1))
        for (index, field) in fields.enumerated() { (children + index).initialize(to: Self.make(field)) }
        if case .dictionary(_, let value, _) = field.type { dictionary = Self.make(ArrowField("", value)) }
    }

    deinit {
        for index in 0..<childCount { Self.discard(children[index]) }
        Self.discard(dictionary)
        children.deallocate()
        free(format)
        free(name)
    }

    private static func make(_ field: ArrowField) -> UnsafeMutablePointer<ArrowSchema> {
        let pointer = UnsafeMutablePointer<ArrowSchema>.allocate(capacity: 1)
        pointer.initialize(to: ArrowSchema())
        export(field, to: &pointer.pointee)
        return pointer
    }

    private static func discard(_ schema: UnsafeMutablePointer<ArrowSchema>?) {
        guard let schema else { return }
        schema.pointee.release?(schema)
        schema.deallocate()
    }

    static func export(_ field: ArrowField, to schema: inout ArrowSchema) {
        let export = SchemaExport(field)
        var flags: Int64 = field.isNullable ? 2 : 0
        if case .map(_, true) = field.type { flags |= 4 }
        if case .dictionary(_, _, true) = field.type { flags |= 1 }
        schema.format = UnsafePointer(export.format)
        schema.name = UnsafePointer(export.name)
        schema.metadata = nil
        schema.flags = flags
        schema.n_children = Int64(export.childCount)
        schema.children = export.children
        schema.dictionary = export.dictionary
        schema.private_data = Unmanaged.passRetained(export).toOpaque()
        schema.release = { pointer in
            guard let pointer, let data = pointer.pointee.private_data else { return }
            pointer.pointee.private_data = nil
            pointer.pointee.release = nil
            Unmanaged<SchemaExport>.fromOpaque(data).release()
        }
    }
}

/// Batches as a C stream, for bulk ingestion.
package final class StreamExport {
    private let schema: ArrowSchemaInfo
    private var batches: [ArrowBatch]
    private var next = 0

    private init(_ schema: ArrowSchemaInfo, _ batches: [ArrowBatch]) {
        self.schema = schema
        self.batches = batches
    }

    /// Fills in a C stream, which the receiver releases.
    package static func export(_ batches: [ArrowBatch], schema: ArrowSchemaInfo, to stream: inout ArrowArrayStream) {
        stream.private_data = Unmanaged.passRetained(StreamExport(schema, batches)).toOpaque()
        stream.get_schema = { stream, out in
            guard let export = StreamExport.of(stream), let out else { return EINVAL }
            export.schema.export(to: &out.pointee)
            return 0
        }
        stream.get_next = { stream, out in
            guard let export = StreamExport.of(stream), let out else { return EINVAL }
            if export.next < export.batches.count {
                export.batches[export.next].export(to: &out.pointee)
                export.next += 1
            } else {
                out.pointee = ArrowArray()
            }
            return 0
        }
        stream.get_last_error = { _ in nil }
        stream.release = { stream in
            guard let stream, let data = stream.pointee.private_data else { return }
            stream.pointee.private_data = nil
            stream.pointee.release = nil
            Unmanaged<StreamExport>.fromOpaque(data).release()
        }
    }

    private static func of(_ stream: UnsafeMutablePointer<ArrowArrayStream>?) -> StreamExport? {
        guard let data = stream?.pointee.private_data else { return nil }
        return Unmanaged<StreamExport>.fromOpaque(data).takeUnretainedValue()
    }
}

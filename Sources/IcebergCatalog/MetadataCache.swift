// SPDX-License-Identifier: Apache-2.0
package import IcebergProtocol
import Synchronization

/// A table as it was loaded.
package struct LoadedTable: Sendable {
    /// The file of metadata; nil where the table is only staged.
    package let metadataLocation: String?
    package let metadata: TableMetadata
    /// The file's bytes.
    package let bytes: [UInt8]
}

/// Files of metadata that were read or written last. They never change: what is found is right.
final class MetadataCache: Sendable {
    private struct Entries: Sendable {
        var tables: [String: (table: LoadedTable, use: UInt64)] = [:]
        var bytes = 0
        var use: UInt64 = 0
    }

    private let entries = Mutex(Entries())
    private let limit: Int

    /// - Parameter limit: bytes of files that are kept at most.
    init(limit: Int) { self.limit = limit }

    subscript(location: String) -> LoadedTable? {
        entries.withLock { entries in
            guard let found = entries.tables[location] else { return nil }
            entries.use += 1
            entries.tables[location] = (found.table, entries.use)
            return found.table
        }
    }

    func put(_ table: LoadedTable) {
        guard let location = table.metadataLocation, table.bytes.count <= limit / 4 else { return }
        entries.withLock { entries in
            entries.use += 1
            if let old = entries.tables.updateValue((table, entries.use), forKey: location) {
                entries.bytes -= old.table.bytes.count
            }
            entries.bytes += table.bytes.count
            while entries.bytes > limit, let oldest = entries.tables.min(by: { $0.value.use < $1.value.use }) {
                entries.tables[oldest.key] = nil
                entries.bytes -= oldest.value.table.bytes.count
            }
        }
    }

    func remove(_ location: String) {
        entries.withLock { entries in
            if let old = entries.tables.removeValue(forKey: location) { entries.bytes -= old.table.bytes.count }
        }
    }
}

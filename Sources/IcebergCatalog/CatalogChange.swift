// SPDX-License-Identifier: Apache-2.0
import IcebergProtocol

/// One change of what the catalog knows. It is made whole or not at all.
enum CatalogChange: Sendable {
    case createNamespace(NamespaceName, [String: String])
    case updateNamespace(NamespaceName, UpdateNamespaceRequest)
    case dropNamespace(NamespaceName)
    /// All of them or none.
    case swap([Swap])
    case dropTable(TableName, expected: String, purges: Bool)
    case renameTable(TableName, TableName)
    /// A view as it is to be, in the place of one whose file is `expected`, or new.
    case putView(Swap)
    case dropView(TableName, expected: String)
    case renameView(TableName, TableName)
    /// Entries of the trash whose files are gone.
    case emptied([Int64])
    /// Files of metadata that nobody refers to any more.
    case forgetFiles([String])

    /// Another file of metadata for a table.
    struct Swap: Sendable {
        var table: TableName
        /// The file that counts now; nil for a table that is not there.
        var expected: String?
        /// The file that is to count.
        var metadataLocation: String
        var uuid: String
        /// Where the table's files are.
        var location: String
        /// Files of metadata that the catalog has to remember as its own.
        var files: [String]
        /// Files of metadata that the table's log no longer has and that are to be deleted where they are the
        /// catalog's own.
        var obsolete: [String] = []
    }

    /// A row that is written or goes.
    enum Row: Sendable {
        case putNamespace(id: Int64, name: String, properties: [String: String])
        case removeNamespace(id: Int64)
        case putTable(TableEntry, namespace: Int64, name: String)
        case removeTable(id: Int64)
        case putView(TableEntry, namespace: Int64, name: String)
        case removeView(id: Int64)
        /// A file of metadata that was written by the catalog and counts, or counted once.
        case addFile(String, table: Int64)
        case removeFiles(table: Int64)
        case removeFile(String)
        /// A file goes to the trash if it is one of the catalog's own.
        case discardFile(String, id: Int64)
        case addTrash(id: Int64, location: String)
        case removeTrash(id: Int64)
    }

    /// What a swap fails with when another commit came first: the commit is tried again from what is there now.
    static func moved(_ name: TableName) -> IcebergError {
        IcebergError(.commitFailed, "\(name) was changed by another commit: load it again")
    }

    /// - Returns: the rows that make the change last, and what updating a namespace answers.
    func apply(to state: inout CatalogState) throws(IcebergError) -> (rows: [Row], properties: [String: String]) {
        switch self {
        case .createNamespace(let name, let properties):
            let id = state.lastID + 1
            try state.addNamespace(name, properties, id: id)
            return ([.putNamespace(id: id, name: name.joined, properties: properties)], properties)
        case .updateNamespace(let name, let request):
            let found = try state.namespace(name)
            let properties = try request.apply(found.properties).properties
            state.setProperties(name, properties)
            return ([.putNamespace(id: found.id, name: name.joined, properties: properties)], found.properties)
        case .dropNamespace(let name):
            return ([.removeNamespace(id: try state.removeNamespace(name).id)], [:])
        case .swap(let swaps):
            if swaps.count == 1 { return (try Self.apply(swaps[0], to: &state), [:]) }
            var copy = state
            var rows: [Row] = []
            for swap in swaps { rows += try Self.apply(swap, to: &copy) }
            state = copy
            return (rows, [:])
        case .dropTable(let name, let expected, let purges):
            guard try state.table(name).metadataLocation == expected else { throw Self.moved(name) }
            let entry = try state.removeTable(name)
            var rows: [Row] = [.removeTable(id: entry.id), .removeFiles(table: entry.id)]
            if purges {
                let id = state.nextID()
                state.beginPurge(id, entry.location)
                rows.append(.addTrash(id: id, location: entry.location + "/"))
            }
            return (rows, [:])
        case .renameTable(let source, let destination):
            let entry = try state.table(source)
            let namespace = try state.namespace(destination.namespace)
            if source == destination { return ([], [:]) }
            try state.checkFree(destination)
            _ = try state.removeTable(source)
            state.put(destination, entry)
            return ([.putTable(entry, namespace: namespace.id, name: destination.name)], [:])
        case .putView(let swap): return (try Self.applyView(swap, to: &state), [:])
        case .dropView(let name, let expected):
            guard try state.view(name).metadataLocation == expected else { throw Self.moved(name) }
            let entry = try state.removeView(name)
            return ([.removeView(id: entry.id), .discardFile(expected, id: state.nextID())], [:])
        case .renameView(let source, let destination):
            let entry = try state.view(source)
            let namespace = try state.namespace(destination.namespace)
            if source == destination { return ([], [:]) }
            try state.checkFree(destination)
            _ = try state.removeView(source)
            state.putView(destination, entry)
            return ([.putView(entry, namespace: namespace.id, name: destination.name)], [:])
        case .emptied(let ids):
            for id in ids { state.endPurge(id) }
            return (ids.map { .removeTrash(id: $0) }, [:])
        case .forgetFiles(let files): return (files.map { .removeFile($0) }, [:])
        }
    }

    private static func apply(_ swap: Swap, to state: inout CatalogState) throws(IcebergError) -> [Row] {
        let namespace = try state.namespace(swap.table.namespace)
        let old = namespace.tables[swap.table.name]
        if old == nil, swap.expected == nil { try state.checkFree(swap.table) }
        guard old?.metadataLocation == swap.expected else { throw moved(swap.table) }
        // A change that changes nothing: it only has to be true that nobody else changed something.
        if old?.metadataLocation == swap.metadataLocation { return [] }
        if old?.location != swap.location { try state.checkFree(swap.location, except: old?.id) }
        let entry = TableEntry(
            id: old?.id ?? state.nextID(), uuid: swap.uuid, location: swap.location,
            metadataLocation: swap.metadataLocation)
        state.put(swap.table, entry)
        var rows: [Row] = [.putTable(entry, namespace: namespace.id, name: swap.table.name)]
        rows += swap.files.map { .addFile($0, table: entry.id) }
        for file in swap.obsolete { rows.append(.discardFile(file, id: state.nextID())) }
        return rows
    }

    private static func applyView(_ swap: Swap, to state: inout CatalogState) throws(IcebergError) -> [Row] {
        let namespace = try state.namespace(swap.table.namespace)
        let old = namespace.views[swap.table.name]
        if swap.expected == nil { try state.checkFree(swap.table) }
        guard old?.metadataLocation == swap.expected else { throw moved(swap.table) }
        if old?.location != swap.location { try state.checkFree(swap.location, except: old?.id) }
        let entry = TableEntry(
            id: old?.id ?? state.nextID(), uuid: swap.uuid, location: swap.location,
            metadataLocation: swap.metadataLocation)
        state.putView(swap.table, entry)
        var rows: [Row] = [.putView(entry, namespace: namespace.id, name: swap.table.name)]
        rows += swap.files.map { .addFile($0, table: entry.id) }
        // A view's file has its whole history: that before is of no use.
        if let old { rows.append(.discardFile(old.metadataLocation, id: state.nextID())) }
        return rows
    }
}

// SPDX-License-Identifier: Apache-2.0
import IcebergProtocol

/// A table or a view as the catalog knows it: everything else is in its file of metadata.
struct TableEntry: Sendable, Hashable {
    /// The same under another name.
    let id: Int64
    var uuid: String
    /// Where the table's files are.
    var location: String
    /// The file of metadata that counts.
    var metadataLocation: String
}

/// Namespaces, and which file of metadata counts for which table. A value: the writer changes a copy and publishes it
/// when the changes are on the disk.
struct CatalogState: Sendable {
    struct Namespace: Sendable, Hashable {
        let id: Int64
        var properties: [String: String]
        var tables: [String: TableEntry] = [:]
        /// Views: no view has the name of a table.
        var views: [String: TableEntry] = [:]
        /// Namespaces right below it.
        var children = 0
    }

    private(set) var namespaces: [NamespaceName: Namespace] = [:]
    /// Places of tables that are being purged: nothing new goes there.
    private(set) var purging: [Int64: String] = [:]
    private(set) var tableCount = 0
    private(set) var viewCount = 0
    /// The greatest number that was given to a namespace, a table or an entry of the trash.
    private(set) var lastID: Int64 = 0

    // MARK: Reading

    func namespace(_ name: NamespaceName) throws(IcebergError) -> Namespace {
        guard let found = namespaces[name] else {
            throw IcebergError(.noSuchNamespace, "the namespace \(name) is not there")
        }
        return found
    }

    func entry(_ name: TableName) throws(IcebergError) -> TableEntry? {
        try namespace(name.namespace).tables[name.name]
    }

    func table(_ name: TableName) throws(IcebergError) -> TableEntry {
        guard let entry = namespaces[name.namespace]?.tables[name.name] else {
            throw IcebergError(.noSuchTable, "the table \(name) is not there")
        }
        return entry
    }

    func view(_ name: TableName) throws(IcebergError) -> TableEntry {
        guard let entry = namespaces[name.namespace]?.views[name.name] else {
            throw IcebergError(.noSuchView, "the view \(name) is not there")
        }
        return entry
    }

    /// - Throws: where a table or a view has the name.
    func checkFree(_ name: TableName) throws(IcebergError) {
        let found = try namespace(name.namespace)
        for (kind, entries) in [("table", found.tables), ("view", found.views)] where entries[name.name] != nil {
            throw IcebergError(.alreadyExists, "the \(kind) \(name) is there already")
        }
    }

    /// The namespaces right below one, or at the top, sorted.
    func children(of parent: NamespaceName?) throws(IcebergError) -> [NamespaceName] {
        if let parent { _ = try namespace(parent) }
        return namespaces.keys.filter { $0.parent == parent }.sorted { $0.joined < $1.joined }
    }

    /// The tables of a namespace, sorted.
    func tableNames(_ name: NamespaceName) throws(IcebergError) -> [String] { try namespace(name).tables.keys.sorted() }

    /// The views of a namespace, sorted.
    func viewNames(_ name: NamespaceName) throws(IcebergError) -> [String] { try namespace(name).views.keys.sorted() }

    /// All tables.
    var entries: [TableEntry] { namespaces.values.flatMap(\.tables.values) }

    /// - Throws: where a table, or one that is being purged, is at, below or above the place.
    func checkFree(_ location: String, except id: Int64?) throws(IcebergError) {
        let place = location + "/"
        func meets(_ other: String) -> Bool {
            place.utf8.starts(with: (other + "/").utf8) || (other + "/").utf8.starts(with: place.utf8)
        }
        for (name, namespace) in namespaces {
            for (table, entry) in namespace.tables where entry.id != id && meets(entry.location) {
                throw IcebergError(
                    .alreadyExists,
                    "the location \(location) is that of the table \(name).\(table), or within it, or around it: "
                        + "choose another")
            }
            for (view, entry) in namespace.views where entry.id != id && meets(entry.location) {
                throw IcebergError(
                    .alreadyExists,
                    "the location \(location) is that of the view \(name).\(view), or within it, or around it: "
                        + "choose another")
            }
        }
        if purging.values.contains(where: meets) {
            throw IcebergError(
                .alreadyExists, "the files of a dropped table at \(location) are still being deleted: try again later")
        }
    }

    // MARK: Changing; each throws before it changes anything

    mutating func nextID() -> Int64 {
        lastID += 1
        return lastID
    }

    mutating func addNamespace(_ name: NamespaceName, _ properties: [String: String], id: Int64) throws(IcebergError) {
        guard namespaces[name] == nil else {
            throw IcebergError(.alreadyExists, "the namespace \(name) is there already")
        }
        if let parent = name.parent {
            _ = try namespace(parent)
            namespaces[parent]?.children += 1
        }
        namespaces[name] = Namespace(id: id, properties: properties)
        lastID = max(lastID, id)
    }

    mutating func setProperties(_ name: NamespaceName, _ properties: [String: String]) {
        namespaces[name]?.properties = properties
    }

    mutating func removeNamespace(_ name: NamespaceName) throws(IcebergError) -> Namespace {
        let found = try namespace(name)
        guard found.tables.isEmpty, found.views.isEmpty, found.children == 0 else {
            throw IcebergError(
                .namespaceNotEmpty,
                "the namespace \(name) has \(found.tables.count) tables, \(found.views.count) views and \(found.children) "
                    + "namespaces: drop them first"
            )
        }
        namespaces[name] = nil
        if let parent = name.parent { namespaces[parent]?.children -= 1 }
        return found
    }

    /// Puts a table, new or as it is now.
    mutating func put(_ name: TableName, _ entry: TableEntry) {
        if namespaces[name.namespace]?.tables.updateValue(entry, forKey: name.name) == nil { tableCount += 1 }
        lastID = max(lastID, entry.id)
    }

    mutating func removeTable(_ name: TableName) throws(IcebergError) -> TableEntry {
        let entry = try table(name)
        namespaces[name.namespace]?.tables[name.name] = nil
        tableCount -= 1
        return entry
    }

    /// Puts a view, new or as it is now.
    mutating func putView(_ name: TableName, _ entry: TableEntry) {
        if namespaces[name.namespace]?.views.updateValue(entry, forKey: name.name) == nil { viewCount += 1 }
        lastID = max(lastID, entry.id)
    }

    mutating func removeView(_ name: TableName) throws(IcebergError) -> TableEntry {
        let entry = try view(name)
        namespaces[name.namespace]?.views[name.name] = nil
        viewCount -= 1
        return entry
    }

    mutating func beginPurge(_ id: Int64, _ location: String) {
        purging[id] = location
        lastID = max(lastID, id)
    }

    mutating func endPurge(_ id: Int64) { purging[id] = nil }

    mutating func noteID(_ id: Int64) { lastID = max(lastID, id) }
}

// SPDX-License-Identifier: Apache-2.0

/// `metadata.managedFields`: who manages which fields of an object.
///
/// Source: Kubernetes API reference, ManagedFieldsEntry v1 meta.
package struct ManagedFields: Hashable, Sendable {
    /// What a manager did when it took its fields.
    package enum Operation: String, Sendable, Comparable {
        case apply = "Apply"
        case update = "Update"

        package static func < (left: Operation, right: Operation) -> Bool { left.rawValue < right.rawValue }
    }

    /// What tells entries apart. One that applies has one entry for all versions of the API.
    struct Identity: Hashable, Sendable {
        var manager: String
        var operation: Operation
        var apiVersion: String
        var subresource: String
    }

    /// The fields of one manager.
    package struct Entry: Hashable, Sendable {
        package var manager: String
        package var operation: Operation
        /// The version of the API that the paths are of.
        package var apiVersion: String
        /// `status`, `scale` or empty.
        package var subresource: String
        /// When the set changed last (RFC 3339); nil when it is not known.
        package var time: String?
        package var fields: FieldSet

        package init(
            manager: String, operation: Operation, apiVersion: String, subresource: String = "", time: String? = nil,
            fields: FieldSet
        ) {
            self.manager = manager
            self.operation = operation
            self.apiVersion = apiVersion
            self.subresource = subresource
            self.time = time
            self.fields = fields
        }

        var identity: Identity {
            Identity(
                manager: manager, operation: operation, apiVersion: operation == .apply ? "" : apiVersion,
                subresource: subresource)
        }
    }

    package internal(set) var entries: [Entry] = []

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    func index(of identity: Identity) -> Int? { entries.firstIndex { $0.identity == identity } }

    /// Whether two differ in more than times.
    package func isSameIgnoringTimes(_ other: ManagedFields) -> Bool {
        guard entries.count == other.entries.count else { return false }
        func timeless(_ entry: Entry) -> Entry {
            var entry = entry
            entry.time = nil
            return entry
        }
        return Set(entries.map(timeless)) == Set(other.entries.map(timeless))
    }

    /// Upstream's order: by operation, time, manager, version, subresource.
    mutating func sort() {
        entries.removeAll { $0.fields.isEmpty }
        guard entries.count > 1 else { return }
        entries.sort { left, right in
            (left.operation.rawValue, left.time ?? "", left.manager, left.apiVersion, left.subresource)
                < (right.operation.rawValue, right.time ?? "", right.manager, right.apiVersion, right.subresource)
        }
    }

    // MARK: Cap

    /// How many managers of updates have an entry of their own.
    package static let maximumUpdateManagers = 10
    /// The manager that takes over the fields of those beyond.
    package static let ancientChanges = "ancient-changes"

    /// Merges the oldest managers of updates until no more are left than may be, for each version of the API apart.
    mutating func cap(_ maximum: Int = maximumUpdateManagers) {
        var excess = entries.count { $0.operation == .update } - maximum
        guard excess > 0 else { return }
        let oldest = entries.filter { $0.operation == .update }.sorted {
            ($0.time ?? "", $0.manager, $0.subresource) < ($1.time ?? "", $1.manager, $1.subresource)
        }
        var first: [String: Identity] = [:]
        for entry in oldest where excess > 0 {
            let bucket = Identity(
                manager: Self.ancientChanges, operation: .update, apiVersion: entry.apiVersion, subresource: "")
            guard let known = first[entry.apiVersion] else {
                first[entry.apiVersion] = entry.identity
                continue
            }
            if index(of: bucket) == nil, let index = index(of: known) {
                entries[index].manager = bucket.manager
                entries[index].subresource = ""
            }
            guard entry.identity != bucket, let target = index(of: bucket) else { continue }
            entries[target].fields = entries[target].fields.union(entry.fields)
            entries[target].time = entry.time
            entries.removeAll { $0.identity == entry.identity }
            excess -= 1
        }
    }
}

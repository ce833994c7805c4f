// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Keeps `managedFields` of objects of one kind, and applies configurations to them. Pure.
///
/// Source: Kubernetes "Server-Side Apply": field management, conflicts, merge strategy, transferring ownership.
package struct FieldManager: Sendable {
    /// A kind in one version of the API.
    package struct Version: Sendable {
        package let type: MergeType
        /// An object of the version of the request in this version; nil when it cannot be converted.
        package let convert: @Sendable (JSONValue) -> JSONValue?
        /// An object of this version in the version of the request.
        package let convertBack: @Sendable (JSONValue) -> JSONValue?

        package init(
            type: MergeType, convert: @escaping @Sendable (JSONValue) -> JSONValue?,
            convertBack: @escaping @Sendable (JSONValue) -> JSONValue?
        ) {
            self.type = type
            self.convert = convert
            self.convertBack = convertBack
        }
    }

    /// Who makes a request, and how the entry of what it changes is named.
    package struct Request: Sendable {
        package var manager: String
        /// Version of the objects that are given.
        package var apiVersion: String
        package var subresource: String
        /// Now (RFC 3339).
        package var time: String

        package init(manager: String, apiVersion: String, subresource: String = "", time: String) {
            self.manager = manager.isEmpty ? "unknown" : manager
            self.apiVersion = apiVersion
            self.subresource = subresource
            self.time = time
        }

        func entry(_ operation: ManagedFields.Operation, _ fields: FieldSet) -> ManagedFields.Entry {
            ManagedFields.Entry(
                manager: manager, operation: operation, apiVersion: apiVersion, subresource: subresource, time: time,
                fields: fields)
        }
    }

    /// The manager of everything that an object had before anything was applied to it.
    package static let beforeFirstApply = "before-first-apply"

    /// Fields that nobody manages.
    private static let unmanaged: FieldSet = {
        let metadata: [PathElement] = [.field("metadata")]
        let members = [
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
            "resourceVersion",
        ]
        return FieldSet(
            paths: [[.field("apiVersion")], [.field("kind")], metadata] + members.map { metadata + [.field($0)] })
    }()

    let type: MergeType
    /// The kind in another version; nil when it is not served.
    let version: @Sendable (String) -> Version?

    package init(type: MergeType, version: @escaping @Sendable (String) -> Version? = { _ in nil }) {
        self.type = type
        self.version = version
    }

    static func managed(_ fields: FieldSet) -> FieldSet { fields.subtracting(unmanaged) }

    // MARK: Create and update

    /// The managers of a new object.
    package func created(_ object: JSONValue, _ request: Request, ignoring ignored: Set<String>) -> ManagedFields {
        var result = ManagedFields()
        let fields = Self.managed(type.created(object)).removing(fields: ignored)
        if !fields.isEmpty { result.entries = [request.entry(.update, fields)] }
        return result
    }

    /// The managers of a changed object: who changed a field manages it. Objects without managers stay without.
    package func updated(
        _ managers: ManagedFields, from old: JSONValue, to new: JSONValue, _ request: Request
    ) -> ManagedFields {
        guard !managers.isEmpty else { return managers }
        let comparison = type.compare(old, new)
        guard !comparison.isEmpty else { return managers }
        var result = reconciled(managers, request)
        let fields = Self.managed(comparison.changed)
        takeAway(comparison, from: old, to: new, request, except: nil, in: &result)
        if !fields.isEmpty {
            var entry = request.entry(.update, fields)
            if let index = result.index(of: entry.identity) {
                entry.fields = result.entries[index].fields.union(fields)
                result.entries[index] = entry
            } else {
                result.entries.append(entry)
            }
        }
        result.entries.removeAll { $0.fields.isEmpty }
        result.cap()
        result.sort()
        return result
    }

    /// The managers for a schema that may have changed since they were noted.
    func reconciled(_ managers: ManagedFields, _ request: Request) -> ManagedFields {
        guard type.mayChange else { return managers }
        var result = managers
        for index in result.entries.indices where result.entries[index].apiVersion == request.apiVersion {
            result.entries[index].fields = result.entries[index].fields.reconciled(type.table.nodes, type.root)
        }
        return result
    }

    /// Takes what changed or went from every manager but one.
    func takeAway(
        _ comparison: Comparison, from old: JSONValue, to new: JSONValue, _ request: Request,
        except own: ManagedFields.Identity?, in managers: inout ManagedFields
    ) {
        var touched = [request.apiVersion: comparison.changed.union(comparison.removed)]
        for index in managers.entries.indices where managers.entries[index].identity != own {
            let entry = managers.entries[index]
            guard let fields = touched[entry.apiVersion] ?? otherTouched(entry.apiVersion, old, new) else {
                // The version is served no more: nobody can say what the paths mean.
                managers.entries[index].fields = FieldSet()
                continue
            }
            touched[entry.apiVersion] = fields
            managers.entries[index].fields = entry.fields.subtracting(fields)
        }
    }

    private func otherTouched(_ apiVersion: String, _ old: JSONValue, _ new: JSONValue) -> FieldSet? {
        guard let comparison = otherComparison(apiVersion, old, new) else { return nil }
        return comparison.changed.union(comparison.removed)
    }

    /// A comparison in another version of the API.
    func otherComparison(_ apiVersion: String, _ old: JSONValue, _ new: JSONValue) -> Comparison? {
        guard let other = version(apiVersion), let old = other.convert(old), let new = other.convert(new) else {
            return nil
        }
        return other.type.compare(old, new)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension FieldManager {
    /// What an apply leads to.
    package struct Applied: Sendable {
        /// The object; nil when it is as it was.
        package var object: JSONValue?
        package var managers: ManagedFields
    }

    /// The annotation in which `kubectl apply` keeps what it applied last.
    package static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
    /// The longest annotations of an object together, in bytes.
    private static let maximumAnnotations = 256 << 10
    /// The manager for whom ownership goes over from `kubectl apply` without server-side apply.
    private static let kubectl = "kubectl"

    /// Applies a configuration.
    ///
    /// - Parameters:
    ///   - given: what the applier wants.
    ///   - live: the present object; nil when there is none.
    ///   - managers: of the present object.
    ///   - request: who applies.
    ///   - force: whether fields of others are taken over.
    ///   - scope: the configuration's part that this request may write.
    /// - Returns: the object with its managers.
    /// - Throws: what is wrong with the configuration, or who else manages what it would change.
    package func apply(
        _ given: JSONValue, to live: JSONValue?, _ managers: ManagedFields, _ request: Request, force: Bool,
        scope: (JSONValue) -> JSONValue = { $0 }
    ) throws(ApplyError) -> Applied {
        guard given["metadata"]["managedFields"].isNull else {
            throw .badRequest("metadata.managedFields must be nil")
        }
        var managers = reconciled(managers, request)
        if let live, managers.isEmpty {
            // What is there without a manager is somebody's.
            var before = request
            before.manager = Self.beforeFirstApply
            before.subresource = ""
            managers = created(live, before, ignoring: [])
        }
        var applied: Applied
        do throws(ApplyError) {
            applied = try applyOnce(given, to: live, managers, request, force: force, scope)
        } catch {
            guard case .conflict(let conflict) = error, request.manager == Self.kubectl, let live else { throw error }
            let open = conflict.without(lastAppliedFields(of: live))
            guard open.owners.isEmpty else { throw .conflict(open) }
            applied = try applyOnce(given, to: live, managers, request, force: true, scope)
        }
        if request.manager == Self.kubectl { keepLastApplied(given, live, &applied) }
        return applied
    }

    private func applyOnce(
        _ given: JSONValue, to live: JSONValue?, _ old: ManagedFields, _ request: Request, force: Bool,
        _ scope: (JSONValue) -> JSONValue
    ) throws(ApplyError) -> Applied {
        let fields: FieldSet
        let configuration = scope(given)
        do throws(TypedError) {
            let all = try type.fields(of: given)
            fields = configuration == given ? all : try type.fields(of: configuration)
        } catch {
            throw .typed(error)
        }
        var managers = old
        let entry = request.entry(.apply, fields)
        let identity = entry.identity
        let last = managers.index(of: identity).map { managers.entries[$0] }
        managers.entries.removeAll { $0.identity == identity }
        managers.entries.append(entry)
        let start = live ?? .object([:])
        var object = type.merge(configuration, into: start)
        if let last { object = pruned(object, managers, last, request) }
        let comparison = type.compare(start, object)
        if !force {
            let conflict = conflicts(comparison, start, object, managers, identity, request)
            guard conflict.owners.isEmpty else { throw .conflict(conflict) }
        }
        if !comparison.isEmpty {
            takeAway(comparison, from: start, to: object, request, except: identity, in: &managers)
        }
        if let index = managers.index(of: identity) {
            managers.entries[index].fields = Self.managed(fields)
            // An apply that changes nothing has no time of its own.
            if let last, last.fields == managers.entries[index].fields, last.apiVersion == request.apiVersion,
                comparison.isEmpty
            {
                managers.entries[index].time = last.time
            }
        }
        managers.sort()
        let isSame = live != nil && comparison.isEmpty
        return Applied(object: isSame ? Optional<JSONValue>.none : .some(object), managers: managers)
    }

    private func conflicts(
        _ comparison: Comparison, _ old: JSONValue, _ new: JSONValue, _ managers: ManagedFields,
        _ own: ManagedFields.Identity, _ request: Request
    ) -> ApplyConflict {
        guard !comparison.isEmpty else { return ApplyConflict(owners: []) }
        let owners = managers.entries.compactMap { entry -> ApplyConflict.Owner? in
            guard entry.identity != own else { return nil }
            let changed =
                entry.apiVersion == request.apiVersion
                ? comparison.changed : otherComparison(entry.apiVersion, old, new)?.changed ?? FieldSet()
            let fields = entry.fields.intersection(changed)
            return fields.isEmpty ? nil : ApplyConflict.Owner(entry: entry, fields: fields)
        }
        return ApplyConflict(owners: owners)
    }

    // MARK: Removal of what is no longer applied

    /// Removes what the applier owned, no longer applies, and nobody else owns.
    private func pruned(
        _ merged: JSONValue, _ managers: ManagedFields, _ last: ManagedFields.Entry, _ request: Request
    ) -> JSONValue {
        let everyone = managers.entries.filter { $0.apiVersion == last.apiVersion }.reduce(FieldSet()) {
            $0.union($1.fields)
        }
        if last.fields.subtracting(everyone).isEmpty { return merged }
        guard last.apiVersion != request.apiVersion else {
            return pruned(merged, type, last.fields, managers, last.apiVersion) ?? merged
        }
        guard let other = version(last.apiVersion), let converted = other.convert(merged),
            let result = pruned(converted, other.type, last.fields, managers, last.apiVersion)
        else { return merged }
        return other.convertBack(result) ?? merged
    }

    /// The same for objects of the version of `last`.
    private func pruned(
        _ merged: JSONValue, _ type: MergeType, _ last: FieldSet, _ managers: ManagedFields, _ apiVersion: String
    ) -> JSONValue? {
        let nodes = type.table.nodes
        func named(_ set: FieldSet) -> FieldSet { set.withNamedFields(nodes, type.root) }
        let owned = named(last)
        let all = named(type.fields(ofLive: merged))
        var result = type.remove(owned, from: merged)
        // What anybody owns comes back.
        let managed = managers.entries.filter { $0.apiVersion == apiVersion }.reduce(FieldSet()) {
            $0.union($1.fields)
        }
        let kept = named(type.fields(ofLive: result)).union(named(managed))
        result = type.remove(all.subtracting(kept), from: merged)
        for entry in managers.entries where entry.apiVersion != apiVersion {
            result = withOwned(entry, merged, result, type, apiVersion)
        }
        // So does what the applier never had.
        let gone = all.subtracting(named(type.fields(ofLive: result))).intersection(owned)
        return type.remove(gone, from: merged)
    }

    /// Brings back what a manager of another version of the API owns.
    private func withOwned(
        _ entry: ManagedFields.Entry, _ merged: JSONValue, _ pruned: JSONValue, _ type: MergeType, _ apiVersion: String
    ) -> JSONValue {
        guard let other = version(entry.apiVersion), let from = version(apiVersion),
            let full = from.convertBack(merged).flatMap(other.convert),
            let rest = from.convertBack(pruned).flatMap(other.convert)
        else { return pruned }
        let nodes = other.type.table.nodes
        func named(_ set: FieldSet) -> FieldSet { set.withNamedFields(nodes, other.type.root) }
        let kept = named(other.type.fields(ofLive: rest)).union(named(entry.fields))
        let result = other.type.remove(named(other.type.fields(ofLive: full)).subtracting(kept), from: full)
        return other.convertBack(result).flatMap(from.convert) ?? pruned
    }

    // MARK: kubectl's own annotation

    /// The fields that `kubectl apply` without server-side apply set and that are still as it set them.
    private func lastAppliedFields(of live: JSONValue) -> FieldSet {
        guard let text = live["metadata"]["annotations"][Self.lastApplied].string, !text.isEmpty,
            let configuration = try? JSONParser.parse(text)
        else { return FieldSet() }
        let comparison = type.compare(configuration, live)
        return type.fields(ofLive: configuration).subtracting(comparison.changed).subtracting(comparison.removed)
    }

    /// Keeps the annotation up to date where there is one, so that both ways of applying can be used in turn.
    private func keepLastApplied(_ given: JSONValue, _ live: JSONValue?, _ applied: inout Applied) {
        guard var object = applied.object ?? live,
            !(object["metadata"]["annotations"][Self.lastApplied].string ?? "")
                .isEmpty
        else { return }
        var configuration = given
        configuration["metadata"]["annotations"][Self.lastApplied] = .null
        if configuration["metadata"]["annotations"].isEmpty { configuration["metadata"]["annotations"] = .null }
        var text = configuration.text + "\n"
        let others = object["metadata"]["annotations"].stringMembers.filter { $0.key != Self.lastApplied }
        let size = others.reduce(text.utf8.count) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        if size > Self.maximumAnnotations { text = "" }
        guard object["metadata"]["annotations"][Self.lastApplied] != .string(text) else { return }
        object["metadata"]["annotations"][Self.lastApplied] = .string(text)
        applied.object = object
    }
}

extension ApplyConflict {
    /// The conflict without fields that may be taken over.
    func without(_ allowed: FieldSet) -> ApplyConflict {
        ApplyConflict(
            owners: owners.compactMap { owner in
                var owner = owner
                owner.fields = owner.fields.subtracting(allowed)
                return owner.fields.isEmpty ? nil : owner
            })
    }
}

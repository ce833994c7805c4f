// SPDX-License-Identifier: Apache-2.0

/// Which of its names a definition gets, beside the others of its group.
///
/// Source: Kubernetes "CustomResourceDefinition v1", `status.acceptedNames`, conditions `NamesAccepted` and
/// `Established`. A name that is accepted stays so; one that another definition has is not given again.
package struct NamesDecision: Sendable, Hashable {
    package var accepted: Definition.Names
    package var isAccepted = true
    package var reason = "NoConflicts"
    package var message = "no conflicts found"

    /// - Parameters:
    ///   - wanted: what the definition asks for.
    ///   - present: what it has been given before.
    ///   - others: what the other definitions of the group have been given.
    package init(wanted: Definition.Names, present: Definition.Names, others: [Definition.Names]) {
        var resources: Set<String> = []
        var kinds: Set<String> = []
        for other in others {
            resources.formUnion([other.plural, other.singular] + other.shortNames)
            kinds.formUnion([other.kind, other.listKind])
        }
        accepted = present
        check(wanted.plural, present.plural, resources, "PluralConflict", \.plural)
        check(wanted.singular, present.singular, resources, "SingularConflict", \.singular)
        let taken = wanted.shortNames.filter { !present.shortNames.contains($0) && resources.contains($0) }
        if taken.isEmpty {
            accepted.shortNames = wanted.shortNames
        } else {
            let list = taken.map { "\"\($0)\" is already in use" }
            refuse("ShortNamesConflict", list.count == 1 ? list[0] : "[\(list.joined(separator: ", "))]")
        }
        check(wanted.kind, present.kind, kinds, "KindConflict", \.kind)
        check(wanted.listKind, present.listKind, kinds, "ListKindConflict", \.listKind)
        accepted.categories = wanted.categories
    }

    private mutating func check(
        _ wanted: String, _ present: String, _ taken: Set<String>, _ reason: String,
        _ member: WritableKeyPath<Definition.Names, String>
    ) {
        if wanted != present, taken.contains(wanted) {
            refuse(reason, "\"\(wanted)\" is already in use")
        } else {
            accepted[keyPath: member] = wanted
        }
    }

    private mutating func refuse(_ reason: String, _ message: String) {
        isAccepted = false
        self.reason = reason
        self.message = message
    }
}

// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// The kinds that a server serves, by group, version and plural.
package struct ResourceRegistry: Sendable {
    /// A kind that is only created and answered, never stored.
    package struct Review: Sendable {
        package var resource: KubeResource
        package var singular: String
        /// Answers a request's object.
        package var answer: @Sendable (KubeObject, ReviewContext) async throws(StatusError) -> KubeObject
    }

    private struct Address: Hashable {
        var group: String
        var version: String
        var plural: String
    }

    /// In the order of declaration.
    package private(set) var declarations: [ResourceDeclaration] = []
    package private(set) var reviews: [Review] = []
    private var index: [Address: Int] = [:]

    package init(_ declarations: [ResourceDeclaration] = [], reviews: [Review] = []) {
        for declaration in declarations { add(declaration) }
        self.reviews = reviews
    }

    /// Adds a kind, or replaces the one at its address.
    package mutating func add(_ declaration: ResourceDeclaration) {
        let resource = declaration.resource
        let address = Address(group: resource.group, version: resource.version, plural: resource.plural)
        if let position = index[address] {
            declarations[position] = declaration
        } else {
            index[address] = declarations.count
            declarations.append(declaration)
        }
    }

    /// The declaration at an address.
    package func declaration(group: String, version: String, plural: String) -> ResourceDeclaration? {
        index[Address(group: group, version: version, plural: plural)].map { declarations[$0] }
    }

    /// Whether something is served at an address.
    func serves(group: String, version: String, plural: String) -> Bool {
        index[Address(group: group, version: version, plural: plural)] != nil
            || review(group: group, version: version, plural: plural) != nil
    }

    /// The declaration of a resource.
    package func declaration(_ resource: KubeResource) -> ResourceDeclaration? {
        declaration(group: resource.group, version: resource.version, plural: resource.plural)
    }

    func review(group: String, version: String, plural: String) -> Review? {
        reviews.first { $0.resource.group == group && $0.resource.version == version && $0.resource.plural == plural }
    }

    /// Group and version pairs in the order of declaration.
    var groupVersions: [(group: String, version: String)] {
        var seen: Set<String> = []
        return (declarations.map(\.resource) + reviews.map(\.resource)).compactMap { resource in
            seen.insert(resource.apiVersion).inserted ? (resource.group, resource.version) : nil
        }
    }
}

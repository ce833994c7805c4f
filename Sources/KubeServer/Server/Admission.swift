// SPDX-License-Identifier: Apache-2.0
package import KubeAPI
import Synchronization

/// A write that admission may change or refuse.
package struct AdmissionAttributes: Sendable {
    /// What is done to the object.
    package enum Operation: String, Sendable {
        case create = "CREATE"
        case update = "UPDATE"
        case delete = "DELETE"
    }

    package var operation: Operation
    package var resource: KubeResource
    package var subresource: String
    package var namespace: String
    package var name: String
    package var user: UserInfo
    /// The object before; nil when it is created.
    package var old: KubeObject?
    package var isDryRun: Bool
    /// What plugins tell besides their decision.
    package var notes = AdmissionNotes()
}

/// What the plugins say about one write besides yes and no, and what they hold until it has ended.
package final class AdmissionNotes: Sendable {
    private struct State {
        var warnings: [String] = []
        var annotations: [String: String] = [:]
        var endings: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Warnings for the client, in the order in which they were given.
    package var warnings: [String] { state.withLock { $0.warnings } }
    /// Annotations for the audit log.
    package var annotations: [String: String] { state.withLock { $0.annotations } }

    /// Tells the client something in a `Warning` header.
    package func warn(_ text: String) { state.withLock { $0.warnings.append(text) } }

    /// Adds an annotation to the request's audit events.
    package func annotate(_ key: String, _ value: String) {
        state.withLock { $0.annotations[key] = value }
        AuditEvent.current?.annotate(key, value)
    }

    /// Has something done when the write has been stored or refused.
    package func atEnd(_ ending: @escaping @Sendable () -> Void) { state.withLock { $0.endings.append(ending) } }

    /// The write has been stored or refused.
    func end() {
        let endings = state.withLock { state in
            defer { state.endings = [] }
            return state.endings
        }
        for ending in endings { ending() }
    }
}

/// One step of admission. All steps change the object in order, after its defaults are set; then it is validated;
/// then all steps decide in order about what would be stored.
package struct AdmissionPlugin: Sendable {
    package var name: String
    /// Changes the object, or throws to refuse the write. For a delete the object is the old one.
    package var admit: @Sendable (inout KubeObject, AdmissionAttributes) async throws(StatusError) -> Void
    /// Throws to refuse the write of an object that is valid.
    package var validate: @Sendable (KubeObject, AdmissionAttributes) async throws(StatusError) -> Void

    package init(
        name: String,
        admit: @escaping @Sendable (inout KubeObject, AdmissionAttributes) async throws(StatusError) -> Void = {
            _, _ in
        },
        validate: @escaping @Sendable (KubeObject, AdmissionAttributes) async throws(StatusError) -> Void = { _, _ in }
    ) {
        self.name = name
        self.admit = admit
        self.validate = validate
    }
}

extension APIServer {
    func attributes(
        _ operation: AdmissionAttributes.Operation, old: KubeObject?, _ call: ResourceCall
    ) -> AdmissionAttributes {
        AdmissionAttributes(
            operation: operation, resource: call.resource, subresource: call.subresource, namespace: call.namespace,
            name: call.name, user: call.user, old: old, isDryRun: call.isDryRun)
    }

    /// Lets every step change the object.
    func admit(_ object: inout KubeObject, _ attributes: AdmissionAttributes) async throws(StatusError) {
        for plugin in admission { try await plugin.admit(&object, attributes) }
        try changeByPolicies(&object, attributes)
    }

    /// Lets every step decide about the valid object.
    func decide(_ object: KubeObject, _ attributes: AdmissionAttributes) async throws(StatusError) {
        try decideByPolicies(object, attributes)
        for plugin in admission { try await plugin.validate(object, attributes) }
    }
}

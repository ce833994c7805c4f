// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

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
}

/// One step of admission; steps run in order, after defaults and before validation.
package struct AdmissionPlugin: Sendable {
    package var name: String
    /// Changes the object, or throws to refuse the write. For a delete the object is the old one.
    package var admit: @Sendable (inout KubeObject, AdmissionAttributes) async throws(StatusError) -> Void

    package init(
        name: String,
        admit: @escaping @Sendable (inout KubeObject, AdmissionAttributes) async throws(StatusError) -> Void
    ) {
        self.name = name
        self.admit = admit
    }
}

// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol

/// What handlers ask before they do anything: whether the client may.
extension Broker {
    /// Whether the client may do that; everybody may everything where clients do not say who they are.
    func may(
        _ context: RequestContext, _ operation: ACLOperation, _ type: ACLResourceType, _ name: String
    ) -> Bool {
        guard let access else { return true }
        return context.client.access.allows(operation, type, name, by: access)
    }

    /// The same, of the broker itself.
    func may(_ context: RequestContext, _ operation: ACLOperation) -> Bool {
        may(context, operation, .cluster, ACLBinding.clusterName)
    }

    /// Whether the client may make a topic.
    func mayCreate(_ context: RequestContext, topic: String) -> Bool {
        may(context, .create) || may(context, .create, .topic, topic)
    }

    /// Whether the client may write without transactions but exactly once (KIP-679).
    func mayWriteIdempotently(_ context: RequestContext) -> Bool {
        guard let access else { return true }
        return may(context, .idempotentWrite) || context.client.access.allowsAny(.write, .topic, by: access)
    }

    /// What the client may do to something, as bits (KIP-430).
    func operations(_ context: RequestContext, on type: ACLResourceType, _ name: String) -> Int32 {
        ACLOperationSet.bits(type.operations.filter { may(context, $0, type, name) })
    }
}

extension TopicError {
    /// The client may not do that to the topic.
    static let topicDenied = TopicError(.topicAuthorizationFailed, "Topic authorization failed.")
    /// The client may not do that to the broker.
    static let clusterDenied = TopicError(.clusterAuthorizationFailed, "Cluster authorization failed.")
}

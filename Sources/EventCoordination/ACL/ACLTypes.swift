// SPDX-License-Identifier: Apache-2.0

/// What is guarded; raw values are those on the wire.
package enum ACLResourceType: Int8, Hashable, Sendable, CaseIterable {
    case any = 1
    case topic = 2
    case group = 3
    case cluster = 4
    case transactionalID = 5
    case delegationToken = 6
    case user = 7

    /// Kafka's name, as tools print it.
    package var name: String {
        switch self {
        case .any: "ANY"
        case .topic: "TOPIC"
        case .group: "GROUP"
        case .cluster: "CLUSTER"
        case .transactionalID: "TRANSACTIONAL_ID"
        case .delegationToken: "DELEGATION_TOKEN"
        case .user: "USER"
        }
    }

    /// What may be done to it (KIP-133 and the table "Operations in Kafka" of the documentation).
    package var operations: Set<ACLOperation> {
        switch self {
        case .any: []
        case .topic: [.read, .write, .create, .describe, .delete, .alter, .describeConfigs, .alterConfigs]
        case .group: [.read, .describe, .delete, .describeConfigs, .alterConfigs]
        case .cluster:
            [.create, .clusterAction, .describeConfigs, .alterConfigs, .idempotentWrite, .alter, .describe]
        case .transactionalID: [.describe, .write]
        case .delegationToken: [.describe]
        case .user: [.createTokens, .describeTokens]
        }
    }
}

/// How the name of a resource is meant; raw values are those on the wire. `any` and `match` are for filters.
package enum ACLPatternType: Int8, Hashable, Sendable, CaseIterable {
    case any = 1
    /// Every pattern that applies to a resource of that name.
    case match = 2
    case literal = 3
    case prefixed = 4

    package var name: String {
        switch self {
        case .any: "ANY"
        case .match: "MATCH"
        case .literal: "LITERAL"
        case .prefixed: "PREFIXED"
        }
    }
}

/// What is done; raw values are those on the wire. `any` is for filters.
package enum ACLOperation: Int8, Hashable, Sendable, CaseIterable {
    case any = 1
    case all = 2
    case read = 3
    case write = 4
    case create = 5
    case delete = 6
    case alter = 7
    case describe = 8
    case clusterAction = 9
    case describeConfigs = 10
    case alterConfigs = 11
    case idempotentWrite = 12
    case createTokens = 13
    case describeTokens = 14

    package var name: String {
        switch self {
        case .any: "ANY"
        case .all: "ALL"
        case .read: "READ"
        case .write: "WRITE"
        case .create: "CREATE"
        case .delete: "DELETE"
        case .alter: "ALTER"
        case .describe: "DESCRIBE"
        case .clusterAction: "CLUSTER_ACTION"
        case .describeConfigs: "DESCRIBE_CONFIGS"
        case .alterConfigs: "ALTER_CONFIGS"
        case .idempotentWrite: "IDEMPOTENT_WRITE"
        case .createTokens: "CREATE_TOKENS"
        case .describeTokens: "DESCRIBE_TOKENS"
        }
    }

    /// Whether a permission to do this is one to do the other.
    func implies(_ other: ACLOperation) -> Bool {
        switch (self, other) {
        case (.all, _): true
        case (.read, .describe), (.write, .describe), (.delete, .describe), (.alter, .describe): true
        case (.alterConfigs, .describeConfigs): true
        default: self == other
        }
    }
}

/// Whether it is allowed; raw values are those on the wire. `any` is for filters.
package enum ACLPermission: Int8, Hashable, Sendable, CaseIterable {
    case any = 1
    case deny = 2
    case allow = 3

    package var name: String {
        switch self {
        case .any: "ANY"
        case .deny: "DENY"
        case .allow: "ALLOW"
        }
    }
}

/// The bits of `authorized_operations` in Metadata, DescribeGroups and DescribeCluster (KIP-430).
package struct ACLOperationSet {
    package static func bits(_ operations: some Sequence<ACLOperation>) -> Int32 {
        operations.reduce(0) { $0 | 1 << Int32($1.rawValue) }
    }
}

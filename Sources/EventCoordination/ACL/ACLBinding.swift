// SPDX-License-Identifier: Apache-2.0

/// One rule: who may, or may not, do what to which resources, from where (KIP-11, KIP-290).
package struct ACLBinding: Hashable, Sendable, Comparable {
    /// Stands for every resource, principal (`User:*`) and host.
    package static let wildcard = "*"
    /// The one name of a resource of type `cluster`.
    package static let clusterName = "kafka-cluster"

    package var resourceType: ACLResourceType
    package var name: String
    package var patternType: ACLPatternType
    /// `TYPE:NAME`, like `User:alice`.
    package var principal: String
    /// An address, or `*`.
    package var host: String
    package var operation: ACLOperation
    package var permission: ACLPermission

    package init(
        resourceType: ACLResourceType, name: String, patternType: ACLPatternType = .literal, principal: String,
        host: String = wildcard, operation: ACLOperation, permission: ACLPermission
    ) {
        self.resourceType = resourceType
        self.name = name
        self.patternType = patternType
        self.principal = principal
        self.host = host
        self.operation = operation
        self.permission = permission
    }

    /// Why it cannot be created; nil where it can.
    package var problem: String? {
        if resourceType == .any { return "an ACL is for one type of resource, not for ANY" }
        if patternType == .any || patternType == .match {
            return "an ACL has a LITERAL or PREFIXED pattern, not \(patternType.name)"
        }
        if operation == .any { return "an ACL is for one operation or ALL, not for ANY" }
        if permission == .any { return "an ACL has the permission ALLOW or DENY, not ANY" }
        if name.isEmpty { return "an ACL needs the name of a resource, or *" }
        if resourceType == .cluster && name != Self.clusterName {
            return "the only resource of type CLUSTER is \(Self.clusterName), not \(name)"
        }
        if host.isEmpty { return "an ACL needs a host, or *" }
        let parts = principal.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            return "the principal \"\(principal)\" is not TYPE:NAME, like User:alice"
        }
        guard operation == .all || resourceType.operations.contains(operation) else {
            return "\(operation.name) cannot be done to a resource of type \(resourceType.name)"
        }
        return nil
    }

    /// Whether it is about the resource.
    func covers(_ type: ACLResourceType, _ resource: String) -> Bool {
        guard type == resourceType else { return false }
        switch patternType {
        case .prefixed: return resource.hasUTF8Prefix(name)
        case .literal: return name == resource || name == Self.wildcard
        case .any, .match: return false
        }
    }

    func concerns(principal: String, host: String) -> Bool {
        (self.principal == principal || self.principal == "User:*") && (self.host == host || self.host == Self.wildcard)
    }

    private var order: [String] {
        [
            String(resourceType.rawValue), name, String(patternType.rawValue), principal, host, operation.name,
            permission.name,
        ]
    }

    package static func < (left: ACLBinding, right: ACLBinding) -> Bool {
        left.order.lexicographicallyPrecedes(right.order)
    }
}

extension String {
    /// A prefix by bytes: `hasPrefix` would compare characters.
    func hasUTF8Prefix(_ prefix: String) -> Bool {
        utf8.starts(with: prefix.utf8)
    }
}

/// What DescribeAcls and DeleteAcls look for; nil and `any` stand for all.
package struct ACLFilter: Hashable, Sendable {
    package var resourceType: ACLResourceType
    package var name: String?
    package var patternType: ACLPatternType
    package var principal: String?
    package var host: String?
    package var operation: ACLOperation
    package var permission: ACLPermission

    package init(
        resourceType: ACLResourceType = .any, name: String? = nil, patternType: ACLPatternType = .any,
        principal: String? = nil, host: String? = nil, operation: ACLOperation = .any, permission: ACLPermission = .any
    ) {
        self.resourceType = resourceType
        self.name = name
        self.patternType = patternType
        self.principal = principal
        self.host = host
        self.operation = operation
        self.permission = permission
    }

    package func matches(_ binding: ACLBinding) -> Bool {
        guard resourceType == .any || resourceType == binding.resourceType, matchesPattern(of: binding),
            principal.map({ $0 == binding.principal }) ?? true, host.map({ $0 == binding.host }) ?? true
        else { return false }
        return (operation == .any || operation == binding.operation)
            && (permission == .any || permission == binding.permission)
    }

    private func matchesPattern(of binding: ACLBinding) -> Bool {
        guard patternType == .any || patternType == .match || patternType == binding.patternType else { return false }
        guard let name else { return true }
        guard patternType == .match else { return name == binding.name }
        return binding.covers(binding.resourceType, name)
    }
}

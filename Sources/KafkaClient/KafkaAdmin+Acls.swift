// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// Who may do what (KIP-11, KIP-290): `principal` from `host` is allowed or denied `operation` on resources that match.
package struct AccessRule: Sendable, Hashable {
    package enum Resource: UInt32, Sendable {
        case topic = 2
        case group = 3
        /// The cluster; its name is `kafka-cluster`.
        case cluster = 4
        // librdkafka 2.0 does not know the rest: ``DirectSession`` does.
        case transactionalID = 5
        case delegationToken = 6
        case user = 7
    }

    package enum Pattern: UInt32, Sendable {
        case literal = 3
        case prefixed = 4
    }

    package enum Operation: UInt32, Sendable {
        case all = 2
        case read, write, create, delete, alter, describe, clusterAction, describeConfigs, alterConfigs
        case idempotentWrite, createTokens, describeTokens, twoPhaseCommit
    }

    package enum Permission: UInt32, Sendable {
        case deny = 2
        case allow = 3
    }

    package var resource: Resource
    package var name: String
    package var pattern: Pattern
    /// Such as `User:alice`.
    package var principal: String
    /// `*`: any.
    package var host: String
    package var operation: Operation
    package var permission: Permission

    package init(
        _ permission: Permission = .allow, _ operation: Operation, on resource: Resource, _ name: String,
        pattern: Pattern = .literal, principal: String, host: String = "*"
    ) {
        self.permission = permission
        self.operation = operation
        self.resource = resource
        self.name = name
        self.pattern = pattern
        self.principal = principal
        self.host = host
    }
}

/// Which rules are meant; nil means any.
package struct AccessRuleFilter: Sendable {
    package var resource: AccessRule.Resource?
    package var name: String?
    package var pattern: AccessRule.Pattern?
    package var principal: String?
    package var host: String?
    package var operation: AccessRule.Operation?
    package var permission: AccessRule.Permission?

    package init(resource: AccessRule.Resource? = nil, name: String? = nil, principal: String? = nil) {
        self.resource = resource
        self.name = name
        self.principal = principal
    }

    /// Exactly this rule.
    package init(_ rule: AccessRule) {
        self.init(resource: rule.resource, name: rule.name, principal: rule.principal)
        pattern = rule.pattern
        host = rule.host
        operation = rule.operation
        permission = rule.permission
    }
}

extension KafkaAdmin {
    /// Adds rules; those that exist already are not added twice.
    /// - Throws: the first rule's error.
    package func createRules(_ rules: [AccessRule]) async throws {
        try await request(RD_KAFKA_ADMIN_OP_CREATEACLS, "creating access rules") { client, options, queue in
            var natives: [OpaquePointer?] = []
            do {
                for rule in rules { natives.append(try Self.native(rule)) }
            } catch {
                natives.forEach { rd_kafka_AclBinding_destroy($0) }
                throw error
            }
            PointerList.with(natives, free: rd_kafka_AclBinding_destroy) {
                rd_kafka_CreateAcls(client, $0, $1, options, queue)
            }
        } parse: { event in
            var count = 0
            let array = rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count)
            for result in PointerList.elements(array, count) {
                if let error = rd_kafka_acl_result_error(result) {
                    throw KafkaError(reading: error, "creating an access rule")
                }
            }
        }
    }

    package func describeRules(_ filter: AccessRuleFilter = .init()) async throws -> [AccessRule] {
        try await request(RD_KAFKA_ADMIN_OP_DESCRIBEACLS, "reading access rules") { client, options, queue in
            let native = try Self.native(filter)
            defer { rd_kafka_AclBinding_destroy(native) }
            rd_kafka_DescribeAcls(client, native, options, queue)
        } parse: { event in
            var count = 0
            let array = rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event), &count)
            return PointerList.elements(array, count).compactMap(AccessRule.init)
        }
    }

    /// - Returns: the rules that were deleted.
    package func deleteRules(_ filter: AccessRuleFilter) async throws -> [AccessRule] {
        try await request(RD_KAFKA_ADMIN_OP_DELETEACLS, "deleting access rules") { client, options, queue in
            PointerList.with([try Self.native(filter)], free: rd_kafka_AclBinding_destroy) {
                rd_kafka_DeleteAcls(client, $0, $1, options, queue)
            }
        } parse: { event in
            var count = 0
            let array = rd_kafka_DeleteAcls_result_responses(rd_kafka_event_DeleteAcls_result(event), &count)
            var deleted: [AccessRule] = []
            for response in PointerList.elements(array, count) {
                if let error = rd_kafka_DeleteAcls_result_response_error(response) {
                    throw KafkaError(reading: error, "deleting access rules")
                }
                var matches = 0
                let rules = rd_kafka_DeleteAcls_result_response_matching_acls(response, &matches)
                deleted += PointerList.elements(rules, matches).compactMap(AccessRule.init)
            }
            return deleted
        }
    }

    private static func native(_ rule: AccessRule) throws -> OpaquePointer {
        var reason = [CChar](repeating: 0, count: 512)
        let native = rd_kafka_AclBinding_new(
            rd_kafka_ResourceType_t(rule.resource.rawValue), rule.name,
            rd_kafka_ResourcePatternType_t(rule.pattern.rawValue), rule.principal, rule.host,
            rd_kafka_AclOperation_t(rule.operation.rawValue),
            rd_kafka_AclPermissionType_t(rule.permission.rawValue), &reason, reason.count)
        guard let native else {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "an access rule", detail: text(reason))
        }
        return native
    }

    /// 1 is Kafka's "any".
    private static func native(_ filter: AccessRuleFilter) throws -> OpaquePointer {
        var reason = [CChar](repeating: 0, count: 512)
        let native = rd_kafka_AclBindingFilter_new(
            rd_kafka_ResourceType_t(filter.resource?.rawValue ?? 1), filter.name,
            rd_kafka_ResourcePatternType_t(filter.pattern?.rawValue ?? 1), filter.principal, filter.host,
            rd_kafka_AclOperation_t(filter.operation?.rawValue ?? 1),
            rd_kafka_AclPermissionType_t(filter.permission?.rawValue ?? 1), &reason, reason.count)
        guard let native else {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "a filter of access rules", detail: text(reason))
        }
        return native
    }
}

extension AccessRule {
    /// nil for kinds of rules that this version does not know.
    fileprivate init?(_ native: OpaquePointer) {
        guard let resource = Resource(rawValue: rd_kafka_AclBinding_restype(native).rawValue),
            let pattern = Pattern(rawValue: rd_kafka_AclBinding_resource_pattern_type(native).rawValue),
            let operation = Operation(rawValue: rd_kafka_AclBinding_operation(native).rawValue),
            let permission = Permission(rawValue: rd_kafka_AclBinding_permission_type(native).rawValue)
        else { return nil }
        self.init(
            permission, operation, on: resource, string(rd_kafka_AclBinding_name(native)) ?? "", pattern: pattern,
            principal: string(rd_kafka_AclBinding_principal(native)) ?? "",
            host: string(rd_kafka_AclBinding_host(native)) ?? "")
    }
}

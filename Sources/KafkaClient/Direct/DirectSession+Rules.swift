// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import KafkaProtocol

/// Access rules, also about resources that librdkafka 2.0 does not know (transactional ids).
extension DirectSession {
    /// Any, in a filter.
    private static let any: Int8 = 1

    /// The rules about a principal, such as `User:alice`. Those of kinds that this version does not know are left out.
    package mutating func rules(of principal: String) async throws -> Set<AccessRule> {
        let answer: DescribeAclsResponse = try await ask(
            DescribeAclsRequest(
                resourceTypeFilter: Self.any, resourceNameFilter: nil, patternTypeFilter: Self.any,
                principalFilter: principal, hostFilter: nil, operation: Self.any, permissionType: Self.any),
            least: 1)
        try check(answer.errorCode, answer.errorMessage, "reading the access rules of \(principal)")
        var rules: Set<AccessRule> = []
        for resource in answer.resources {
            for rule in resource.acls where rule.principal == principal {
                guard let type = AccessRule.Resource(wire: resource.resourceType),
                    let pattern = AccessRule.Pattern(wire: resource.patternType),
                    let operation = AccessRule.Operation(wire: rule.operation),
                    let permission = AccessRule.Permission(wire: rule.permissionType)
                else { continue }
                rules.insert(
                    AccessRule(
                        permission, operation, on: type, resource.resourceName, pattern: pattern, principal: principal,
                        host: rule.host))
            }
        }
        return rules
    }

    /// Adds rules; those that exist already are not added twice.
    /// - Throws: the first rule's error.
    package mutating func createRules(_ rules: [AccessRule]) async throws {
        guard !rules.isEmpty else { return }
        let answer: CreateAclsResponse = try await ask(
            CreateAclsRequest(
                creations: rules.map {
                    .init(
                        resourceType: $0.resource.wire, resourceName: $0.name, resourcePatternType: $0.pattern.wire,
                        principal: $0.principal, host: $0.host, operation: $0.operation.wire,
                        permissionType: $0.permission.wire)
                }), least: 1)
        guard answer.results.count == rules.count else {
            throw DirectAnswerError("\(answer.results.count) results for \(rules.count) access rules")
        }
        for (rule, result) in zip(rules, answer.results) {
            try check(result.errorCode, result.errorMessage, "creating the access rule on \(rule.name)")
        }
    }

    /// Takes exactly these rules away; those that are not there are well, too.
    package mutating func deleteRules(_ rules: [AccessRule]) async throws {
        guard !rules.isEmpty else { return }
        let answer: DeleteAclsResponse = try await ask(
            DeleteAclsRequest(
                filters: rules.map {
                    .init(
                        resourceTypeFilter: $0.resource.wire, resourceNameFilter: $0.name,
                        patternTypeFilter: $0.pattern.wire, principalFilter: $0.principal, hostFilter: $0.host,
                        operation: $0.operation.wire, permissionType: $0.permission.wire)
                }), least: 1)
        guard answer.filterResults.count == rules.count else {
            throw DirectAnswerError("\(answer.filterResults.count) results for \(rules.count) access rules")
        }
        for (rule, result) in zip(rules, answer.filterResults) {
            let what = "deleting the access rule on \(rule.name)"
            try check(result.errorCode, result.errorMessage, what)
            for match in result.matchingAcls { try check(match.errorCode, match.errorMessage, what) }
        }
    }
}

extension RawRepresentable where RawValue == UInt32 {
    /// The number on the wire.
    fileprivate var wire: Int8 { Int8(clamping: rawValue) }

    /// nil for a number that is not known.
    fileprivate init?(wire: Int8) {
        guard wire >= 0 else { return nil }
        self.init(rawValue: UInt32(wire))
    }
}

// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol
import Logging

/// Rules of who may do what (KIP-140, KIP-290).
extension Broker {
    private static let disabled = TopicError(
        .securityDisabled, "No Authorizer is configured: the broker runs without --sasl and --tls-client-ca.")

    private func controlled(
        _ context: RequestContext, _ operation: ACLOperation
    ) throws(TopicError) -> BrokerAccess {
        guard let access else { throw Self.disabled }
        guard may(context, operation) else { throw .clusterDenied }
        return access
    }

    func describeRules(_ request: DescribeAclsRequest, _ context: RequestContext) -> DescribeAclsResponse {
        do throws(TopicError) {
            let access = try controlled(context, .describe)
            let filter = try ACLFilter(
                type: request.resourceTypeFilter, name: request.resourceNameFilter,
                pattern: request.patternTypeFilter, principal: request.principalFilter, host: request.hostFilter,
                operation: request.operation, permission: request.permissionType)
            var response = DescribeAclsResponse(errorMessage: nil)
            for rule in access.rules.read({ $0.store.describe(filter) }) {
                let last = response.resources.last
                if last?.resourceType != rule.resourceType.rawValue || last?.resourceName != rule.name
                    || last?.patternType != rule.patternType.rawValue
                {
                    response.resources.append(
                        .init(
                            resourceType: rule.resourceType.rawValue, resourceName: rule.name,
                            patternType: rule.patternType.rawValue))
                }
                response.resources[response.resources.count - 1].acls.append(
                    .init(
                        principal: rule.principal, host: rule.host, operation: rule.operation.rawValue,
                        permissionType: rule.permission.rawValue))
            }
            return response
        } catch {
            return DescribeAclsResponse(errorCode: error.code.rawValue, errorMessage: error.message)
        }
    }

    func createRules(_ request: CreateAclsRequest, _ context: RequestContext) async -> CreateAclsResponse {
        let results = request.creations.map { creation in
            Result { () throws(TopicError) in try ACLBinding(creation) }
        }
        func response(_ failure: TopicError? = nil) -> CreateAclsResponse {
            CreateAclsResponse(
                results: results.map { result in
                    var error = failure
                    if error == nil, case .failure(let own) = result { error = own }
                    return .init(errorCode: error?.code.rawValue ?? 0, errorMessage: error?.message)
                })
        }
        do throws(TopicError) {
            let access = try controlled(context, .alter)
            let rules = results.compactMap { try? $0.get() }
            let hasRoom = try await changing {
                try await access.changeRules { store in
                    guard store.bindings.count + rules.count <= BrokerAccess.maximumRules else { return false }
                    for rule in rules { store.add(rule) }
                    return true
                }
            }
            guard hasRoom else {
                throw TopicError(.policyViolation, "There may be \(BrokerAccess.maximumRules) rules.")
            }
            log("rules made", rules, context)
            return response()
        } catch {
            return response(error)
        }
    }

    func deleteRules(_ request: DeleteAclsRequest, _ context: RequestContext) async -> DeleteAclsResponse {
        var response = DeleteAclsResponse()
        for wanted in request.filters {
            var result = DeleteAclsResponse.DeleteAclsFilterResult(errorMessage: nil)
            do throws(TopicError) {
                let access = try controlled(context, .alter)
                let filter = try ACLFilter(
                    type: wanted.resourceTypeFilter, name: wanted.resourceNameFilter,
                    pattern: wanted.patternTypeFilter, principal: wanted.principalFilter, host: wanted.hostFilter,
                    operation: wanted.operation, permission: wanted.permissionType)
                let gone = try await changing { try await access.changeRules { $0.delete(filter) } }
                log("rules deleted", gone, context)
                result.matchingAcls = gone.map {
                    .init(
                        errorMessage: nil, resourceType: $0.resourceType.rawValue, resourceName: $0.name,
                        patternType: $0.patternType.rawValue, principal: $0.principal, host: $0.host,
                        operation: $0.operation.rawValue, permissionType: $0.permission.rawValue)
                }
            } catch {
                result.errorCode = error.code.rawValue
                result.errorMessage = error.message
            }
            response.filterResults.append(result)
        }
        return response
    }

    private func changing<Value: Sendable>(_ body: () async throws -> Value) async throws(TopicError) -> Value {
        do {
            return try await body()
        } catch {
            logger.error("rules cannot be changed", metadata: ["error": "\(error)"])
            throw TopicError(.storageError, "\(error)")
        }
    }

    private func log(_ what: String, _ rules: [ACLBinding], _ context: RequestContext) {
        logger.info(
            "\(what)",
            metadata: ["by": "\(context.client.access.principal ?? "")", "count": "\(rules.count)"])
    }
}

extension ACLBinding {
    /// - Throws: when it cannot be made; the error says why.
    init(_ creation: CreateAclsRequest.AclCreation) throws(TopicError) {
        guard let type = ACLResourceType(rawValue: creation.resourceType),
            let pattern = ACLPatternType(rawValue: creation.resourcePatternType),
            let operation = ACLOperation(rawValue: creation.operation),
            let permission = ACLPermission(rawValue: creation.permissionType)
        else { throw .unknownRule }
        self.init(
            resourceType: type, name: creation.resourceName, patternType: pattern, principal: creation.principal,
            host: creation.host, operation: operation, permission: permission)
        if let problem { throw TopicError(.invalidRequest, problem) }
        guard name.utf8.count + principal.utf8.count + host.utf8.count <= 2000 else {
            throw TopicError(.invalidRequest, "Name, principal and host of an ACL may have 2000 bytes together.")
        }
    }
}

extension ACLFilter {
    /// - Throws: when it asks for what is not known.
    init(
        type: Int8, name: String?, pattern: Int8, principal: String?, host: String?, operation: Int8, permission: Int8
    ) throws(TopicError) {
        guard let type = ACLResourceType(rawValue: type), let pattern = ACLPatternType(rawValue: pattern),
            let operation = ACLOperation(rawValue: operation), let permission = ACLPermission(rawValue: permission)
        else { throw .unknownRule }
        self.init(
            resourceType: type, name: name, patternType: pattern, principal: principal, host: host,
            operation: operation, permission: permission)
    }
}

extension TopicError {
    fileprivate static let unknownRule = TopicError(
        .invalidRequest, "An ACL has a type, pattern, operation or permission that is not known.")
}

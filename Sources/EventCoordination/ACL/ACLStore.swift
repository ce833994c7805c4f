// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The rules of a broker, and what follows from them.
///
/// As Kafka's StandardAuthorizer: super users may do everything; a rule that denies wins over all that allow; where no
/// rule is about a resource, `allowsWithoutRules` decides.
package struct ACLStore: Sendable {
    /// `super.users`, as `TYPE:NAME`.
    package var superUsers: Set<String>
    /// `allow.everyone.if.no.acl.found`
    package var allowsWithoutRules: Bool
    /// By type and name, as most are literal.
    private var literal: [ACLResourceType: [String: Set<ACLBinding>]] = [:]
    private var prefixed: [ACLResourceType: Set<ACLBinding>] = [:]

    package init(superUsers: Set<String> = [], allowsWithoutRules: Bool = false) {
        self.superUsers = superUsers
        self.allowsWithoutRules = allowsWithoutRules
    }

    /// Sorted.
    package var bindings: [ACLBinding] {
        (literal.values.flatMap { $0.values.flatMap { $0 } } + prefixed.values.flatMap { $0 }).sorted()
    }

    package var isEmpty: Bool { literal.isEmpty && prefixed.isEmpty }

    /// Adds a rule whose `problem` is nil; whether it was not there.
    @discardableResult
    package mutating func add(_ binding: ACLBinding) -> Bool {
        binding.patternType == .prefixed
            ? prefixed[binding.resourceType, default: []].insert(binding).inserted
            : literal[binding.resourceType, default: [:]][binding.name, default: []].insert(binding).inserted
    }

    /// DescribeAcls.
    package func describe(_ filter: ACLFilter) -> [ACLBinding] { bindings.filter(filter.matches) }

    /// DeleteAcls, one filter: the rules that are gone.
    package mutating func delete(_ filter: ACLFilter) -> [ACLBinding] {
        let gone = describe(filter)
        for binding in gone {
            let type = binding.resourceType
            if binding.patternType == .prefixed {
                prefixed[type]?.remove(binding)
                if prefixed[type]?.isEmpty ?? false { prefixed[type] = nil }
            } else {
                literal[type]?[binding.name]?.remove(binding)
                if literal[type]?[binding.name]?.isEmpty ?? false { literal[type]?[binding.name] = nil }
                if literal[type]?.isEmpty ?? false { literal[type] = nil }
            }
        }
        return gone
    }

    // MARK: Decisions

    /// Whether the principal may do that to the resource.
    package func allows(
        principal: String, host: String, _ operation: ACLOperation, on type: ACLResourceType, _ name: String
    ) -> Bool {
        if superUsers.contains(principal) { return true }
        var hasRules = false
        var isAllowed = false
        func consider(_ binding: ACLBinding) -> Bool {
            hasRules = true
            guard binding.concerns(principal: principal, host: host) else { return true }
            switch binding.permission {
            case .deny: return !(binding.operation == .all || binding.operation == operation)
            case .allow: isAllowed = isAllowed || binding.operation.implies(operation)
            case .any: break
            }
            return true
        }
        for key in [name, ACLBinding.wildcard] {
            for binding in literal[type]?[key] ?? [] where !consider(binding) { return false }
        }
        for binding in prefixed[type] ?? [] where name.hasUTF8Prefix(binding.name) {
            guard consider(binding) else { return false }
        }
        return isAllowed || (!hasRules && allowsWithoutRules)
    }

    /// The operations on a resource that the principal may do (KIP-430).
    package func operations(
        principal: String, host: String, on type: ACLResourceType, _ name: String
    ) -> Set<ACLOperation> {
        type.operations.filter { allows(principal: principal, host: host, $0, on: type, name) }
    }

    /// Whether there may be any resource of the type that the principal may do that to (KIP-679): of idempotent
    /// producers, which have to be allowed to write to some topic.
    package func allowsAny(principal: String, host: String, _ operation: ACLOperation, on type: ACLResourceType) -> Bool
    {
        if superUsers.contains(principal) { return true }
        let rules = (literal[type]?.values.flatMap { $0 } ?? []) + (prefixed[type] ?? [])
        let mine = rules.filter {
            $0.concerns(principal: principal, host: host)
                && ($0.operation == operation || $0.operation == .all)
        }
        let denials = mine.filter { $0.permission == .deny }
        if denials.contains(where: { $0.patternType == .literal && $0.name == ACLBinding.wildcard }) { return false }
        if allowsWithoutRules { return true }
        return mine.contains { rule in
            guard rule.permission == .allow else { return false }
            return !denials.contains { denial in
                switch denial.patternType {
                case .prefixed: rule.name.hasUTF8Prefix(denial.name)
                default: rule.patternType == .literal && denial.name == rule.name
                }
            }
        }
    }
}

// MARK: Storage

extension ACLStore {
    /// One JSON object a line, sorted.
    package var encoded: [UInt8] { bindings.flatMap { $0.json.encoded + [UInt8(ascii: "\n")] } }

    /// Reads what ``encoded`` writes; a bad line is an error that names it, as leaving a rule out could open a door.
    package mutating func load(_ bytes: [UInt8]) throws(RecordFormatError) {
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty {
            guard let json = try? JSONParser.parse(line, maxDepth: 4), let binding = ACLBinding(json: json) else {
                throw RecordFormatError("line \(index + 1) of the ACLs is not a rule: mend or remove it")
            }
            if let problem = binding.problem {
                throw RecordFormatError("line \(index + 1) of the ACLs: \(problem)")
            }
            add(binding)
        }
    }
}

extension ACLBinding {
    package var json: JSONValue {
        [
            "resourceType": .string(resourceType.name), "name": .string(name),
            "patternType": .string(patternType.name), "principal": .string(principal), "host": .string(host),
            "operation": .string(operation.name), "permission": .string(permission.name),
        ]
    }

    package init?(json: JSONValue) {
        guard let type = ACLResourceType.allCases.first(where: { $0.name == json["resourceType"].string }),
            let pattern = ACLPatternType.allCases.first(where: { $0.name == json["patternType"].string }),
            let operation = ACLOperation.allCases.first(where: { $0.name == json["operation"].string }),
            let permission = ACLPermission.allCases.first(where: { $0.name == json["permission"].string }),
            let name = json["name"].string, let principal = json["principal"].string, let host = json["host"].string
        else { return nil }
        self.init(
            resourceType: type, name: name, patternType: pattern, principal: principal, host: host,
            operation: operation, permission: permission)
    }
}

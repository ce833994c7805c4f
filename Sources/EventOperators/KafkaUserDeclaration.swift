// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KafkaClient
import KubeAPI

/// What a KafkaUser declares (group kafka.strimzi.io, kind KafkaUser).
struct UserDeclaration: Equatable {
    /// How the user logs in.
    enum Authentication: Equatable {
        /// By what this operator has nothing to do with.
        case none
        /// SCRAM-SHA-512; without a reference the password is made here.
        case scram(PasswordReference?)
        /// By a certificate that somebody else issued, whose subject is `CN=NAME`.
        case externalCertificate
    }

    /// Where a password is: a key of a Secret in the user's namespace.
    struct PasswordReference: Equatable {
        var secret: String
        var key: String
    }

    /// The most rules of one user.
    static let maximumRules = 2000

    /// The object's.
    var name: String
    var authentication = Authentication.none
    var rules: Set<AccessRule> = []
    /// By Kafka's names.
    var quotas: [String: Double] = [:]
    /// For its Secret, beside those that every such Secret has.
    var secretLabels: [String: String] = [:]
    var secretAnnotations: [String: String] = [:]

    init(name: String) { self.name = name }

    /// Who the user is for Kafka.
    var username: String { authentication == .externalCertificate ? Self.certificateName(name) : name }

    /// The subject of a certificate of a user of that name.
    static func certificateName(_ name: String) -> String { "CN=\(name)" }

    var logsInWithPassword: Bool {
        if case .scram = authentication { true } else { false }
    }

    /// - Throws: ``Refusal`` naming the field that cannot be used.
    init(_ object: KubeObject) throws(Refusal) {
        name = object.name
        authentication = try Self.authentication(object.spec["authentication"])
        if authentication == .externalCertificate, name.utf8.count > 64 {
            throw Refusal(
                .invalid, "the common name of a certificate has at most 64 characters (RFC 5280): shorten metadata.name"
            )
        }
        rules = try Self.rules(object.spec["authorization"], principal: "User:\(username)")
        quotas = try Self.quotas(object.spec["quotas"])
        let metadata = object.spec["template"]["secret"]["metadata"]
        secretLabels = metadata["labels"].stringMembers
        secretAnnotations = metadata["annotations"].stringMembers
    }

    private static func authentication(_ spec: JSONValue) throws(Refusal) -> Authentication {
        guard !spec.isNull else { return .none }
        switch spec["type"].string {
        case "scram-sha-512":
            guard !spec["password"].isNull else { return .scram(nil) }
            let reference = spec["password"]["valueFrom"]["secretKeyRef"]
            guard let secret = reference["name"].string, !secret.isEmpty, let key = reference["key"].string,
                !key.isEmpty
            else {
                throw Refusal(
                    .invalid,
                    "spec.authentication.password.valueFrom.secretKeyRef must have a name and a key of a Secret")
            }
            return .scram(PasswordReference(secret: secret, key: key))
        case "tls-external": return .externalCertificate
        case "tls":
            throw Refusal(
                .notSupported,
                "spec.authentication.type tls needs an authority that issues certificates of Kafka's clients, and there is "
                    + "none here: issue one for CN=NAME yourself (cert-manager, openssl) and say tls-external")
        case let type:
            throw Refusal(
                .invalid,
                "spec.authentication.type must be scram-sha-512 or tls-external, not '\(type?.prefix(100) ?? "")'")
        }
    }

    /// Kafka's names of the settings of a quota; what a user may take, in bytes a second, percent of a thread and
    /// partitions a second.
    static let quotaNames = [
        "producerByteRate": "producer_byte_rate", "consumerByteRate": "consumer_byte_rate",
        "requestPercentage": "request_percentage", "controllerMutationRate": "controller_mutation_rate",
    ]

    private static func quotas(_ spec: JSONValue) throws(Refusal) -> [String: Double] {
        var quotas: [String: Double] = [:]
        for (key, value) in spec.members {
            guard let name = quotaNames[key] else {
                throw Refusal(.invalid, "spec.quotas.\(key.prefix(100)) is not known")
            }
            if value.isNull { continue }
            guard let number = value.double ?? value.int.map(Double.init), number.isFinite, number >= 0 else {
                throw Refusal(.invalid, "spec.quotas.\(key) must be a number from 0 on")
            }
            quotas[name] = number
        }
        return quotas
    }
}

extension UserDeclaration {
    private static let operations: [String: AccessRule.Operation] = [
        "All": .all, "Read": .read, "Write": .write, "Create": .create, "Delete": .delete, "Alter": .alter,
        "Describe": .describe, "ClusterAction": .clusterAction, "DescribeConfigs": .describeConfigs,
        "AlterConfigs": .alterConfigs, "IdempotentWrite": .idempotentWrite,
    ]

    /// One rule for each operation of each entry.
    private static func rules(_ spec: JSONValue, principal: String) throws(Refusal) -> Set<AccessRule> {
        guard !spec.isNull else { return [] }
        guard spec["type"].string == "simple" else {
            throw Refusal(
                .invalid, "spec.authorization.type must be simple, not '\(spec["type"].string?.prefix(100) ?? "")'")
        }
        var rules: Set<AccessRule> = []
        for (index, entry) in spec["acls"].elements.enumerated() {
            let path = "spec.authorization.acls[\(index)]"
            let (resource, name, pattern) = try resource(entry["resource"], path + ".resource")
            let permission: AccessRule.Permission
            switch entry["type"].string ?? "allow" {
            case "allow": permission = .allow
            case "deny": permission = .deny
            case let type: throw Refusal(.invalid, "\(path).type must be allow or deny, not '\(type.prefix(100))'")
            }
            // One operation is the older form, of v1beta2.
            let names = entry["operations"].array ?? (entry["operation"].isNull ? [] : [entry["operation"]])
            guard !names.isEmpty else { throw Refusal(.invalid, "\(path).operations must name an operation") }
            for value in names {
                guard let operation = value.string.flatMap({ operations[$0] }) else {
                    throw Refusal(
                        .invalid,
                        "\(path).operations: '\(value.string?.prefix(100) ?? value.typeName[...])' must be one of "
                            + operations.keys.sorted().joined(separator: ", "))
                }
                rules.insert(
                    AccessRule(
                        permission, operation, on: resource, name, pattern: pattern, principal: principal,
                        host: entry["host"].string ?? "*"))
            }
            guard rules.count <= maximumRules else {
                throw Refusal(.invalid, "spec.authorization.acls make more than \(maximumRules) rules")
            }
        }
        return rules
    }

    private static func resource(
        _ spec: JSONValue, _ path: String
    ) throws(Refusal) -> (AccessRule.Resource, String, AccessRule.Pattern) {
        let resource: AccessRule.Resource
        switch spec["type"].string {
        case "topic": resource = .topic
        case "group": resource = .group
        case "transactionalId": resource = .transactionalID
        case "cluster": return (.cluster, "kafka-cluster", .literal)
        case let type:
            throw Refusal(
                .invalid,
                "\(path).type must be topic, group, cluster or transactionalId, not '\(type?.prefix(100) ?? "")'")
        }
        guard let name = spec["name"].string, (1...1000).contains(name.utf8.count) else {
            throw Refusal(.invalid, "\(path).name must have 1 to 1000 bytes")
        }
        switch spec["patternType"].string ?? "literal" {
        case "literal": return (resource, name, .literal)
        case "prefix": return (resource, name, .prefixed)
        case let pattern:
            throw Refusal(.invalid, "\(path).patternType must be literal or prefix, not '\(pattern.prefix(100))'")
        }
    }
}

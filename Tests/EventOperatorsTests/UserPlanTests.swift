// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KafkaClient
import KubeAPI
import SASLMessages
import Testing

@testable import EventOperators

func userObject(_ spec: JSONValue, name: String = "alice", labels: [String: String] = [:]) -> KubeObject {
    var object = KubeObject(KafkaUserReconciler.resource(version: "v1"), namespace: "default", name: name)
    object.metadata["uid"] = "u-1"
    object.labels = labels
    object.spec = spec
    return object
}

@Suite struct UserPlanTests {
    private func rule(
        _ operation: AccessRule.Operation, _ resource: AccessRule.Resource, _ name: String,
        pattern: AccessRule.Pattern = .literal, _ permission: AccessRule.Permission = .allow, host: String = "*",
        principal: String = "User:alice"
    ) -> AccessRule {
        AccessRule(permission, operation, on: resource, name, pattern: pattern, principal: principal, host: host)
    }

    @Test func declarationsBecomeKafkasRules() throws {
        let spec: JSONValue = [
            "authentication": ["type": "scram-sha-512"],
            "authorization": [
                "type": "simple",
                "acls": [
                    [
                        "resource": ["type": "topic", "name": "ratings", "patternType": "prefix"],
                        "operations": ["Read", "Describe"],
                    ],
                    ["resource": ["type": "group", "name": "*"], "operation": "Read", "host": "10.0.0.1"],
                    ["resource": ["type": "cluster"], "operations": ["IdempotentWrite"], "type": "deny"],
                    ["resource": ["type": "transactionalId", "name": "t"], "operations": ["All"]],
                ],
            ],
            "quotas": ["producerByteRate": 1_048_576, "requestPercentage": 55, "controllerMutationRate": 0.5],
        ]
        let declared = try UserDeclaration(userObject(spec))
        #expect(declared.username == "alice" && declared.authentication == .scram(nil))
        #expect(
            declared.rules == [
                rule(.read, .topic, "ratings", pattern: .prefixed),
                rule(.describe, .topic, "ratings", pattern: .prefixed),
                rule(.read, .group, "*", host: "10.0.0.1"), rule(.idempotentWrite, .cluster, "kafka-cluster", .deny),
                rule(.all, .transactionalID, "t"),
            ])
        #expect(
            declared.quotas == [
                "producer_byte_rate": 1_048_576, "request_percentage": 55, "controller_mutation_rate": 0.5,
            ])
    }

    @Test func certificatesMakeOtherNames() throws {
        let acl: JSONValue = ["resource": ["type": "topic", "name": "t"], "operations": ["Read"]]
        let spec: JSONValue = [
            "authentication": ["type": "tls-external"], "authorization": ["type": "simple", "acls": [acl]],
        ]
        let declared = try UserDeclaration(userObject(spec))
        #expect(declared.username == "CN=alice")
        #expect(declared.rules.map(\.principal) == ["User:CN=alice"])
        #expect(try UserDeclaration(userObject([:])).authentication == .none)
    }

    @Test(
        arguments: [
            (["authentication": ["type": "tls"]], "tls-external", Refusal.Reason.notSupported),
            (["authentication": ["type": "oauth"]], "authentication.type", .invalid),
            (["authentication": [:]], "authentication.type", .invalid),
            (["authentication": ["type": "scram-sha-512", "password": ["value": "x"]]], "secretKeyRef", .invalid),
            (
                [
                    "authentication": [
                        "type": "scram-sha-512", "password": ["valueFrom": ["secretKeyRef": ["name": "s", "key": ""]]],
                    ]
                ], "secretKeyRef", .invalid
            ),
            (["authorization": ["type": "opa"]], "authorization.type", .invalid),
            (["authorization": ["type": "simple", "acls": [[:]]]], "acls[0].resource.type", .invalid),
            (["quotas": ["producerByteRate": -1]], "producerByteRate", .invalid),
            (["quotas": ["producerByteRate": "much"]], "producerByteRate", .invalid),
            (["quotas": ["other": 1]], "quotas.other", .invalid),
        ] as [(JSONValue, String, Refusal.Reason)])
    func wrongDeclarationsSayWhatIsWrong(_ spec: JSONValue, _ part: String, _ reason: Refusal.Reason) {
        let error = #expect(throws: Refusal.self) { try UserDeclaration(userObject(spec)) }
        #expect(error?.reason == reason && error?.description.contains(part) == true, "\(error as Any)")
    }

    @Test(
        arguments: [
            ["resource": ["type": "topic"], "operations": ["Read"]],
            ["resource": ["type": "topic", "name": ""], "operations": ["Read"]],
            ["resource": ["type": "topic", "name": "t", "patternType": "match"], "operations": ["Read"]],
            ["resource": ["type": "topic", "name": "t"], "operations": []],
            ["resource": ["type": "topic", "name": "t"]],
            ["resource": ["type": "topic", "name": "t"], "operations": ["read"]],
            ["resource": ["type": "topic", "name": "t"], "operations": [1]],
            ["resource": ["type": "topic", "name": "t"], "operations": ["Read"], "type": "maybe"],
        ] as [JSONValue])
    func wrongRulesNameTheirPlace(_ acl: JSONValue) {
        let good: JSONValue = ["resource": ["type": "cluster"], "operations": ["All"]]
        let error = #expect(throws: Refusal.self) {
            try UserDeclaration(userObject(["authorization": ["type": "simple", "acls": [good, acl]]]))
        }
        #expect(error?.reason == .invalid && error?.description.contains("acls[1]") == true)
    }

    @Test func tooManyRulesAreRefused() {
        let acls = (0...UserDeclaration.maximumRules).map { number -> JSONValue in
            ["resource": ["type": "topic", "name": .string("t\(number)")], "operations": ["Read"]]
        }
        #expect(throws: Refusal.self) {
            try UserDeclaration(userObject(["authorization": ["type": "simple", "acls": .array(acls)]]))
        }
    }

    @Test func exactlyTheDeclaredRulesStay() throws {
        var declared = UserDeclaration(name: "alice")
        declared.authentication = .scram(nil)
        let (kept, old, new) = (rule(.read, .topic, "a"), rule(.write, .topic, "a"), rule(.read, .topic, "b"))
        let foreign = rule(.all, .topic, "a", principal: "User:CN=alice")
        declared.rules = [kept, new]
        let present = UserState(accounts: [
            "alice": .init(credentials: [.scramSHA512], rules: [kept, old]),
            "CN=alice": .init(rules: [foreign]),
        ])
        let plan = try UserPlan(declared, present: present)
        #expect(plan.newRules == [new] && plan.oldRules == [old, foreign] && plan.oldCredentials.isEmpty)
        var after = present
        after.accounts["alice"]?.rules = declared.rules
        after.accounts["CN=alice"]?.rules = []
        #expect(try UserPlan(declared, present: after).isEmpty)
    }

    @Test func anotherLoginTakesTheCredentialAway() throws {
        let present = UserState(accounts: ["alice": .init(credentials: [.scramSHA512]), "CN=alice": .init()])
        var declared = UserDeclaration(name: "alice")
        for authentication in [UserDeclaration.Authentication.none, .externalCertificate] {
            declared.authentication = authentication
            #expect(try UserPlan(declared, present: present).oldCredentials == ["alice": [.scramSHA512]])
        }
        declared.authentication = .scram(nil)
        #expect(try UserPlan(declared, present: present).isEmpty)
        // Of others' making: it would stay with an old password.
        let both = UserState(accounts: ["alice": .init(credentials: [.scramSHA256, .scramSHA512])])
        #expect(try UserPlan(declared, present: both).oldCredentials == ["alice": [.scramSHA256]])
    }

    @Test func nobodyKeepsNothing() throws {
        let present = UserState(accounts: [
            "alice": .init(
                credentials: [.scramSHA512], rules: [rule(.read, .topic, "a")], quotas: ["producer_byte_rate": 5]),
            "CN=alice": .init(quotas: [:]),
        ])
        let plan = try UserPlan(nil, present: present)
        #expect(plan.oldCredentials == ["alice": [.scramSHA512]] && plan.oldRules.count == 1 && plan.newRules.isEmpty)
        #expect(plan.quotas == ["alice": .init(remove: ["producer_byte_rate"])])
    }

    @Test func quotasFollowAndUnknownOnesStay() throws {
        var declared = UserDeclaration(name: "alice")
        declared.quotas = ["producer_byte_rate": 10, "consumer_byte_rate": 20]
        let given: [String: Double] = [
            "producer_byte_rate": 10, "request_percentage": 5, "connection_creation_rate": 1,
        ]
        let plan = try UserPlan(declared, present: UserState(accounts: ["alice": .init(quotas: given)]))
        #expect(plan.quotas == ["alice": .init(set: ["consumer_byte_rate": 20], remove: ["request_percentage"])])
    }

    @Test func quotasNeedABrokerThatHasThem() throws {
        var declared = UserDeclaration(name: "alice")
        let present = UserState(accounts: ["alice": .init(), "CN=alice": .init()])
        #expect(try UserPlan(declared, present: present).isEmpty)
        declared.quotas = ["producer_byte_rate": 10]
        let error = #expect(throws: Refusal.self) { try UserPlan(declared, present: present) }
        #expect(error?.reason == .notSupported && error?.description.contains("spec.quotas") == true)
    }
}

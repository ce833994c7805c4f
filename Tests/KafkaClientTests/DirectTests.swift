// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import SASLMessages
import Synchronization
import Testing

@testable import KafkaClient

/// What is spoken without librdkafka, against brokers that answer as they should.
@Suite(.timeLimit(.minutes(5))) struct DirectTests {
    private static func login(_ mechanism: String, password: String = "secret") -> [String: String] {
        [
            "security.protocol": "sasl_plaintext", "sasl.mechanism": mechanism, "sasl.username": "admin",
            "sasl.password": password,
        ]
    }

    @Test(arguments: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
    func logsIn(_ mechanism: String) async throws {
        let login = FakeLogin()
        try await FakeBroker.run { request in
            try login.reply(request)
                ?? .frame(
                    request.answer(
                        DescribeUserScramCredentialsResponse(
                            errorMessage: nil,
                            results: [
                                .init(user: "someone", credentialInfos: [.init(mechanism: 1, iterations: 4096)]),
                                .init(user: "alice", credentialInfos: [.init(mechanism: 2, iterations: 4096)]),
                            ])))
        } _: { broker in
            let admin = try broker.admin(Self.login(mechanism))
            #expect(admin.user == "admin")
            #expect(try await admin.session { try await $0.credentials(of: "alice") } == [.scramSHA512])
            #expect(broker.requests == [18, 17, 36] + (mechanism == "PLAIN" ? [] : [36]) + [50])
        }
    }

    @Test(arguments: ["PLAIN", "SCRAM-SHA-512"])
    func wrongPasswordsAreToldAndNotShown(_ mechanism: String) async throws {
        let login = FakeLogin()
        try await FakeBroker.run {
            try login.reply($0) ?? .close
        } _: { broker in
            let admin = try broker.admin(Self.login(mechanism, password: "not-it"))
            await #expect { try await admin.session { _ in } } throws: {
                let error = $0 as? KafkaError
                return error?.code == .authentication && error?.description.contains("admin") == true
                    && error?.description.contains("not-it") == false
            }
        }
    }

    @Test func passwordsOfOthersAreTried() async throws {
        // Nobody logs in here by name, so there is nothing to try.
        try await FakeBroker.run { _ in
            .close
        } _: { broker in
            let admin = try broker.admin()
            #expect(try await admin.isLetIn("admin", password: "secret", .scramSHA512) == nil)
            #expect(broker.requests.isEmpty)
        }
        for (password, isRight) in [("secret", true), ("other", false)] {
            let login = FakeLogin()
            try await FakeBroker.run {
                try login.reply($0) ?? .close
            } _: { broker in
                let admin = try broker.admin(Self.login("PLAIN", password: "unused"))
                #expect(try await admin.isLetIn("admin", password: password, .scramSHA512) == isRight)
            }
        }
    }

    @Test func changesCredentials() async throws {
        let changes = Mutex<[AlterUserScramCredentialsRequest]>([])
        try await FakeBroker.run { request in
            let change = try request.read(AlterUserScramCredentialsRequest.self)
            changes.withLock { $0.append(change) }
            let code: Int16 = change.deletions.isEmpty ? 0 : 91
            return .frame(
                request.answer(
                    AlterUserScramCredentialsResponse(
                        results: [.init(user: "alice", errorCode: code, errorMessage: nil)])))
        } _: { broker in
            let admin = try broker.admin()
            try await admin.session { session in
                try await session.setPassword("pä", of: "alice", .scramSHA512)
                // One that is not there is no error.
                try await session.deleteCredential(of: "alice", .scramSHA256)
            }
            let all = changes.withLock { $0 }
            let upsertion = try #require(all.first?.upsertions.first)
            #expect(upsertion.name == "alice" && upsertion.mechanism == 2 && upsertion.iterations == 4096)
            let salted = try ScramCredential.saltedPassword(
                mechanism: .scramSHA512, password: "pä", salt: upsertion.salt, iterations: 4096)
            #expect(upsertion.saltedPassword == salted && upsertion.salt.count == 24)
            #expect(all.last?.deletions == [.init(name: "alice", mechanism: 1)])
        }
    }

    @Test func goesToTheController() async throws {
        try await FakeBroker.run { request in
            .frame(
                request.answer(
                    AlterUserScramCredentialsResponse(results: [.init(user: "alice", errorMessage: nil)])))
        } _: { controller in
            let port = controller.port
            try await FakeBroker.run { request in
                guard request.header.requestApiKey == MetadataRequest.apiKey else {
                    return .frame(
                        request.answer(
                            AlterUserScramCredentialsResponse(
                                results: [.init(user: "alice", errorCode: 41, errorMessage: nil)])))
                }
                return .frame(
                    request.answer(
                        MetadataResponse(
                            brokers: [
                                .init(nodeId: 1, host: "nowhere.invalid", port: 1),
                                .init(nodeId: 2, host: "127.0.0.1", port: Int32(port)),
                            ], controllerId: 2)))
            } _: { broker in
                let admin = try broker.admin()
                try await admin.session { try await $0.setPassword("p", of: "alice", .scramSHA256) }
                #expect(broker.requests == [18, 51, 3] && controller.requests == [18, 51])
            }
        }
    }

    @Test(arguments: [("127.0.0.1", 0), ("", 9092), ("127.0.0.1", -1)] as [(String, Int32)])
    func aControllerThatIsNowhereIsAnError(host: String, port: Int32) async throws {
        try await FakeBroker.run { request in
            request.header.requestApiKey == MetadataRequest.apiKey
                ? .frame(
                    request.answer(
                        MetadataResponse(brokers: [.init(nodeId: 2, host: host, port: port)], controllerId: 2)))
                : .frame(
                    request.answer(
                        AlterUserScramCredentialsResponse(
                            results: [.init(user: "alice", errorCode: 41, errorMessage: nil)])))
        } _: { broker in
            let admin = try broker.admin()
            await #expect {
                try await admin.session { try await $0.setPassword("p", of: "alice", .scramSHA256) }
            } throws: {
                ($0 as? KafkaError)?.code == .notController
            }
        }
    }

    @Test func theNextServerIsAskedWhereOneIsNotThere() async throws {
        try await FakeBroker.run { _ in
            .close
        } _: { broker in
            var configuration = broker.configuration()
            configuration.bootstrapServers.insert("127.0.0.1:1", at: 0)
            try await DirectAdmin(configuration, timeout: .seconds(60)).session { _ in }
            #expect(broker.requests == [18])
        }
    }

    @Test func rulesGoBothWays() async throws {
        let rule = AccessRule(.deny, .write, on: .transactionalID, "t", pattern: .prefixed, principal: "User:alice")
        try await FakeBroker.run { request in
            switch request.header.requestApiKey {
            case DescribeAclsRequest.apiKey:
                let asked = try request.read(DescribeAclsRequest.self)
                #expect(asked.principalFilter == "User:alice" && asked.patternTypeFilter == 1)
                let acl = DescribeAclsResponse.AclDescription(
                    principal: "User:alice", host: "*", operation: 4, permissionType: 2)
                var (other, unknown) = (acl, acl)
                other.principal = "User:bob"
                unknown.operation = 120
                return .frame(
                    request.answer(
                        DescribeAclsResponse(
                            errorMessage: nil,
                            resources: [
                                .init(resourceType: 5, resourceName: "t", patternType: 4, acls: [acl, other, unknown]),
                                .init(resourceType: -3, resourceName: "t", patternType: 4, acls: [acl]),
                            ])))
            case CreateAclsRequest.apiKey:
                let creations = try request.read(CreateAclsRequest.self).creations
                #expect(creations.first?.resourceType == 5 && creations.first?.resourcePatternType == 4)
                return .frame(request.answer(CreateAclsResponse(results: [.init(errorCode: 0, errorMessage: nil)])))
            default:
                let filters = try request.read(DeleteAclsRequest.self).filters
                #expect(filters.first?.operation == 4 && filters.first?.hostFilter == "*")
                return .frame(
                    request.answer(
                        DeleteAclsResponse(filterResults: [.init(errorCode: 44, errorMessage: "not today")])))
            }
        } _: { broker in
            let admin = try broker.admin()
            #expect(try await admin.session { try await $0.rules(of: "User:alice") } == [rule])
            try await admin.session { try await $0.createRules([rule]) }
            await #expect {
                try await admin.session { try await $0.deleteRules([rule]) }
            } throws: {
                "\($0)".contains("not today")
            }
        }
    }

    @Test func quotasOfBrokersThatHaveThem() async throws {
        let quotas: [ApiVersionsResponse.ApiVersion] = [
            .init(apiKey: 48, minVersion: 0, maxVersion: 1), .init(apiKey: 49, minVersion: 0, maxVersion: 1),
        ]
        try await FakeBroker.run(apis: FakeBroker.apis + quotas) { request in
            if request.header.requestApiKey == DescribeClientQuotasRequest.apiKey {
                return .frame(
                    request.answer(
                        DescribeClientQuotasResponse(
                            errorMessage: nil,
                            entries: [
                                .init(
                                    entity: [.init(entityType: "user", entityName: "alice")],
                                    values: [.init(key: "producer_byte_rate", value: 5)]),
                                .init(
                                    entity: [.init(entityType: "user", entityName: nil)],
                                    values: [.init(key: "producer_byte_rate", value: 6)]),
                            ])))
            }
            let entry = try request.read(AlterClientQuotasRequest.self).entries.first
            #expect(entry?.entity == [.init(entityType: "user", entityName: "alice")])
            #expect(entry?.ops == [.init(key: "a", value: 1), .init(key: "b", value: 0, remove: true)])
            return .frame(request.answer(AlterClientQuotasResponse(entries: [.init(errorMessage: nil)])))
        } _: { broker in
            let admin = try broker.admin()
            #expect(try await admin.session { try await $0.quotas(of: "alice") } == ["producer_byte_rate": 5])
            try await admin.session { session in
                #expect(session.hasQuotas)
                try await session.alterQuotas(of: "alice", set: ["a": 1], remove: ["b"])
            }
        }
        try await FakeBroker.run { _ in
            .close
        } _: { broker in
            let admin = try broker.admin()
            #expect(try await admin.session { $0.hasQuotas } == false)
        }
    }

    @Test func oneTopicIsDescribed() async throws {
        let id = KafkaUUID.random()
        let handler: FakeBroker.Handler = { request in
            let asked = try request.read(MetadataRequest.self)
            #expect(!asked.allowAutoTopicCreation && asked.topics?.count == 1)
            let name = asked.topics?.first?.name
            return .frame(
                request.answer(
                    MetadataResponse(
                        topics: [
                            .init(
                                errorCode: name == "t" ? 0 : name == "x" ? 29 : 3, name: name,
                                topicId: name == "t" ? id : .zero,
                                partitions: [
                                    .init(partitionIndex: 0, replicaNodes: [1, 2, 3]),
                                    .init(partitionIndex: 1, replicaNodes: [1, 2]),
                                ])
                        ])))
        }
        try await FakeBroker.run(handler) { broker in
            let admin = try broker.admin()
            let topic = TopicDescription(id: id.description, partitions: 2, replicas: 2)
            #expect(try await admin.session { try await $0.topic("t") } == topic)
            #expect(try await admin.session { try await $0.topic("u") } == nil)
            await #expect {
                try await admin.session { try await $0.topic("x") }
            } throws: {
                ($0 as? KafkaError)?.code == .topicAuthorizationFailed
            }
        }
        // Older brokers have no ids.
        let old: [ApiVersionsResponse.ApiVersion] = [.init(apiKey: 3, minVersion: 0, maxVersion: 9)]
        try await FakeBroker.run(apis: old, handler) { broker in
            let admin = try broker.admin()
            let topic = TopicDescription(id: nil, partitions: 2, replicas: 2)
            #expect(try await admin.session { try await $0.topic("t") } == topic)
        }
    }
}

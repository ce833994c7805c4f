// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import KafkaClient

/// `apus events`.
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Look at and fill the event log, or any Kafka: topics, groups, tail, produce; verify files.",
        subcommands: [
            TopicsCommand.self, GroupsCommand.self, TailCommand.self, ProduceCommand.self, VerifyCommand.self,
        ])
}

/// How the commands reach a broker.
struct EventsOptions: ParsableArguments {
    @Option(help: "Brokers to ask first, HOST:PORT[,HOST:PORT…]. (default: 127.0.0.1:9092)")
    var bootstrap: String?

    @Option(help: "User of SASL; the password is read from APUS_EVENTS_PASSWORD.")
    var user: String?

    @Option(help: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. (default: SCRAM-SHA-512)")
    var mechanism: String?

    @Option(help: "File with the CA of the broker's certificate; turns TLS on.")
    var caFile: String?

    @Option(name: [.customShort("X"), .customLong("property")], help: "A property of librdkafka, NAME=VALUE.")
    var properties: [String] = []

    func configuration() throws -> KafkaConfiguration {
        let settings = try Settings()
        let servers = (settings.value("bootstrap", bootstrap) ?? "127.0.0.1:9092").split(separator: ",").map(
            String.init)
        for server in servers { _ = try hostAndPort("bootstrap", server, example: "127.0.0.1:9092") }
        var configuration = KafkaConfiguration(bootstrapServers: servers, clientID: "apus-cli")
        if let caFile = settings.value("ca-file", caFile) { configuration.tls = .init(caFile: caFile) }
        if let user = settings.value("events-user", user) {
            let name = mechanism ?? "SCRAM-SHA-512"
            guard let mechanism = KafkaConfiguration.SASL.Mechanism(rawValue: name) else {
                throw ValidationError("--mechanism must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not '\(name)'")
            }
            configuration.sasl = .init(mechanism, user: user, password: settings.value("events-password", nil) ?? "")
        }
        for property in properties {
            guard let equals = property.firstIndex(of: "="), equals > property.startIndex else {
                throw ValidationError("-X must be NAME=VALUE, not '\(property)'")
            }
            configuration.properties[String(property[..<equals])] = String(property[property.index(after: equals)...])
        }
        return configuration
    }

    /// Runs `body`, and turns Kafka's errors into one sentence and exit code 1.
    func run(_ body: (KafkaConfiguration) async throws -> Void) async throws {
        let configuration = try configuration()
        do {
            try await body(configuration)
        } catch let error as KafkaError {
            throw fail(error.description)
        }
    }

    /// Runs `body` with an administrator's client.
    func withAdmin(_ body: (KafkaAdmin) async throws -> Void) async throws {
        try await withAdmin { admin, _ in try await body(admin) }
    }

    /// The same, with how it reaches the broker.
    func withAdmin(_ body: (KafkaAdmin, KafkaConfiguration) async throws -> Void) async throws {
        try await run { configuration in
            let admin = try KafkaAdmin(configuration, timeout: .seconds(10))
            defer { admin.close() }
            try await body(admin, configuration)
        }
    }
}

/// NAME=VALUE arguments as a table.
func configurationValues(_ arguments: [String]) throws -> [String: String] {
    var values: [String: String] = [:]
    for argument in arguments {
        guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else {
            throw ValidationError("--config must be NAME=VALUE, such as retention.ms=86400000, not '\(argument)'")
        }
        values[String(argument[..<equals])] = String(argument[argument.index(after: equals)...])
    }
    return values
}

/// The first error, if any; the others are printed.
func report(_ results: [String: KafkaError?], done: (String) -> String) throws {
    var failed = false
    for (name, error) in results.sorted(by: { $0.key < $1.key }) {
        if let error {
            _ = fail(error.description)
            failed = true
        } else {
            print(done(name))
        }
    }
    if failed { throw ExitCode(1) }
}

/// `apus events topics`.
struct TopicsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "List, create, delete and describe topics.",
        subcommands: [List.self, Create.self, Delete.self, Describe.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List topics with how many records they hold.")

        @OptionGroup var events: EventsOptions
        @Flag(help: "Also the broker's own topics, which begin with __.") var all = false

        func run() async throws {
            try await events.withAdmin { admin in
                let topics = try await admin.metadata().topics.filter { all || !$0.name.hasPrefix("__") }
                if topics.isEmpty { return FileHandle.standardError.write(Data("No topics found.\n".utf8)) }
                var rows = [["NAME", "PARTITIONS", "REPLICAS", "RECORDS"]]
                for topic in topics {
                    var records: Int64 = 0
                    for place in topic.topicPartitions {
                        let range = try await admin.watermarks(place)
                        records += range.upperBound - range.lowerBound
                    }
                    let replicas = topic.partitions.map(\.replicas.count).max() ?? 0
                    rows.append([topic.name, "\(topic.partitions.count)", "\(replicas)", "\(records)"])
                }
                print(TextTable.render(rows))
            }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Create topics.")

        @OptionGroup var events: EventsOptions
        @Argument(help: "Names.") var names: [String]
        @Option(help: "How many partitions. (default: the broker's)") var partitions: Int?
        @Option(help: "How many copies. (default: the broker's)") var replicas: Int?
        @Option(name: .customLong("config"), help: "A setting, NAME=VALUE.") var settings: [String] = []

        func validate() throws {
            if let partitions, !(1...100_000).contains(partitions) {
                throw ValidationError("--partitions must be 1 to 100000, not \(partitions)")
            }
            if let replicas, !(1...100).contains(replicas) {
                throw ValidationError("--replicas must be 1 to 100, not \(replicas)")
            }
            _ = try configurationValues(settings)
        }

        func run() async throws {
            let values = try configurationValues(settings)
            try await events.withAdmin { admin in
                let topics = names.map {
                    NewTopic(
                        $0, partitions: partitions ?? -1, replicationFactor: replicas ?? -1, configuration: values)
                }
                try report(await admin.createTopics(topics)) { "topic \"\($0)\" created" }
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete topics with all that is in them.")

        @OptionGroup var events: EventsOptions
        @Argument(help: "Names.") var names: [String]

        func run() async throws {
            try await events.withAdmin { admin in
                try report(await admin.deleteTopics(names)) { "topic \"\($0)\" deleted" }
            }
        }
    }

    struct Describe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a topic's partitions and settings.")

        @OptionGroup var events: EventsOptions
        @Argument(help: "Name.") var name: String
        @Flag(help: "Also settings that have their defaults.") var all = false

        func run() async throws {
            try await events.withAdmin { admin in
                let topic = try await admin.topic(name)
                var rows = [["PARTITION", "LEADER", "REPLICAS", "IN-SYNC", "FIRST", "NEXT", "RECORDS"]]
                for partition in topic.partitions {
                    let range = try await admin.watermarks(TopicPartition(name, partition.id))
                    rows.append([
                        "\(partition.id)", partition.leader < 0 ? "none" : "\(partition.leader)",
                        partition.replicas.map(String.init).joined(separator: ","),
                        partition.inSync.map(String.init).joined(separator: ","), "\(range.lowerBound)",
                        "\(range.upperBound)", "\(range.upperBound - range.lowerBound)",
                    ])
                }
                print(TextTable.render(rows))
                let settings = try await admin.describeConfiguration(.topic(name)).filter { all || $0.source == .topic }
                guard !settings.isEmpty else { return }
                print(
                    "\n"
                        + TextTable.render(
                            [["SETTING", "VALUE", "SOURCE"]]
                                + settings.map { [$0.name, $0.value ?? "<none>", "\($0.source)"] }))
            }
        }
    }
}

extension KafkaAdmin {
    /// A topic, without creating it by asking.
    func topic(_ name: String) async throws -> ClusterMetadata.Topic {
        let metadata = try await metadata()
        guard let topic = metadata.topics.first(where: { $0.name == name }) else {
            throw fail("there is no topic \"\(name)\"; 'apus events topics' lists those there are")
        }
        if let error = topic.error { throw error }
        return topic
    }
}

/// `apus events groups`.
struct GroupsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "groups", abstract: "List, describe and delete consumer groups, with their lag.",
        subcommands: [List.self, Describe.self, Delete.self], defaultSubcommand: List.self)

    /// Groups with their members. To librdkafka 2.0 those with group.protocol=consumer (KIP-848) are dead.
    fileprivate static func describe(
        _ names: [String], _ admin: KafkaAdmin, _ configuration: KafkaConfiguration
    ) async throws -> [GroupDescription] {
        let descriptions = try await admin.describeGroups(names)
        let dead = descriptions.filter { $0.state == .dead }.map(\.name)
        guard !dead.isEmpty, let direct = try? DirectAdmin(configuration) else { return descriptions }
        let found = try await direct.session { try await $0.consumerGroups(dead) }
        let byName = Dictionary(found.map { ($0.name, $0) }) { first, _ in first }
        return descriptions.map { byName[$0.name] ?? $0 }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List groups with how far they are behind.")

        @OptionGroup var events: EventsOptions

        func run() async throws {
            try await events.withAdmin { admin, configuration in
                let groups = try await admin.listGroups()
                if groups.isEmpty { return FileHandle.standardError.write(Data("No groups found.\n".utf8)) }
                let descriptions = try await GroupsCommand.describe(groups.map(\.name), admin, configuration)
                var rows = [["NAME", "STATE", "MEMBERS", "LAG"]]
                for group in descriptions {
                    var lag: Int64 = 0
                    for (place, offset) in try await admin.committedOffsets(group: group.name) {
                        lag += max(0, try await admin.watermarks(place).upperBound - offset)
                    }
                    rows.append([group.name, group.state.rawValue, "\(group.members.count)", "\(lag)"])
                }
                print(TextTable.render(rows))
            }
        }
    }

    struct Describe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a group's members, commits and lag.")

        @OptionGroup var events: EventsOptions
        @Argument(help: "Name.") var name: String

        func run() async throws {
            try await events.withAdmin { admin, configuration in
                let description = try await GroupsCommand.describe([name], admin, configuration).first
                let offsets = try await admin.committedOffsets(group: name)
                guard let description, description.state != .dead || !offsets.isEmpty else {
                    throw fail("there is no group \"\(name)\"; 'apus events groups' lists those there are")
                }
                let assignor = description.assignor.isEmpty ? "" : ", assignor \(description.assignor)"
                print("group \(name): \(description.state.rawValue), \(description.members.count) members\(assignor)")
                var owners: [TopicPartition: GroupDescription.Member] = [:]
                for member in description.members { for place in member.assignment { owners[place] = member } }
                var rows = [["TOPIC", "PARTITION", "COMMITTED", "NEXT", "LAG", "MEMBER", "HOST"]]
                for place in Set(offsets.keys).union(owners.keys).sorted() {
                    let range = try await admin.watermarks(place)
                    let owner = owners[place]
                    let lag = range.upperBound - (offsets[place] ?? range.lowerBound)
                    rows.append([
                        place.topic, "\(place.partition)", offsets[place].map(String.init) ?? "-",
                        "\(range.upperBound)", "\(max(0, lag))", owner.map { $0.instanceID ?? $0.id } ?? "-",
                        owner?.host ?? "-",
                    ])
                }
                if rows.count > 1 { print(TextTable.render(rows)) }
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete groups that have no members, with their commits.")

        @OptionGroup var events: EventsOptions
        @Argument(help: "Names.") var names: [String]

        func run() async throws {
            try await events.withAdmin { admin in
                try report(await admin.deleteGroups(names)) { "group \"\($0)\" deleted" }
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Dispatch
import EventCoordination
import EventLog
import KafkaProtocol
package import Logging
import NIOCore
import SASLMessages
import Synchronization

/// What is known of the client of a connection.
final class ClientState: Sendable {
    /// Where it comes from.
    let address: String
    let connection: any Channel
    /// Who it is.
    let access: ClientAccess

    init(address: String, connection: any Channel) {
        self.address = address
        self.connection = connection
        access = ClientAccess(address: address)
    }
}

/// What every handler knows about a request.
struct RequestContext: Sendable {
    let version: Int16
    let correlation: Int32
    /// As the client calls itself.
    let clientID: String
    let client: ClientState
}

/// Kafka's protocol over logs and coordinators: every request in, every answer out.
///
/// Start here: ``begin(_:_:)``.
package final class Broker: Sendable {
    /// What is left to do for a request after it was begun: ends with the answer, nil where none is sent.
    typealias Work = @Sendable () async -> Reply?

    let configuration: BrokerConfiguration
    let budget: MemoryBudget
    let connections = OpenConnections()
    let sessions = Mutex(FetchSessions())
    let metrics = BrokerMetrics()
    let topics: TopicCatalog
    let groups: GroupRunner
    let transactions: TransactionRunner
    /// Users and rules; nil where everybody may do everything.
    let access: BrokerAccess?
    let logger: Logger
    private let alarm = Alarm()
    private let listener = Mutex<(host: String, port: Int)>(("127.0.0.1", 0))
    private let files = DispatchQueue(label: "apus.events.files", qos: .userInitiated, attributes: .concurrent)

    /// Opens the data folder.
    /// - Throws: when it cannot be used; the description says why and what to do.
    package init(_ configuration: BrokerConfiguration, logger: Logger) async throws {
        self.configuration = configuration
        self.logger = logger
        budget = MemoryBudget(bytes: configuration.maximumQueuedBytes)
        if let access = configuration.access {
            self.access = try await BrokerAccess(access, folder: configuration.dataFolder)
        } else {
            access = nil
        }
        let topics = try await TopicCatalog(configuration, logger: logger)
        self.topics = topics
        let files = files
        let groupReplay = try await CoordinatorReplay.groups(topics.topic(TopicName.offsets)?.partition(0), on: files)
        let transactionReplay = try await CoordinatorReplay.transactions(
            topics.topic(TopicName.transactions)?.partition(0), on: files)
        let reservations = ProducerReservations(folder: configuration.dataFolder, queue: files, logger: logger)
        let now = CoordinatorClock.now
        var groupSettings = GroupSettings()
        groupSettings.initialRebalanceDelay = configuration.initialRebalanceDelay
        groupSettings.offsetsRetention = configuration.offsetsRetention
        groupSettings.consumerSessionTimeout = configuration.consumerSessionTimeout
        groupSettings.consumerHeartbeatInterval = configuration.consumerHeartbeatInterval
        let groups = GroupRunner(
            GroupCoordinator(settings: groupSettings, replay: groupReplay, now: now),
            log: CoordinatorLog(logger: logger) { try await topics.internalPartition(TopicName.offsets) }, alarm: alarm)
        self.groups = groups
        var transactionSettings = TransactionSettings()
        transactionSettings.maxTimeout = configuration.maximumTransactionTimeout
        transactions = TransactionRunner(
            TransactionCoordinator(
                settings: transactionSettings, ids: try await reservations.load(), replay: transactionReplay, now: now),
            log: CoordinatorLog(logger: logger) { try await topics.internalPartition(TopicName.transactions) },
            world: .init(
                partition: { topics.topic($0.topic)?.partition($0.partition) },
                offsetsCompleted: { groups.completeTransaction(producerID: $0, isCommit: $1) },
                reserve: { await reservations.keep($0) }), alarm: alarm, logger: logger)
        transactions.resume()
    }

    /// Writes what is left to write.
    package func close() async { await topics.close() }

    /// Does what is due, until the task is cancelled: timeouts of groups and transactions, retention and compaction.
    package func run() async {
        var maintenance = ContinuousClock.now + Self.maintenanceInterval
        while !Task.isCancelled {
            let due = min(groups.advance(), transactions.advance()) - CoordinatorClock.now
            await alarm.sleep(for: min(max(due, .milliseconds(5)), Self.maintenanceInterval))
            guard ContinuousClock.now >= maintenance else { continue }
            await topics.log.maintain()
            maintenance = ContinuousClock.now + Self.maintenanceInterval
        }
    }

    private static let maintenanceInterval = Duration.seconds(30)

    /// Where clients are told to connect.
    var address: (host: String, port: Int) { configuration.advertisedAddress ?? listener.withLock { $0 } }

    func listens(host: String, port: Int) { listener.withLock { $0 = (host, port) } }

    /// A client has gone.
    func forget(_ client: ClientState) async {}

    /// Runs what waits for a disk, away from the threads that everything else runs on.
    func reading<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await files.result(of: body)
    }

    /// Begins a request; requests of a connection are begun one after the other.
    /// - Throws: ``KafkaProtocolError`` when the frame cannot be understood: the connection has to be closed.
    func begin(_ frame: Frame, _ client: ClientState) throws(KafkaProtocolError) -> Work {
        if client.access.sendsRawMessages { return { [self] in await rawLogin(frame.bytes, client) } }
        var reader = KafkaReader(frame.bytes[...])
        let key = try reader.int16()
        let version = try reader.int16()
        let correlation = try reader.int32()
        guard let api = APITable.apis[key] else {
            throw KafkaProtocolError("the request \(key) is not one that this broker answers")
        }
        guard access == nil || client.access.principal != nil || Self.open.contains(key) else {
            throw KafkaProtocolError("the request \(key) came before the client has said who it is (SaslHandshake)")
        }
        guard api.versions.contains(version) else { return try unsupported(key, version, correlation) }
        let clientID = try reader.nullableString(false, nullable: true) ?? ""
        if version >= api.firstFlexible ?? .max { try reader.skipTags() }
        let context = RequestContext(version: version, correlation: correlation, clientID: clientID, client: client)
        let work = try route(key, &reader, context)
        let began = ContinuousClock.now
        return { [metrics] in
            let reply = await work()
            metrics.answered(
                key, client: clientID, bytesIn: frame.bytes.count, bytesOut: reply?.byteCount ?? 0,
                ContinuousClock.now - began)
            // The frame has its place in memory until it is answered.
            withExtendedLifetime(frame.shares) {}
            return reply
        }
    }

    /// A client that asks for versions in a version that is not known gets the oldest form, and asks again (KIP-511).
    private func unsupported(_ key: Int16, _ version: Int16, _ correlation: Int32) throws(KafkaProtocolError) -> Work {
        guard key == ApiVersionsRequest.apiKey else {
            throw KafkaProtocolError("the request \(key) has the version \(version), which this broker does not know")
        }
        let response = ApiVersionsResponse(
            errorCode: KafkaErrorCode.unsupportedVersion.rawValue, apiKeys: APITable.answer())
        return { Reply(response, correlation: correlation, version: 0) }
    }

    private func route(
        _ key: Int16, _ reader: inout KafkaReader, _ context: RequestContext
    ) throws(KafkaProtocolError) -> Work {
        switch key {
        case ProduceRequest.apiKey:
            return produce(try ProduceRequest(from: &reader, version: context.version), context)
        case FetchRequest.apiKey:
            let request = try FetchRequest(from: &reader, version: context.version)
            return { [self] in await fetch(request, context) }
        case ListOffsetsRequest.apiKey: return try answer(&reader, context, listOffsets)
        case MetadataRequest.apiKey: return try answer(&reader, context, metadata)
        case OffsetCommitRequest.apiKey: return try answer(&reader, context, offsetCommit)
        case OffsetFetchRequest.apiKey: return try answer(&reader, context, offsetFetch)
        case FindCoordinatorRequest.apiKey: return try answer(&reader, context, findCoordinator)
        case JoinGroupRequest.apiKey: return try answer(&reader, context, joinGroup)
        case HeartbeatRequest.apiKey: return try answer(&reader, context, heartbeat)
        case LeaveGroupRequest.apiKey: return try answer(&reader, context, leaveGroup)
        case SyncGroupRequest.apiKey: return try answer(&reader, context, syncGroup)
        case DescribeGroupsRequest.apiKey: return try answer(&reader, context, describeGroups)
        case ListGroupsRequest.apiKey: return try answer(&reader, context, listGroups)
        case ApiVersionsRequest.apiKey: return try answer(&reader, context, apiVersions)
        case CreateTopicsRequest.apiKey: return try answer(&reader, context, createTopics)
        case DeleteTopicsRequest.apiKey: return try answer(&reader, context, deleteTopics)
        case DeleteRecordsRequest.apiKey: return try answer(&reader, context, deleteRecords)
        case InitProducerIdRequest.apiKey: return try answer(&reader, context, initProducerID)
        case OffsetForLeaderEpochRequest.apiKey: return try answer(&reader, context, offsetForLeaderEpoch)
        case AddPartitionsToTxnRequest.apiKey: return try answer(&reader, context, addPartitions)
        case AddOffsetsToTxnRequest.apiKey: return try answer(&reader, context, addOffsets)
        case EndTxnRequest.apiKey: return try answer(&reader, context, endTransaction)
        case TxnOffsetCommitRequest.apiKey: return try answer(&reader, context, commitOffsets)
        case DescribeConfigsRequest.apiKey: return try answer(&reader, context, describeConfigs)
        case AlterConfigsRequest.apiKey: return try answer(&reader, context, alterConfigs)
        case CreatePartitionsRequest.apiKey: return try answer(&reader, context, createPartitions)
        case DeleteGroupsRequest.apiKey: return try answer(&reader, context, deleteGroups)
        case IncrementalAlterConfigsRequest.apiKey: return try answer(&reader, context, incrementalAlterConfigs)
        case OffsetDeleteRequest.apiKey: return try answer(&reader, context, offsetDelete)
        case ConsumerGroupHeartbeatRequest.apiKey: return try answer(&reader, context, consumerGroupHeartbeat)
        case ConsumerGroupDescribeRequest.apiKey: return try answer(&reader, context, consumerGroupDescribe)
        case DescribeClusterRequest.apiKey: return try answer(&reader, context, describeCluster)
        case DescribeProducersRequest.apiKey: return try answer(&reader, context, describeProducers)
        case DescribeTransactionsRequest.apiKey: return try answer(&reader, context, describeTransactions)
        case ListTransactionsRequest.apiKey: return try answer(&reader, context, listTransactions)
        case SaslHandshakeRequest.apiKey:
            let request = try SaslHandshakeRequest(from: &reader, version: context.version)
            return { [self] in saslHandshake(request, context) }
        case SaslAuthenticateRequest.apiKey:
            let request = try SaslAuthenticateRequest(from: &reader, version: context.version)
            return { [self] in await saslAuthenticate(request, context) }
        case DescribeUserScramCredentialsRequest.apiKey: return try answer(&reader, context, describeUsers)
        case AlterUserScramCredentialsRequest.apiKey: return try answer(&reader, context, alterUsers)
        case DescribeAclsRequest.apiKey: return try answer(&reader, context, describeRules)
        case CreateAclsRequest.apiKey: return try answer(&reader, context, createRules)
        case DeleteAclsRequest.apiKey: return try answer(&reader, context, deleteRules)
        default: throw KafkaProtocolError("the request \(key) is not one that this broker answers")
        }
    }

    /// Reads a request and leaves its answer to a handler.
    func answer<Request: KafkaMessage, Response: KafkaMessage>(
        _ reader: inout KafkaReader, _ context: RequestContext,
        _ handle: @escaping @Sendable (Request, RequestContext) async -> Response
    ) throws(KafkaProtocolError) -> Work {
        let request = try Request(from: &reader, version: context.version)
        return {
            Reply(await handle(request, context), correlation: context.correlation, version: context.version)
        }
    }
}

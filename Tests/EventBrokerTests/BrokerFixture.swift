// SPDX-License-Identifier: Apache-2.0
import Foundation
import KafkaProtocol
import KafkaRecords
import Logging
import NIOCore
import NIOPosix

@testable import EventBroker

/// A broker behind a socket, in a folder of its own.
struct BrokerFixture: Sendable {
    let broker: Broker
    let port: Int

    /// Runs a body against a broker, and stops it.
    static func run(
        _ configure: (inout BrokerConfiguration) -> Void = { _ in }, listens: Bool = true,
        _ body: @escaping @Sendable (BrokerFixture) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/apus-broker-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var configuration = BrokerConfiguration(dataFolder: folder)
        configuration.advertisedAddress = ("broker.test", 9092)
        configuration.maximumPartitions = 200
        configure(&configuration)
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let broker = try await Broker(configuration, logger: logger)
        let server = BrokerServer(broker: broker, host: "127.0.0.1", port: 0, logger: logger)
        let result: Result<Void, any Error>
        do {
            let (ports, bound) = AsyncStream.makeStream(of: Int.self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await broker.run() }
                group.addTask {
                    // Nobody waits for the port of a server that has failed.
                    defer { bound.finish() }
                    try await server.run { bound.yield($0) }
                }
                for await port in ports {
                    do {
                        try await body(BrokerFixture(broker: broker, port: port))
                    } catch {
                        group.cancelAll()
                        throw error
                    }
                    break
                }
                group.cancelAll()
                while let ended = await group.nextResult() {
                    if case .failure(let error) = ended, !(error is CancellationError) { throw error }
                }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await broker.close()
        try result.get()
    }

    /// Connects a client that speaks in bytes.
    func connect<Value>(_ body: (inout RawClient) async throws -> Value) async throws -> Value {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(
                            backPressureStrategy: .init(lowWatermark: 1, highWatermark: 1),
                            isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var client = RawClient(
                channel: channel.channel, inbound: inbound.makeAsyncIterator(), outbound: outbound)
            return try await body(&client)
        }
    }

    /// Waits until every transaction that was ended is complete: its markers are written after the answer. False when
    /// they are not within some seconds.
    func transactionsAreComplete() async -> Bool {
        await Self.eventually {
            broker.transactions.list(
                states: ["PrepareCommit", "PrepareAbort"], producerIDs: [], minDuration: nil
            ).transactions.isEmpty
        }
    }

    /// Waits until something is so; false when it is not within some seconds.
    static func eventually(_ condition: () async -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if await condition() { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

/// A client that speaks in bytes.
struct RawClient {
    let channel: any Channel
    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var buffer = ByteBuffer()

    init(
        channel: any Channel, inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.channel = channel
        self.inbound = inbound
        self.outbound = outbound
    }

    func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

    /// The next answer without its length; nil when the connection was closed.
    mutating func answer() async throws -> [UInt8]? {
        while true {
            if let length = buffer.getInteger(at: buffer.readerIndex, as: Int32.self),
                buffer.readableBytes >= 4 + Int(length)
            {
                buffer.moveReaderIndex(forwardBy: 4)
                return buffer.readBytes(length: Int(length))
            }
            do {
                guard var more = try await inbound.next() else { return nil }
                buffer.writeBuffer(&more)
            } catch is IOError {
                return nil
            }
        }
    }

    mutating func call<Response: KafkaMessage>(
        _ request: some KafkaMessage, _ version: Int16, _: Response.Type
    ) async throws -> Response {
        try await send(Wire.frame(request, version))
        guard let answer = try await answer() else { throw ConnectionClosed() }
        return try Wire.read(answer, version)
    }
}

/// The broker closed the connection.
struct ConnectionClosed: Error {}

/// Messages as bytes.
enum Wire {
    /// A request with its length and header.
    static func frame(
        _ request: some KafkaMessage, _ version: Int16, correlation: Int32 = 7, client: String = "test"
    ) -> [UInt8] {
        let kind = type(of: request)
        var writer = KafkaWriter()
        writer.int32(0)
        writer.int16(kind.apiKey)
        writer.int16(version)
        writer.int32(correlation)
        writer.string(client, false)
        if kind.isFlexible(version) { writer.noTags() }
        request.write(to: &writer, version: version)
        writer.patch(int32: Int32(writer.count - 4), at: 0)
        return writer.bytes
    }

    /// The message of an answer without its length.
    static func read<Response: KafkaMessage>(_ answer: [UInt8], _ version: Int16) throws -> Response {
        var reader = KafkaReader(answer[...])
        _ = try reader.int32()
        if Response.isFlexible(version), Response.apiKey != ApiVersionsResponse.apiKey { try reader.skipTags() }
        return try Response(from: &reader, version: version)
    }

    /// A batch of records without compression.
    static func batch(_ values: [String], codec: CompressionCodec = .none) throws -> [UInt8] {
        var builder = RecordBatchBuilder(compression: codec)
        for value in values {
            builder.append(timestamp: 1_700_000_000_000, key: Array("k".utf8), value: Array(value.utf8))
        }
        return try builder.build()
    }

    static func produce(_ records: [UInt8], to topic: String, partition: Int32 = 0, acks: Int16 = 1) -> ProduceRequest {
        ProduceRequest(
            acks: acks, timeoutMs: 1000,
            topicData: [.init(name: topic, partitionData: [.init(index: partition, records: .bytes(records[...]))])])
    }

    static func fetch(
        _ topic: String, partition: Int32 = 0, offset: Int64 = 0, maxWait: Int32 = 0, minBytes: Int32 = 1,
        maxBytes: Int32 = 50 << 20
    ) -> FetchRequest {
        FetchRequest(
            maxWaitMs: maxWait, minBytes: minBytes, maxBytes: maxBytes,
            topics: [
                .init(
                    topic: topic,
                    partitions: [.init(partition: partition, fetchOffset: offset, partitionMaxBytes: maxBytes)])
            ])
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import EventCoordination
import EventLog
import KafkaProtocol
import NIOCore
import NIOPosix
import Synchronization

/// Records out.
extension Broker {
    /// A partition that is asked for, and what of it is sent.
    private struct Part: Sendable {
        var topic: String
        var request: FetchRequest.FetchPartition
        var log: PartitionLog?
        var slice: LogSlice?
        var error = KafkaErrorCode.none
    }

    func fetch(_ request: FetchRequest, _ context: RequestContext) async -> Reply {
        let isolation = request.isolationLevel == 1 ? Isolation.committed : .uncommitted
        let deadline = ContinuousClock.now + .milliseconds(max(0, Int64(request.maxWaitMs)))
        let limit = min(Int(max(0, request.maxBytes)), configuration.maximumFetchBytes)
        while true {
            let parts: [Part]
            do {
                parts = try await reading { [self] in read(request, context, isolation, limit: limit) }
            } catch {
                return answer([], request, isolation, context)
            }
            let count = parts.reduce(0) { $0 + ($1.slice?.byteCount ?? 0) }
            let isDone =
                count >= request.minBytes || parts.contains { $0.error != .none } || ContinuousClock.now >= deadline
                || Task.isCancelled
            if isDone || (count > 0 && request.minBytes <= 1) { return answer(parts, request, isolation, context) }
            await wait(for: parts, isolation, until: deadline, on: context.client.connection.eventLoop)
        }
    }

    private func read(
        _ request: FetchRequest, _ context: RequestContext, _ isolation: Isolation, limit: Int
    ) -> [Part] {
        var left = limit
        var isFirst = true
        var parts: [Part] = []
        for topic in request.topics {
            let isAllowed = may(context, .read, .topic, topic.topic)
            let found = isAllowed ? topics.topic(topic.topic) : nil
            for partition in topic.partitions {
                var part = Part(topic: topic.topic, request: partition, log: found?.partition(partition.partition))
                guard let log = part.log else {
                    part.error = isAllowed ? .unknownTopicOrPartition : .topicAuthorizationFailed
                    parts.append(part)
                    continue
                }
                guard partition.currentLeaderEpoch <= log.leaderEpoch else {
                    part.error = .unknownLeaderEpoch
                    parts.append(part)
                    continue
                }
                do throws(ReadError) {
                    let slice = try log.read(
                        from: partition.fetchOffset, maxBytes: min(left, Int(max(0, partition.partitionMaxBytes))),
                        atLeastOne: isFirst, isolation: isolation)
                    left = max(0, left - slice.byteCount)
                    if slice.byteCount > 0 { isFirst = false }
                    part.slice = slice
                } catch {
                    part.error = KafkaErrorCode(rawValue: error.code.rawValue) ?? .unknownServerError
                }
                parts.append(part)
            }
        }
        return parts
    }

    /// Returns when a partition has more than was read, at the deadline, or when the client goes.
    private func wait(
        for parts: [Part], _ isolation: Isolation, until deadline: ContinuousClock.Instant, on loop: any EventLoop
    ) async {
        let latch = Latch()
        var watches: [LogWatch] = []
        for part in parts {
            guard let log = part.log, let slice = part.slice else { continue }
            guard let watch = log.watch(from: slice.nextOffset, isolation: isolation, { latch.open() }) else { return }
            watches.append(watch)
        }
        let timer = loop.scheduleTask(in: .nanoseconds((deadline - .now).nanoseconds)) { latch.open() }
        await withTaskCancellationHandler {
            await latch.wait()
        } onCancel: {
            latch.open()
        }
        timer.cancel()
        withExtendedLifetime(watches) {}
    }

    private func answer(
        _ parts: [Part], _ request: FetchRequest, _ isolation: Isolation, _ context: RequestContext
    ) -> Reply {
        var response = FetchResponse()
        var files: [any FileBytes] = []
        for part in parts {
            var data = FetchResponse.PartitionData(
                partitionIndex: part.request.partition, errorCode: part.error.rawValue, highWatermark: -1,
                records: .bytes([]))
            if let slice = part.slice {
                data.highWatermark = slice.highWatermark
                data.lastStableOffset = slice.lastStableOffset
                data.logStartOffset = slice.startOffset
                if isolation == .committed {
                    data.abortedTransactions = slice.abortedTransactions.map {
                        .init(producerId: $0.producerId, firstOffset: $0.firstOffset)
                    }
                }
                if slice.byteCount > 0 {
                    data.records = .external(id: files.count, count: slice.byteCount)
                    files.append(SliceBytes(slice: slice))
                }
            }
            if response.responses.last?.topic != part.topic { response.responses.append(.init(topic: part.topic)) }
            response.responses[response.responses.count - 1].partitions.append(data)
        }
        return Reply(response, correlation: context.correlation, version: context.version, files: files)
    }
}

/// A slice of a log as bytes to send.
struct SliceBytes: FileBytes {
    let slice: LogSlice

    var byteCount: Int { slice.byteCount }

    func read(at offset: Int, count: Int) throws -> [UInt8] {
        var part = slice
        part.position += Int64(offset)
        part.byteCount = count
        return try part.bytes()
    }

    func open() throws -> (handle: NIOFileHandle, position: Int) {
        guard let file = slice.file else { throw ReadError(.storage, "the slice has no file") }
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: try file.duplicate())
        return (handle, Int(slice.position))
    }
}

/// Opens once; who waits for it goes on.
final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// Returns once it is open. One task waits.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting = continuation }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

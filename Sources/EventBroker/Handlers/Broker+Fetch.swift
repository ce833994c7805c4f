// SPDX-License-Identifier: Apache-2.0
import ApusCore
import EventCoordination
import EventLog
import KafkaProtocol
import NIOCore
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
        let wish: FetchSessions.Wish
        do throws(KafkaErrorCode) {
            wish = try begin(request)
        } catch {
            let response = FetchResponse(errorCode: error.rawValue)
            return Reply(response, correlation: context.correlation, version: context.version)
        }
        var request = request
        request.topics = wish.topics
        return await fetch(request, wish, context)
    }

    private func begin(_ request: FetchRequest) throws(KafkaErrorCode) -> FetchSessions.Wish {
        try sessions.withLock { sessions -> Result<FetchSessions.Wish, KafkaErrorCode> in
            do throws(KafkaErrorCode) {
                return .success(try sessions.begin(request, now: CoordinatorClock.now))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    private func fetch(
        _ request: FetchRequest, _ wish: FetchSessions.Wish, _ context: RequestContext
    ) async -> Reply {
        let isolation = request.isolationLevel == 1 ? Isolation.committed : .uncommitted
        let deadline = ContinuousClock.now + .milliseconds(max(0, Int64(request.maxWaitMs)))
        let limit = min(Int(max(0, request.maxBytes)), configuration.maximumFetchBytes)
        let enough = min(Int(request.minBytes), limit)
        var before = -1
        while true {
            let parts: [Part]
            do {
                parts = try await reading { [self] in read(request, context, isolation, limit: limit) }
            } catch {
                return answer([], wish, isolation, context)
            }
            let count = parts.reduce(0) { $0 + ($1.slice?.byteCount ?? 0) }
            let isDone =
                count >= enough || parts.contains { $0.error != .none } || ContinuousClock.now >= deadline
                || Task.isCancelled
            // More came, and no more of it fits.
            if isDone || count == before { return answer(parts, wish, isolation, context) }
            before = await wait(for: parts, isolation, until: deadline, context) ? -1 : count
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

    /// Returns when a partition has more than was read, at the deadline, or when the client goes; and whether it had to
    /// wait for that.
    private func wait(
        for parts: [Part], _ isolation: Isolation, until deadline: ContinuousClock.Instant, _ context: RequestContext
    ) async -> Bool {
        let latch = Latch()
        var watches: [LogWatch] = []
        for part in parts {
            guard let log = part.log, let slice = part.slice else { continue }
            guard let watch = log.watch(from: slice.nextOffset, isolation: isolation, { latch.open() }) else {
                return false
            }
            watches.append(watch)
        }
        let timer = context.client.connection.eventLoop.scheduleTask(in: .nanoseconds((deadline - .now).nanoseconds)) {
            latch.open()
        }
        await withTaskCancellationHandler {
            await latch.wait()
        } onCancel: {
            latch.open()
        }
        timer.cancel()
        withExtendedLifetime(watches) {}
        return true
    }

    private func answer(
        _ parts: [Part], _ wish: FetchSessions.Wish, _ isolation: Isolation, _ context: RequestContext
    ) -> Reply {
        var response = FetchResponse(sessionId: wish.sessionID)
        var files: [any FileBytes] = []
        let parts = wish.sessionID == 0 ? parts : told(parts, wish)
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
                    metrics.sent(
                        part.topic, bytes: slice.byteCount, records: slice.nextOffset - part.request.fetchOffset)
                }
            }
            if response.responses.last?.topic != part.topic { response.responses.append(.init(topic: part.topic)) }
            response.responses[response.responses.count - 1].partitions.append(data)
        }
        return Reply(response, correlation: context.correlation, version: context.version, files: files)
    }

    /// The partitions that a session's client has to be told of.
    private func told(_ parts: [Part], _ wish: FetchSessions.Wish) -> [Part] {
        sessions.withLock { sessions in
            var served: Set<FetchKey> = []
            let told = parts.filter { part in
                let key = FetchKey(topic: part.topic, partition: part.request.partition)
                let hasRecords = (part.slice?.byteCount ?? 0) > 0
                if hasRecords { served.insert(key) }
                return sessions.tells(
                    wish, key, highWatermark: part.slice?.highWatermark ?? -1,
                    startOffset: part.slice?.startOffset ?? -1, isError: part.error != .none, hasRecords: hasRecords)
            }
            sessions.rotate(wish, served: served)
            return told
        }
    }
}

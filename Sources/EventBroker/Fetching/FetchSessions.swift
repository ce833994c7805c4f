// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol

/// A partition of a session.
struct FetchKey: Hashable, Sendable {
    var topic: String
    var partition: Int32
}

/// What clients fetch again and again, remembered so that a request names only what changed since the one before
/// (KIP-227). A value: who has it guards it.
struct FetchSessions: Sendable {
    /// What a request asks for, with what its session remembers.
    struct Wish: Sendable {
        /// All partitions to read, in order.
        var topics: [FetchRequest.FetchTopic]
        /// The session to name in the answer; 0 for none.
        var sessionID: Int32 = 0
        /// Whether the answer leaves out partitions in which nothing changed.
        var isIncremental = false
    }

    private struct Entry: Sendable {
        var request: FetchRequest.FetchPartition
        /// As the client was last told; −1 before that and after an error.
        var highWatermark: Int64 = -1
        var startOffset: Int64 = -1
    }

    private struct Session: Sendable {
        var entries: [FetchKey: Entry] = [:]
        /// Those that had records come last, so that all have their turn.
        var order: [FetchKey] = []
        /// Of the next request.
        var epoch: Int32 = 1
        var lastUsed: Duration

        init(_ topics: [FetchRequest.FetchTopic], now: Duration) {
            lastUsed = now
            update(topics)
        }

        mutating func update(_ topics: [FetchRequest.FetchTopic]) {
            for topic in topics {
                for partition in topic.partitions {
                    let key = FetchKey(topic: topic.topic, partition: partition.partition)
                    if entries[key] == nil {
                        entries[key] = Entry(request: partition)
                        order.append(key)
                    } else {
                        entries[key]?.request = partition
                    }
                }
            }
        }

        mutating func forget(_ topics: [FetchRequest.ForgottenTopic]) {
            var isChanged = false
            for topic in topics {
                for partition in topic.partitions {
                    let key = FetchKey(topic: topic.topic, partition: partition)
                    if entries.removeValue(forKey: key) != nil { isChanged = true }
                }
            }
            if isChanged { order.removeAll { entries[$0] == nil } }
        }

        var topics: [FetchRequest.FetchTopic] {
            var topics: [FetchRequest.FetchTopic] = []
            for key in order {
                guard let entry = entries[key] else { continue }
                if topics.last?.topic != key.topic { topics.append(.init(topic: key.topic)) }
                topics[topics.count - 1].partitions.append(entry.request)
            }
            return topics
        }
    }

    /// The most sessions (`max.incremental.fetch.session.cache.slots`).
    let capacity: Int
    /// The most partitions of all sessions together.
    let partitionCapacity: Int
    /// A session that was not used for so long makes room for another.
    let evictionAge: Duration
    private var sessions: [Int32: Session] = [:]
    private var partitions = 0

    init(capacity: Int = 1000, partitionCapacity: Int = 200_000, evictionAge: Duration = .seconds(120)) {
        self.capacity = capacity
        self.partitionCapacity = partitionCapacity
        self.evictionAge = evictionAge
    }

    /// How many there are.
    var count: Int { sessions.count }

    /// Finds out what a request asks for.
    /// - Throws: the error for the whole answer.
    mutating func begin(_ request: FetchRequest, now: Duration) throws(KafkaErrorCode) -> Wish {
        // Epoch −1 ends a session, 0 begins one; both name all partitions.
        guard request.sessionEpoch > 0 else {
            if request.sessionId != 0 { remove(request.sessionId) }
            let id = request.sessionEpoch == 0 ? make(request.topics, now: now) : 0
            return Wish(topics: request.topics, sessionID: id)
        }
        guard var session = sessions[request.sessionId] else { throw .fetchSessionIDNotFound }
        guard session.epoch == request.sessionEpoch else { throw .invalidFetchSessionEpoch }
        let before = session.entries.count
        session.forget(request.forgottenTopicsData)
        session.update(request.topics)
        partitions += session.entries.count - before
        session.epoch = session.epoch == .max ? 1 : session.epoch + 1
        session.lastUsed = now
        sessions[request.sessionId] = session
        let wish = Wish(topics: session.topics, sessionID: request.sessionId, isIncremental: true)
        guard partitions <= partitionCapacity else {
            remove(request.sessionId)
            throw .fetchSessionIDNotFound
        }
        guard !session.entries.isEmpty else {
            remove(request.sessionId)
            return Wish(topics: [])
        }
        return wish
    }

    /// Notes what a client is told of a partition; returns whether it has to be told.
    mutating func tells(
        _ wish: Wish, _ key: FetchKey, highWatermark: Int64, startOffset: Int64, isError: Bool, hasRecords: Bool
    ) -> Bool {
        guard wish.sessionID != 0, let entry = sessions[wish.sessionID]?.entries[key] else { return true }
        let isNews =
            isError || hasRecords || entry.highWatermark != highWatermark || entry.startOffset != startOffset
        // Once the error is gone the client has to be told so.
        sessions[wish.sessionID]?.entries[key]?.highWatermark = isError ? -1 : highWatermark
        sessions[wish.sessionID]?.entries[key]?.startOffset = startOffset
        return isNews || !wish.isIncremental
    }

    /// Puts the partitions that had records behind those that wait for their turn.
    mutating func rotate(_ wish: Wish, served: Set<FetchKey>) {
        guard wish.sessionID != 0, !served.isEmpty, let order = sessions[wish.sessionID]?.order,
            served.count < order.count
        else { return }
        sessions[wish.sessionID]?.order = order.filter { !served.contains($0) } + order.filter { served.contains($0) }
    }

    private mutating func remove(_ id: Int32) {
        guard let session = sessions.removeValue(forKey: id) else { return }
        partitions -= session.entries.count
    }

    /// Makes a session; 0 where there is no room, and the client goes on without.
    private mutating func make(_ topics: [FetchRequest.FetchTopic], now: Duration) -> Int32 {
        let session = Session(topics, now: now)
        guard !session.entries.isEmpty else { return 0 }
        while sessions.count >= capacity || partitions + session.entries.count > partitionCapacity {
            guard let oldest = sessions.min(by: { $0.value.lastUsed < $1.value.lastUsed }),
                now - oldest.value.lastUsed >= evictionAge
            else { return 0 }
            remove(oldest.key)
        }
        // Numbers that cannot be guessed: a session belongs to who knows its number.
        var id: Int32 = 0
        while id == 0 || sessions[id] != nil { id = .random(in: 1 ... .max) }
        sessions[id] = session
        partitions += session.entries.count
        return id
    }
}

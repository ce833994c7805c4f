// SPDX-License-Identifier: Apache-2.0

/// What was read and not handed out yet. A value; ``ConsumerCore`` locks it.
struct ConsumerBuffer {
    enum Item {
        case message(KafkaMessage)
        case failure(KafkaError)
    }

    private var items: [Item] = []
    /// The first of `items` that was not handed out.
    private var head = 0
    /// Partitions whose records are held back, and those records.
    private(set) var paused: Set<TopicPartition> = []
    private var held: [KafkaMessage] = []

    /// What can be handed out.
    var count: Int { items.count - head }

    mutating func append(_ message: KafkaMessage) {
        if !paused.isEmpty, paused.contains(message.topicPartition) {
            held.append(message)
        } else {
            items.append(.message(message))
        }
    }

    mutating func append(_ error: KafkaError) { items.append(.failure(error)) }

    mutating func popFirst() -> Item? {
        guard head < items.count else { return nil }
        defer {
            head += 1
            if head == items.count {
                items.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= 1024 {
                items.removeFirst(head)
                head = 0
            }
        }
        return items[head]
    }

    /// Forgets records of these partitions; nil: of all, and what was paused.
    mutating func drop(_ partitions: Set<TopicPartition>?) {
        let kept = items[head...].filter { item in
            guard case .message(let message) = item else { return true }
            return partitions.map { !$0.contains(message.topicPartition) } ?? false
        }
        items = Array(kept)
        head = 0
        held.removeAll { partitions?.contains($0.topicPartition) ?? true }
        if let partitions { paused.subtract(partitions.intersection(paused)) } else { paused = [] }
    }

    /// As ``drop(_:)``, where a pause stays: after a seek.
    mutating func rewind(_ partitions: Set<TopicPartition>) {
        let before = paused
        drop(partitions)
        paused = before
    }

    mutating func hold(_ partitions: Set<TopicPartition>) {
        paused.formUnion(partitions)
        var kept: [Item] = []
        for item in items[head...] {
            if case .message(let message) = item, partitions.contains(message.topicPartition) {
                held.append(message)
            } else {
                kept.append(item)
            }
        }
        items = kept
        head = 0
    }

    mutating func release(_ partitions: Set<TopicPartition>) {
        paused.subtract(partitions)
        let freed = held.filter { partitions.contains($0.topicPartition) }
        held.removeAll { partitions.contains($0.topicPartition) }
        items = freed.map(Item.message) + items[head...]
        head = 0
    }

    /// The offset of the first record of each partition.
    func firstOffsets() -> [TopicPartition: Int64] {
        var first: [TopicPartition: Int64] = [:]
        for item in items[head...] {
            guard case .message(let message) = item else { continue }
            let place = message.topicPartition
            first[place] = min(first[place] ?? .max, message.offset)
        }
        for message in held {
            first[message.topicPartition] = min(first[message.topicPartition] ?? .max, message.offset)
        }
        return first
    }
}

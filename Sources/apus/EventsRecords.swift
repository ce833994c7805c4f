// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import KafkaClient

/// `apus events tail`.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Print a topic's records as they come.",
        discussion: """
            A format is text with %t (topic), %p (partition), %o (offset), %T (time in ms), %k (key), %s (value), \
            %h (headers), %% and \\n, \\t; a line ends each record. Null keys and values are printed as NULL.
            """)

    @OptionGroup var events: EventsOptions
    @Argument(help: "Name of the topic.") var topic: String
    @Flag(help: "From the first record on, rather than only new ones.") var fromBeginning = false
    @Option(help: "Read as a member of this group, and commit what was printed.") var group: String?
    @Option(help: "What to print of each record. (default: the value)") var format = "%s"
    @Option(name: [.customShort("n"), .long], help: "End after so many records.") var count: Int?
    @Flag(name: [.customShort("e"), .long], help: "End at what is the last record now.") var exit = false

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count must be at least 1, not \(count)") }
        if exit, group != nil { throw ValidationError("give either --exit or --group") }
        _ = try RecordFormat(format)
    }

    func run() async throws {
        let format = try RecordFormat(format)
        try await events.run { configuration in
            let admin = try KafkaAdmin(configuration, timeout: .seconds(10))
            defer { admin.close() }
            let places = try await admin.topic(topic).topicPartitions
            var remaining: [TopicPartition: Int64] = [:]
            if exit {
                for place in places {
                    let range = try await admin.watermarks(place)
                    if fromBeginning, !range.isEmpty { remaining[place] = range.upperBound }
                }
                if remaining.isEmpty { return }
            }
            let start = fromBeginning ? "earliest" : "latest"
            var own = configuration
            own.properties["auto.offset.reset"] = own.properties["auto.offset.reset"] ?? start
            own.properties["enable.partition.eof"] = "true"
            let consumer = try KafkaConsumer(own, group: group)
            if group != nil {
                try consumer.subscribe([topic])
            } else {
                let offset: KafkaOffset = fromBeginning ? .beginning : .end
                try await consumer.assign(Dictionary(uniqueKeysWithValues: places.map { ($0, offset) }))
            }
            let result: Result<Void, any Error>
            do {
                result = .success(try await pump(consumer, format, remaining))
            } catch {
                result = .failure(error)
            }
            // Commits what was printed.
            await consumer.close()
            try result.get()
        }
    }

    private func pump(
        _ consumer: KafkaConsumer, _ format: RecordFormat, _ ends: [TopicPartition: Int64]
    ) async throws {
        var ends = ends
        var left = count ?? .max
        while left > 0 {
            let batch = try await consumer.nextBatch(max: min(left, 1000), timeout: exit ? .milliseconds(100) : nil)
            var out: [UInt8] = []
            for message in batch {
                if exit, let end = ends[message.topicPartition], message.offset >= end { continue }
                out += format.bytes(message) + [10]
                left -= 1
            }
            try FileHandle.standardOutput.write(contentsOf: Data(out))
            if group != nil, let last = batch.last {
                var offsets = [last.topicPartition: last.offset + 1]
                for message in batch { offsets[message.topicPartition] = message.offset + 1 }
                try consumer.store(offsets)
                try await consumer.commit()
            }
            guard exit else { continue }
            // Positions pass the end also where control records or compaction left no record there.
            for (place, position) in try await consumer.positions() {
                if let end = ends[place], position >= end { ends[place] = nil }
            }
            if ends.isEmpty { return }
        }
    }
}

/// What is printed of a record. A value made of parts, checked once.
struct RecordFormat {
    private enum Part {
        case text([UInt8])
        case field(Character)
    }

    private var parts: [Part] = []

    /// - Throws: `ValidationError` for a letter that is no field.
    init(_ format: String) throws {
        var iterator = format.makeIterator()
        while let character = iterator.next() {
            switch character {
            case "%":
                guard let field = iterator.next(), "tpoTksh%".contains(field) else {
                    throw ValidationError("--format may have %t %p %o %T %k %s %h and %%, but is '\(format)'")
                }
                parts.append(field == "%" ? .text([37]) : .field(field))
            case "\\":
                switch iterator.next() {
                case "n": parts.append(.text([10]))
                case "t": parts.append(.text([9]))
                case "\\": parts.append(.text([92]))
                default: throw ValidationError("--format may have \\n, \\t and \\\\, but is '\(format)'")
                }
            default: parts.append(.text(Array(String(character).utf8)))
            }
        }
    }

    func bytes(_ message: KafkaMessage) -> [UInt8] {
        let null = Array("NULL".utf8)
        return parts.flatMap { part -> [UInt8] in
            guard case .field(let field) = part else {
                guard case .text(let text) = part else { return [] }
                return text
            }
            switch field {
            case "t": return Array(message.topic.utf8)
            case "p": return Array(String(message.partition).utf8)
            case "o": return Array(String(message.offset).utf8)
            case "T": return Array((message.timestamp.map(String.init) ?? "-1").utf8)
            case "k": return message.key ?? null
            case "h":
                return Array(
                    message.headers.map { header in
                        "\(header.name)=\(header.value.map { String(decoding: $0, as: UTF8.self) } ?? "NULL")"
                    }.joined(separator: ",").utf8)
            default: return message.value ?? null
            }
        }
    }
}

/// Lines of standard input as they come, read on a thread that may block.
private final class StandardInputLines: Sendable {
    private let queue = DispatchQueue(label: "apus.stdin")

    /// - Returns: the next line without its end; nil at the end of the input.
    func next() async -> String? {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: readLine(strippingNewline: true)) }
        }
    }
}

/// `apus events produce`.
struct ProduceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "produce", abstract: "Send each line of standard input as a record.")

    @OptionGroup var events: EventsOptions
    @Argument(help: "Name of the topic.") var topic: String
    @Option(name: [.customShort("K"), .long], help: "What stands between key and value on a line.")
    var keySeparator: String?
    @Option(name: .shortAndLong, help: "The partition. (default: by the key's hash)") var partition: Int32?
    @Option(name: [.customShort("H"), .customLong("header")], help: "A header of each record, NAME=VALUE.")
    var headers: [String] = []
    @Option(name: [.customShort("z"), .long], help: "none, gzip, snappy, lz4 or zstd. (default: none)")
    var compression: String?

    func validate() throws {
        if keySeparator?.isEmpty == true { throw ValidationError("--key-separator must not be empty") }
        if let partition, partition < 0 { throw ValidationError("--partition must be at least 0, not \(partition)") }
        if let compression, !["none", "gzip", "snappy", "lz4", "zstd"].contains(compression) {
            throw ValidationError("--compression must be none, gzip, snappy, lz4 or zstd, not '\(compression)'")
        }
        for header in headers where !header.contains("=") {
            throw ValidationError("--header must be NAME=VALUE, not '\(header)'")
        }
    }

    func run() async throws {
        let shared = headers.map { header in
            let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return KafkaHeader(String(parts[0]), String(parts[1]))
        }
        try await events.run { configuration in
            var configuration = configuration
            if let compression { configuration.properties["compression.type"] = compression }
            configuration.properties["message.timeout.ms"] = configuration.properties["message.timeout.ms"] ?? "30000"
            let producer = try KafkaProducer(configuration)
            var tickets: [DeliveryTicket] = []
            var sent = 0
            var number = 0
            let input = StandardInputLines()
            while let line = await input.next() {
                number += 1
                var value = line
                var key: String?
                if let keySeparator {
                    guard let range = line.range(of: keySeparator) else {
                        throw fail(
                            "line \(number) has no '\(keySeparator)' between key and value; \(sent) records were sent")
                    }
                    key = String(line[..<range.lowerBound])
                    value = String(line[range.upperBound...])
                }
                tickets.append(
                    try await producer.enqueue(
                        KafkaRecord(
                            topic: topic, partition: partition, key: key.map { Array($0.utf8) },
                            value: Array(value.utf8), headers: shared)))
                sent += 1
                // Errors are told soon, and memory stays bounded.
                if tickets.count >= 10_000 {
                    for ticket in tickets { _ = try await ticket.delivery() }
                    tickets = []
                }
            }
            for ticket in tickets { _ = try await ticket.delivery() }
            try await producer.close()
            FileHandle.standardError.write(Data("\(sent) records sent\n".utf8))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

/// One record of a container's log in the CRI format: `2026-01-02T03:04:05.123456789Z stdout F text`.
package struct CRILogRecord: Sendable, Equatable {
    /// Which of the container's outputs it came from.
    package enum Stream: String, Sendable {
        case stdout
        case stderr
    }

    /// RFC 3339 in nanoseconds, as written; empty when the line was not a record.
    package var time: String
    /// The output it came from; nil when the line was not a record.
    package var stream: Stream?
    /// Whether the line goes on in the stream's next record.
    package var isPartial: Bool
    /// The text without its line end.
    package var content: [UInt8]

    /// Reads a line without its line end; what is not a record becomes content as it is.
    package init(line: some BidirectionalCollection<UInt8>) {
        let space = UInt8(ascii: " ")
        let parts = line.split(separator: space, maxSplits: 3, omittingEmptySubsequences: false)
        if parts.count == 4, (20...40).contains(parts[0].count), parts[0].last == UInt8(ascii: "Z"),
            let stream = Stream(rawValue: String(decoding: parts[1], as: UTF8.self)),
            parts[2].first == UInt8(ascii: "F") || parts[2].first == UInt8(ascii: "P")
        {
            time = String(decoding: parts[0], as: UTF8.self)
            self.stream = stream
            isPartial = parts[2].first == UInt8(ascii: "P")
            content = Array(parts[3])
        } else {
            time = ""
            stream = nil
            isPartial = false
            content = Array(line)
        }
    }
}

/// Splits the bytes of a CRI log, which may come in any pieces, into records.
package struct CRILogParser: Sendable {
    /// A line longer than this is handed out in pieces: no runtime writes such records.
    package static let maxLineBytes = 1 << 20

    private var pending: [UInt8] = []

    /// Starts at the beginning of a line.
    package init() {}

    /// Takes further bytes and returns the records that they complete.
    package mutating func append(_ bytes: some BidirectionalCollection<UInt8>) -> [CRILogRecord] {
        var records: [CRILogRecord] = []
        var rest = bytes[...]
        while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if pending.isEmpty {
                records.append(CRILogRecord(line: rest[..<newline]))
            } else {
                pending += rest[..<newline]
                records.append(CRILogRecord(line: pending))
                pending = []
            }
            rest = rest[rest.index(after: newline)...]
        }
        pending += rest
        while pending.count > Self.maxLineBytes {
            records.append(CRILogRecord(line: pending.prefix(Self.maxLineBytes)))
            pending.removeFirst(Self.maxLineBytes)
        }
        return records
    }

    /// The last line, where it has no end.
    package mutating func finish() -> CRILogRecord? {
        guard !pending.isEmpty else { return nil }
        defer { pending = [] }
        return CRILogRecord(line: pending)
    }
}

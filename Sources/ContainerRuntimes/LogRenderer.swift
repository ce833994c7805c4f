// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Which part of a container's log is wanted, and how; the parameters of the pods/log subresource.
package struct LogOptions: Sendable, Equatable {
    /// Only the last so many lines; all by default.
    package var tailLines: Int?
    /// Only what was written at this moment or later.
    package var since: Timestamp?
    /// End after so many bytes of output.
    package var limitBytes: Int?
    /// Put the time before each line.
    package var timestamps = false
    /// Go on with what is written until the container has ended.
    package var follow = false
    /// Only one of the two outputs.
    package var stream: CRILogRecord.Stream?

    /// Everything that is there, as it is.
    package init() {}
}

/// Turns log records into the text that a reader asked for.
struct LogRenderer {
    private let options: LogOptions
    private let since: String?
    private var remaining: Int
    /// Whether the previous record of a stream ended its line, so that the next one starts one.
    private var continues: Set<CRILogRecord.Stream> = []

    init(_ options: LogOptions) {
        self.options = options
        // Times of one length and zone are in order as text; those written by others are compared as times.
        since = options.since?.rfc3339Nano
        remaining = max(0, options.limitBytes ?? .max)
    }

    /// Whether the limit of bytes is reached.
    var isFinished: Bool { remaining == 0 }

    mutating func render(_ records: [CRILogRecord]) -> [UInt8] {
        var output: [UInt8] = []
        for record in records where isWanted(record) {
            var starts = true
            if let stream = record.stream {
                starts = !continues.contains(stream)
                if record.isPartial { continues.insert(stream) } else { continues.remove(stream) }
            }
            if options.timestamps, starts, !record.time.isEmpty {
                output += record.time.utf8
                output.append(UInt8(ascii: " "))
            }
            output += record.content
            if !record.isPartial { output.append(UInt8(ascii: "\n")) }
            if output.count >= remaining {
                output.removeLast(output.count - remaining)
                break
            }
        }
        remaining -= output.count
        return output
    }

    private func isWanted(_ record: CRILogRecord) -> Bool {
        if let stream = options.stream, let other = record.stream, other != stream { return false }
        guard let since, let moment = options.since, !record.time.isEmpty else { return true }
        if record.time.utf8.count == since.utf8.count { return record.time >= since }
        return Timestamp(rfc3339: record.time).map { $0 >= moment } ?? true
    }
}

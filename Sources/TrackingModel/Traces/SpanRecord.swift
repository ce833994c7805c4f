// SPDX-License-Identifier: Apache-2.0
import ByteCodes

/// A span as the store keeps it: what searches and answers need in fields, the rest as one JSON text.
package struct SpanRecord: Sendable, Hashable {
    /// MLflow's id of the trace: `tr-` and 32 hexadecimal digits.
    package var traceID: String
    /// The id's eight bytes as a number of 64 bits.
    package var spanID: Int64
    /// Of the span above; nil for a root.
    package var parentID: Int64?
    package var name: String
    /// MLflow's type of span; nil where nobody gave one.
    package var type: String?
    /// `OK`, `ERROR` or `UNSET`.
    package var status: String
    /// Nanoseconds since 1970.
    package var start: Int64
    /// Nanoseconds since 1970; 0 where the span has no end yet.
    package var end: Int64
    /// An object with `name`, `events`, `status`, `links` and, last, `attributes`, whose values are JSON as texts, written
    /// as Python writes it. Ids, times and the attribute with the trace's id are not in it.
    package var content: String

    package init(
        traceID: String, spanID: Int64, parentID: Int64?, name: String, type: String?, status: String, start: Int64,
        end: Int64, content: String
    ) {
        self.traceID = traceID
        self.spanID = spanID
        self.parentID = parentID
        self.name = name
        self.type = type
        self.status = status
        self.start = start
        self.end = end
        self.content = content
    }

    /// 16 hexadecimal digits.
    package static func text(_ id: Int64) -> String {
        let digits = String(UInt64(bitPattern: id), radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// MLflow's id of a trace.
    package static func traceID(_ bytes: [UInt8]) -> String { "tr-" + hexadecimal(bytes, count: 16) }

    static func hexadecimal(_ bytes: [UInt8], count: Int) -> String {
        let digits = "0123456789abcdef".utf8.map { UInt8($0) }
        var text = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, count - bytes.count) * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func number(_ id: [UInt8]) -> Int64 {
        Int64(bitPattern: id.reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// The bytes of the trace's id; empty where it is not one of OpenTelemetry's.
    var traceBytes: [UInt8] {
        let digits = Array((traceID.hasPrefix("tr-") ? traceID.dropFirst(3) : traceID[...]).utf8)
        guard digits.count % 2 == 0 else { return [] }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Character(Unicode.Scalar(digits[start])).hexDigitValue,
                let low = Character(Unicode.Scalar(digits[start + 1])).hexDigitValue
            else { return [] }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }

    static func bytes(_ id: Int64) -> [UInt8] {
        let value = UInt64(bitPattern: id)
        return (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }
}

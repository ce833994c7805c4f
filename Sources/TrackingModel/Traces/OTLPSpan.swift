// SPDX-License-Identifier: Apache-2.0

/// Spans as OpenTelemetry's protocol (OTLP 1.x, `opentelemetry/proto/trace/v1/trace.proto`) carries them.
package struct OTLPSpan: Sendable, Hashable {
    /// Something that happened at a moment of a span.
    package struct Event: Sendable, Hashable {
        package var name = ""
        /// Nanoseconds since 1970.
        package var time: UInt64 = 0
        package var attributes: [Attribute] = []
    }

    /// A span elsewhere that belongs to this one.
    package struct Link: Sendable, Hashable {
        package var traceID: [UInt8] = []
        package var spanID: [UInt8] = []
        package var attributes: [Attribute] = []
    }

    package enum Status: String, Sendable, Hashable {
        case unset = "UNSET"
        case ok = "OK"
        case error = "ERROR"

        /// - Parameter code: of the protocol; what is unknown counts as unset.
        package init(code: Int64) {
            switch code {
            case 1: self = .ok
            case 2: self = .error
            default: self = .unset
            }
        }
    }

    /// 16 bytes.
    package var traceID: [UInt8] = []
    /// 8 bytes.
    package var spanID: [UInt8] = []
    /// 8 bytes; empty for a root.
    package var parentID: [UInt8] = []
    package var name = ""
    /// Nanoseconds since 1970.
    package var start: UInt64 = 0
    /// Nanoseconds since 1970; 0 where it is not known.
    package var end: UInt64 = 0
    package var attributes: [Attribute] = []
    package var events: [Event] = []
    package var links: [Link] = []
    package var status = Status.unset
    package var statusMessage = ""
    /// Which of the request's resources it comes from.
    package var resource = 0

    package init() {}
}

/// A request of OTLP's exporter (`ExportTraceServiceRequest`).
package struct OTLPRequest: Sendable, Hashable {
    /// What the spans' producers say of themselves.
    package var resources: [[Attribute]] = []
    package var spans: [OTLPSpan] = []

    package init() {}
}

/// Why a body is not a request of OTLP's exporter.
package struct OTLPError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// What one request may hold.
package struct OTLPLimits: Sendable {
    /// Spans, events and links.
    package var items = 100_000
    /// Values, also those within others.
    package var values = 1_000_000
    /// Levels of values within values.
    package var depth = 64

    package init() {}

    mutating func takeItem() throws(OTLPError) {
        items -= 1
        guard items >= 0 else { throw OTLPError("more spans, events and links than one request may have") }
    }

    mutating func takeValue() throws(OTLPError) {
        values -= 1
        guard values >= 0 else { throw OTLPError("more values than one request may have") }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import InferenceProtocol
import Synchronization

/// The settings of trace and log that clients read and change, over REST and gRPC alike.
///
/// They are kept and answered as Triton does; there is no trace. `log_verbose_level` from 1 on has each call logged.
package final class ServerSettings: Sendable {
    /// Triton's names and values at its start.
    private static let firstTrace: [String: JSONValue] = [
        "trace_level": ["OFF"], "trace_rate": "1000", "trace_count": "-1", "log_frequency": "0", "trace_file": "",
        "trace_mode": "triton",
    ]
    private static let firstLog: [String: JSONValue] = [
        "log_file": "", "log_info": true, "log_warning": true, "log_error": true, "log_verbose_level": 0,
        "log_format": "default",
    ]
    /// Bytes of one value.
    private static let longest = 4096

    private let trace = Mutex(ServerSettings.firstTrace)
    private let log = Mutex(ServerSettings.firstLog)
    private let verbose = Atomic(false)

    package init() {}

    package var isVerbose: Bool { verbose.load(ordering: .relaxed) }

    /// Changes those settings of the trace that are there, and tells all.
    /// - Parameter changes: texts, for `trace_level` a list of texts; null or an empty list: the value at the start.
    /// - Returns: an object.
    /// - Throws: `invalid` for a value of another type.
    package func traceSettings(changing changes: [String: JSONValue] = [:]) throws(InferenceFault) -> JSONValue {
        var new: [String: JSONValue] = [:]
        for (name, value) in changes {
            guard let first = Self.firstTrace[name] else { continue }
            switch (first, value) {
            case (_, .null), (_, .array([])): new[name] = first
            case (.array, .array(let elements)) where elements.allSatisfy({ $0.string != nil }): new[name] = value
            case (.array, .string): new[name] = .array([value])
            case (.string, .string(let text)): new[name] = .string(text)
            case (.string, .array(let elements)) where elements.count == 1 && elements[0].string != nil:
                new[name] = elements[0]
            case (.string, .int(let number)): new[name] = .string(String(number))
            default: throw Self.fault(name, value)
            }
            try Self.check(name, new[name] ?? .null)
        }
        return .object(
            trace.withLock { settings in
                settings.merge(new) { $1 }
                return settings
            })
    }

    /// Changes those settings of the log that are there, and tells all.
    /// - Throws: `invalid` for a value of another type.
    package func logSettings(changing changes: [String: JSONValue] = [:]) throws(InferenceFault) -> JSONValue {
        var new: [String: JSONValue] = [:]
        for (name, value) in changes {
            guard let first = Self.firstLog[name] else { continue }
            switch (first, value) {
            case (.bool, .bool), (.string, .string): new[name] = value
            case (.int, .int(let level)) where (0...100).contains(level): new[name] = value
            default: throw Self.fault(name, value)
            }
            try Self.check(name, value)
        }
        let all = log.withLock { settings in
            settings.merge(new) { $1 }
            return settings
        }
        verbose.store((all["log_verbose_level"]?.int ?? 0) > 0, ordering: .relaxed)
        return .object(all)
    }

    private static func check(_ name: String, _ value: JSONValue) throws(InferenceFault) {
        guard value.text.utf8.count <= longest else {
            throw InferenceFault(.invalid, "the setting \(name) has more than \(longest) bytes")
        }
    }

    private static func fault(_ name: String, _ value: JSONValue) -> InferenceFault {
        InferenceFault(.invalid, "the setting \(name) cannot be \(value.text.prefix(100))")
    }
}

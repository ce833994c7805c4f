// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
package import Logging

/// Form of log lines.
package enum LogStyle: String, Sendable {
    /// `2026-01-02T03:04:05.123456Z info apus: message key=value`
    case text
    /// One JSON object a line: time, level, logger, message, and the metadata.
    case json
}

/// Writes log lines to standard error, one write a line.
package struct StandardErrorLog: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let label: String
    private let style: LogStyle

    /// A logger of that style and level.
    package static func logger(label: String, style: LogStyle, level: Logger.Level) -> Logger {
        Logger(label: label) { StandardErrorLog(logLevel: level, label: $0, style: style) }
    }

    private init(logLevel: Logger.Level, label: String, style: LogStyle) {
        self.logLevel = logLevel
        self.label = label
        self.style = style
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let time = Timestamp.now().rfc3339Micro
        let line: String
        switch style {
        case .text:
            let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            line = "\(time) \(event.level) \(label): \(event.message)\(pairs)\n"
        case .json:
            var object = JSONValue(all.mapValues { "\($0)" })
            object["time"] = .string(time)
            object["level"] = .string(event.level.rawValue)
            object["logger"] = .string(label)
            object["message"] = .string("\(event.message)")
            line = object.text + "\n"
        }
        FileHandle.standardError.write(Data(line.utf8))
    }
}

// SPDX-License-Identifier: Apache-2.0

/// The kinds of MLflow's fields, as protobuf has them.
package indirect enum FieldKind: Sendable, Hashable {
    case string, int64, int32, double, bool, bytes, timestamp, duration
    /// Any JSON.
    case json
    case enumeration(String)
    case message(String)
    case map(FieldKind)

    init?(_ text: Substring) {
        switch text {
        case "string": self = .string
        case "int64": self = .int64
        case "int32": self = .int32
        case "double": self = .double
        case "bool": self = .bool
        case "bytes": self = .bytes
        case "timestamp": self = .timestamp
        case "duration": self = .duration
        case "json": self = .json
        default:
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            switch parts[0] {
            case "enum": self = .enumeration(String(parts[1]))
            case "message": self = .message(String(parts[1]))
            case "map":
                guard let value = FieldKind(parts[1]) else { return nil }
                self = .map(value)
            default: return nil
            }
        }
    }
}

/// A field of a message.
package struct MessageField: Sendable, Hashable {
    /// Its name on the wire, in snake case.
    package let name: String
    package let kind: FieldKind
    package let isRepeated: Bool
}

/// Where a call of the protocol is found.
package struct RouteDeclaration: Sendable, Hashable {
    /// The call's name in MLflow's services; those of the artifacts' proxy begin with `artifacts.`.
    package let rpc: String
    /// The major version of the protocol: the path follows `/api/VERSION.0`.
    package let version: Int
    package let method: String
    /// `{x}` stands for one part of a path, `{x...}` for the rest of it.
    package let path: String
    /// The message of the request.
    package let message: String
}

/// MLflow's messages, enums and routes, from the descriptors of its wheel (scripts/generate-mlflow-messages).
package struct MessageTable: Sendable {
    /// That of the version that the script saw.
    package static let mlflow = MessageTable(messageTableText)

    /// Fields by their names in snake case and in camel case, which JSON of protobuf may use too.
    package let messages: [String: [String: MessageField]]
    /// Numbers of enums by their names.
    package let enums: [String: [String: Int]]
    package let routes: [RouteDeclaration]

    init(_ text: String) {
        var messages: [String: [String: MessageField]] = [:]
        var enums: [String: [String: Int]] = [:]
        var routes: [RouteDeclaration] = []
        var current = ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            switch words[0] {
            case "R" where words.count == 6:
                routes.append(
                    RouteDeclaration(
                        rpc: String(words[1]), version: Int(words[2]) ?? 2, method: String(words[3]),
                        path: String(words[4]), message: String(words[5])))
            case "M" where words.count == 2:
                current = String(words[1])
                messages[current] = [:]
            case "E":
                var values: [String: Int] = [:]
                for word in words.dropFirst(2) {
                    let pair = word.split(separator: "=")
                    if pair.count == 2, let number = Int(pair[1]) { values[String(pair[0])] = number }
                }
                enums[String(words[1])] = values
            default:
                guard words.count == 2 else { continue }
                let isRepeated = words[1].hasPrefix("*")
                guard let kind = FieldKind(isRepeated ? words[1].dropFirst() : words[1]) else { continue }
                let field = MessageField(name: String(words[0]), kind: kind, isRepeated: isRepeated)
                messages[current]?[field.name] = field
                messages[current]?[Self.camel(field.name)] = field
            }
        }
        self.messages = messages
        self.enums = enums
        self.routes = routes
    }

    /// `run_id` as `runId` (protobuf's JSON mapping).
    static func camel(_ name: String) -> String {
        let parts = name.split(separator: "_", omittingEmptySubsequences: false)
        return parts.dropFirst().reduce(into: String(parts[0])) { text, part in
            text += part.prefix(1).uppercased() + part.dropFirst()
        }
    }
}

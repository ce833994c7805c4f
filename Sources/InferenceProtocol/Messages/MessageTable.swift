// SPDX-License-Identifier: Apache-2.0

/// The messages of the protocol as a table: for those that are rare enough to go through JSON, and for reflection.
package struct MessageTable: Sendable {
    /// The table of ``messageTableText``.
    package static let standard = MessageTable(messageTableText)

    indirect enum Kind: Sendable, Hashable {
        /// As descriptors call it: `int64`, `string`, `bytes`, …
        case scalar(String)
        case message(String)
        case enumeration(String)
        case map(key: Kind, value: Kind)
    }

    struct Field: Sendable {
        var name: String
        var number: Int
        var kind: Kind
        var isRepeated: Bool
        /// The name that it shares with others of which one is set.
        var choice: String?
    }

    struct Method: Sendable {
        var name: String
        var input: String
        var output: String
        var isClientStreaming: Bool
        var isServerStreaming: Bool
    }

    struct File: Sendable {
        var name: String
        var package: String
        var imports: [String]
        /// Names without the package; those of nested ones have a dot.
        var messages: [(name: String, fields: [Field])] = []
        var enums: [(name: String, values: [(name: String, number: Int)])] = []
        var services: [(name: String, methods: [Method])] = []
    }

    let files: [File]
    /// By full name.
    let messages: [String: [Field]]
    let enums: [String: [(name: String, number: Int)]]

    init(_ text: String) {
        var files: [File] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if line.hasPrefix(" ") {
                guard !files.isEmpty else { continue }
                files[files.count - 1].add(words)
                continue
            }
            switch words.first {
            case "F" where words.count > 2:
                files.append(File(name: words[1], package: words[2], imports: Array(words.dropFirst(3))))
            case "M" where words.count == 2 && !files.isEmpty:
                files[files.count - 1].messages.append((words[1], []))
            case "E" where words.count > 2 && !files.isEmpty:
                files[files.count - 1].enums.append((words[1], words.dropFirst(2).compactMap(File.value)))
            case "S" where words.count == 2 && !files.isEmpty:
                files[files.count - 1].services.append((words[1], []))
            default: break
            }
        }
        self.files = files
        var messages: [String: [Field]] = [:]
        var enums: [String: [(name: String, number: Int)]] = [:]
        for file in files {
            for message in file.messages { messages["\(file.package).\(message.name)"] = message.fields }
            for entry in file.enums { enums["\(file.package).\(entry.name)"] = entry.values }
        }
        self.messages = messages
        self.enums = enums
    }

    /// Full names of all services, as `inference.GRPCInferenceService`.
    package var services: [String] { files.flatMap { file in file.services.map { "\(file.package).\($0.name)" } } }
}

extension MessageTable.File {
    fileprivate static func value(_ word: String) -> (name: String, number: Int)? {
        let parts = word.split(separator: "=")
        guard parts.count == 2, let number = Int(parts[1]) else { return nil }
        return (String(parts[0]), number)
    }

    /// A field of the last message, or a method of the last service.
    fileprivate mutating func add(_ words: [String]) {
        guard words.count == 3 else { return }
        if let number = Int(words[1]), !messages.isEmpty {
            let parts = words[2].split(separator: "|", maxSplits: 1).map(String.init)
            let isRepeated = parts[0].hasPrefix("*")
            messages[messages.count - 1].fields.append(
                MessageTable.Field(
                    name: words[0], number: number, kind: kind(isRepeated ? parts[0].dropFirst() : parts[0][...]),
                    isRepeated: isRepeated, choice: parts.count > 1 ? parts[1] : nil))
        } else if !services.isEmpty {
            let plain = words.map { $0.hasPrefix("*") ? String($0.dropFirst()) : $0 }
            services[services.count - 1].methods.append(
                MessageTable.Method(
                    name: words[0], input: "\(package).\(plain[1])", output: "\(package).\(plain[2])",
                    isClientStreaming: words[1].hasPrefix("*"), isServerStreaming: words[2].hasPrefix("*")))
        }
    }

    private func kind(_ text: Substring) -> MessageTable.Kind {
        if text.hasPrefix("map<"), let comma = text.firstIndex(of: ",") {
            return .map(
                key: kind(text[text.index(text.startIndex, offsetBy: 4)..<comma]),
                value: kind(text[text.index(after: comma)...].dropLast()))
        }
        if text.hasPrefix(".") { return .message("\(package)\(text)") }
        if text.hasPrefix("#") { return .enumeration("\(package).\(text.dropFirst())") }
        return .scalar(String(text))
    }
}

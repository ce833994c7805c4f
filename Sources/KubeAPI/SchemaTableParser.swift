// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Reads the generated table. Its format is described in `scripts/generate-kube-schema`; what it holds is our own
/// build's output, so a line that is not understood is left out rather than reported.
struct SchemaTableParser {
    private(set) var enumerations: [String: [String]] = [:]
    private(set) var indices: [String: Int] = [:]
    private(set) var kinds: [GroupVersionKind: String] = [:]
    private var messages: [SchemaMessage] = []
    private var wrappers: Set<String> = []
    private var current: (index: Int, package: String)?

    mutating func parse(_ table: String) {
        var table = table
        table.makeContiguousUTF8()
        for line in table.utf8.split(separator: UInt8(ascii: "\n")) {
            parse(line: line.split(separator: UInt8(ascii: " ")).map { Substring($0) })
        }
    }

    private mutating func parse(line words: [Substring]) {
        guard words.count >= 2 else { return }
        switch words[0] {
        case "K" where words.count == 5:
            let group = words[1] == "-" ? "" : String(words[1])
            let kind = GroupVersionKind(group: group, version: String(words[2]), kind: String(words[3]))
            kinds[kind] = String(words[4])
        case "E" where words.count == 3:
            enumerations[String(words[1])] = words[2].split(separator: ",").map(String.init)
        case "W":
            wrappers.insert(String(words[1]))
        case "M":
            let name = String(words[1])
            let index = self.index(of: name)
            let isTyped = words.dropFirst(2).contains("t")
            messages[index] = SchemaMessage(
                name: name, isTyped: isTyped, isAtomic: words.dropFirst(2).contains("a"),
                fields: isTyped ? Self.typeMeta : [])
            current = (index, String(name[..<(name.lastIndex(of: ".") ?? name.endIndex)]))
        default:
            guard let current, words.count >= 3, let number = Int(words[1]) else { return }
            let field = self.field(name: String(words[0]), number: number, type: words[2], flags: words.dropFirst(3))
            messages[current.index].fields.append(field)
        }
    }

    private static let typeMeta = ["apiVersion", "kind"].map { name in
        SchemaField(
            name: name, number: 0, type: .string(name: nil), isPointer: false, omitsEmpty: true, omitsZero: false,
            isInlined: false, isRequired: false, patchStrategies: [], mergeKey: nil, listType: nil, listMapKeys: [],
            mapType: nil, defaultValue: nil)
    }

    private mutating func index(of name: String) -> Int {
        if let index = indices[name] { return index }
        indices[name] = messages.count
        messages.append(SchemaMessage(name: name, isTyped: false, isAtomic: false, fields: []))
        return messages.count - 1
    }

    private mutating func field(name: String, number: Int, type: Substring, flags: ArraySlice<Substring>)
        -> SchemaField
    {
        var omitsEmpty = false
        var omitsZero = false
        var isInlined = false
        var isRequired = false
        var strategies: [String] = []
        var mergeKey: String?
        var listType: String?
        var listMapKeys: [String] = []
        var mapType: String?
        var defaultValue: JSONValue?
        for flag in flags {
            guard let equals = flag.firstIndex(of: "=") else {
                switch flag {
                case "o": omitsEmpty = true
                case "z": omitsZero = true
                case "i": isInlined = true
                case "r": isRequired = true
                default: break
                }
                continue
            }
            let value = flag[flag.index(after: equals)...]
            switch flag[..<equals] {
            case "p": strategies = value.split(separator: ",").map(String.init)
            case "k": mergeKey = String(value)
            case "l": listType = String(value)
            case "lk": listMapKeys = value.split(separator: ",").map(String.init)
            case "mt": mapType = String(value)
            case "d": defaultValue = try? JSONParser.parse(value.utf8)
            default: break
            }
        }
        return SchemaField(
            name: name, number: number, type: self.type(type), isPointer: type.first == "*", omitsEmpty: omitsEmpty,
            omitsZero: omitsZero, isInlined: isInlined, isRequired: isRequired, patchStrategies: strategies,
            mergeKey: mergeKey, listType: listType, listMapKeys: listMapKeys, mapType: mapType,
            defaultValue: defaultValue)
    }

    private func qualified(_ name: Substring) -> String {
        name.first == "." ? (current?.package ?? "") + name : String(name)
    }

    private mutating func type(_ text: Substring) -> SchemaType {
        if text.first == "*" { return type(text.dropFirst()) }
        if text.hasPrefix("[]") { return .list(type(text.dropFirst(2))) }
        if text.hasPrefix("{}") { return .map(type(text.dropFirst(2))) }
        switch text {
        case "string": return .string(name: nil)
        case "bool": return .bool
        case "int32": return .int32
        case "int64": return .int64
        case "double": return .double
        case "bytes": return .bytes
        case "quantity": return .quantity
        case "intOrString": return .intOrString
        case "time": return .time
        case "microTime": return .microTime
        case "raw": return .rawExtension
        case "fields": return .fieldsV1
        default: break
        }
        if text.hasPrefix("string:") { return .string(name: qualified(text.dropFirst(7))) }
        let name = qualified(text)
        return wrappers.contains(name) ? .wrappedStrings : .message(index(of: name))
    }

    /// The messages with their lookup tables, inlined structs flattened.
    func finishedMessages() -> [SchemaMessage] {
        var result = messages
        for index in result.indices {
            var numbers: [Int: Int] = [:]
            for (position, field) in messages[index].fields.enumerated() where field.number > 0 {
                numbers[field.number] = position
            }
            var fields: [SchemaField] = []
            if messages[index].fields.contains(where: \.isInlined) {
                flatten(index, into: &fields, depth: 0)
            } else {
                fields = messages[index].fields
            }
            var keys: [String: Int] = [:]
            keys.reserveCapacity(fields.count)
            for (position, field) in fields.enumerated() { keys[field.name] = position }
            result[index].indexByNumber = numbers
            result[index].jsonFields = fields
            result[index].jsonIndexByKey = keys
        }
        return result
    }

    private func flatten(_ index: Int, into fields: inout [SchemaField], depth: Int) {
        guard depth < 8 else { return }
        for field in messages[index].fields {
            if field.isInlined, case .message(let inner) = field.type {
                flatten(inner, into: &fields, depth: depth + 1)
            } else {
                fields.append(field)
            }
        }
    }
}

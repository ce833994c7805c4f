// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CYaml

/// Makes JSON values of libyaml's events.
struct YAMLComposer {
    /// What the values of all documents may count beyond the bytes of the text: without aliases there are fewer values
    /// than bytes.
    private static let allowance = 100_000
    private static let maximumDepth = JSONParser.defaultMaxDepth
    private static let maximumDuplicates = 100

    private let bytes: [UInt8]
    private var budget: Int
    private var anchors: [String: (value: JSONValue, size: Int)] = [:]
    /// Keys that occur more than once in a mapping: `line 2: key "a" already set in map`.
    private(set) var duplicates: [String] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        budget = bytes.count + Self.allowance
    }

    /// All documents, or the first `maximum`: more are refused.
    mutating func documents(maximum: Int = .max) throws(YAMLDocumentError) -> [JSONValue] {
        let run = { (input: UnsafeBufferPointer<UInt8>, composer: inout YAMLComposer) in
            Result { () throws(YAMLDocumentError) in
                var events = try YAMLEvents(input)
                defer { events.end() }
                return try composer.documents(&events, maximum)
            }
        }
        let bytes = bytes
        return try bytes.withUnsafeBufferPointer { run($0, &self) }.get()
    }

    private mutating func documents(
        _ events: inout YAMLEvents, _ maximum: Int
    ) throws(YAMLDocumentError) -> [JSONValue] {
        var documents: [JSONValue] = []
        while true {
            let event = try events.next()
            switch event.kind {
            case .streamStart, .other: continue
            case .streamEnd: return documents
            default:
                guard documents.count < maximum else {
                    throw YAMLDocumentError(description: "yaml: expected a single document")
                }
                anchors = [:]
                documents.append(try value(event, &events, depth: 0).value)
                _ = try events.next()
            }
        }
    }

    /// The value that begins with an event, and how many values it has.
    private mutating func value(
        _ event: YAMLEvents.Event, _ events: inout YAMLEvents, depth: Int
    ) throws(YAMLDocumentError) -> (value: JSONValue, size: Int) {
        guard depth <= Self.maximumDepth else {
            throw YAMLDocumentError(
                description: "yaml: line \(event.line): nested deeper than \(Self.maximumDepth) levels")
        }
        var result: (value: JSONValue, size: Int) = (.null, 1)
        switch event.kind {
        case .alias:
            guard let known = anchors[event.anchor] else {
                throw YAMLDocumentError(
                    description: "yaml: line \(event.line): unknown anchor '\(event.anchor.prefix(64))' referenced")
            }
            try spend(known.size, event)
            return known
        case .scalar:
            try spend(1, event)
            result.value = event.isPlain ? YAMLScalar.resolve(event.text) : .string(event.text)
        case .sequence:
            try spend(1, event)
            var elements: [JSONValue] = []
            while true {
                let next = try events.next()
                if next.kind == .end { break }
                let element = try value(next, &events, depth: depth + 1)
                result.size += element.size
                elements.append(element.value)
            }
            result.value = .array(elements)
        case .mapping:
            try spend(1, event)
            result = try mapping(&events, depth: depth)
        default: throw YAMLDocumentError(description: "yaml: line \(event.line): did not find a value")
        }
        if !event.anchor.isEmpty { anchors[event.anchor] = result }
        return result
    }

    private mutating func spend(_ amount: Int, _ event: YAMLEvents.Event) throws(YAMLDocumentError) {
        budget -= amount
        guard budget >= 0 else {
            throw YAMLDocumentError(description: "yaml: document contains excessive aliasing")
        }
    }

    private mutating func mapping(
        _ events: inout YAMLEvents, depth: Int
    ) throws(YAMLDocumentError) -> (value: JSONValue, size: Int) {
        var members: [String: JSONValue] = [:]
        var merged: [String: JSONValue] = [:]
        var size = 1
        while true {
            let key = try events.next()
            if key.kind == .end { break }
            guard let name = try self.key(key) else {
                throw YAMLDocumentError(description: "yaml: line \(key.line): invalid map key: it must be a scalar")
            }
            let member = try value(try events.next(), &events, depth: depth + 1)
            size += member.size
            if name == "<<", key.isPlain {
                try merge(member.value, key, into: &merged)
            } else if members.updateValue(member.value, forKey: name) != nil,
                duplicates.count < Self.maximumDuplicates
            {
                duplicates.append("line \(key.line): key \"\(name.prefix(256))\" already set in map")
            }
        }
        return (.object(merged.isEmpty ? members : members.merging(merged) { own, _ in own }), size)
    }

    /// The text of a key; an alias may stand for a scalar.
    private func key(_ event: YAMLEvents.Event) throws(YAMLDocumentError) -> String? {
        switch event.kind {
        case .scalar: return event.text
        case .alias:
            switch anchors[event.anchor]?.value {
            case .string(let text): return text
            case .int(let number): return String(number)
            case .bool(let flag): return flag ? "true" : "false"
            default: return nil
            }
        default: return nil
        }
    }

    /// `<<`: members of another mapping, or of several, that this one does not have itself.
    private func merge(
        _ value: JSONValue, _ key: YAMLEvents.Event, into merged: inout [String: JSONValue]
    ) throws(YAMLDocumentError) {
        for source in value.array ?? [value] {
            guard case .object(let members) = source else {
                throw YAMLDocumentError(
                    description: "yaml: line \(key.line): map merge requires map or sequence of maps as the value")
            }
            merged.merge(members) { first, _ in first }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// JSON patch (RFC 6902): operations on places that JSON pointers (RFC 6901) name, all or nothing.
package struct JSONPatch: Sendable {
    /// The media type of such patches.
    package static let mediaType = "application/json-patch+json"
    /// Upstream's limit on operations in a patch.
    package static let maxOperations = 10_000
    /// The most bytes that `copy` operations may add, as upstream bounds them by the size of a request.
    package static let maxCopiedBytes = 3 * 1024 * 1024

    /// How deep a patched document may be nested, as the parser bounds documents.
    private static let maxDepth = JSONParser.defaultMaxDepth
    /// The estimated depth at which the real one is looked at.
    private static let suspectDepth = 1000

    private enum Operation: String, Sendable {
        case add, remove, replace, move, copy, test
    }

    private struct Step: Sendable {
        var operation: Operation
        var path: String
        var from: String
        var value: JSONValue
    }

    private let steps: [Step]

    /// Reads a patch document.
    package init(_ document: JSONValue) throws(PatchError) {
        guard case .array(let elements) = document else {
            throw PatchError(.malformed, "a JSON patch must be an array of operations, not \(document.typeName)")
        }
        guard elements.count <= Self.maxOperations else {
            throw PatchError(
                .tooLarge,
                "The allowed maximum operations in a JSON patch is \(Self.maxOperations), got \(elements.count)")
        }
        var steps: [Step] = []
        for (index, element) in elements.enumerated() {
            guard let name = element["op"].string, let operation = Operation(rawValue: name) else {
                throw PatchError(.malformed, "Unexpected kind: \(element["op"].text) of operation \(index)")
            }
            guard let path = element["path"].string, path.isEmpty || path.hasPrefix("/") else {
                throw PatchError(.malformed, "operation \(index) (\(name)) needs a \"path\" that begins with \"/\"")
            }
            let from = element["from"].string
            if operation == .move || operation == .copy, from.map({ $0.isEmpty || $0.hasPrefix("/") }) != true {
                throw PatchError(.malformed, "operation \(index) (\(name)) needs a \"from\" that begins with \"/\"")
            }
            let value = element.members["value"]
            if operation == .add || operation == .replace || operation == .test, value == nil {
                throw PatchError(.malformed, "operation \(index) (\(name)) needs a \"value\"")
            }
            steps.append(Step(operation: operation, path: path, from: from ?? "", value: value ?? .null))
        }
        self.steps = steps
    }

    /// The document with all operations applied.
    package func apply(to document: JSONValue) throws(PatchError) -> JSONValue {
        var result = document
        var copied = 0
        var depth = Self.maxDepth
        for step in steps {
            // Values that are moved into each other nest ever deeper, with short pointers only.
            if step.operation != .test, step.operation != .remove {
                depth += step.path.utf8.count { $0 == UInt8(ascii: "/") }
                if depth > Self.suspectDepth {
                    guard result.isNested(within: Self.maxDepth) else { throw Self.tooDeep }
                    depth = Self.maxDepth
                }
            }
            switch step.operation {
            case .add: try change(&result, step) { (place) throws(PatchError) in try place.add(step.value) }
            case .remove: try change(&result, step) { (place) throws(PatchError) in _ = try place.remove() }
            case .replace:
                try change(&result, step) { (place) throws(PatchError) in
                    _ = try place.get()
                    try place.set(step.value)
                }
            case .move:
                guard !step.path.hasPrefix(step.from + "/") else {
                    throw PatchError(
                        .inapplicable, "move operation does not apply: \(step.path) is inside \(step.from)")
                }
                var moved = JSONValue.null
                try change(&result, step, at: step.from) { (place) throws(PatchError) in moved = try place.remove() }
                try change(&result, step) { (place) throws(PatchError) in try place.add(moved) }
            case .copy:
                var value = JSONValue.null
                try change(&result, step, at: step.from) { (place) throws(PatchError) in value = try place.get() }
                copied += value.encoded.count
                guard copied <= Self.maxCopiedBytes else {
                    throw PatchError(
                        .tooLarge, "copy operations add more than \(Self.maxCopiedBytes) bytes, the limit of a patch")
                }
                try change(&result, step) { (place) throws(PatchError) in try place.add(value) }
            case .test:
                var value = JSONValue.null
                // A test against null holds for a missing place too.
                do throws(PatchError) {
                    try change(&result, step) { (place) throws(PatchError) in value = try place.get() }
                } catch  where !step.value.isNull {
                    throw error
                } catch {}
                guard value == step.value else {
                    throw PatchError(.inapplicable, "testing value \(step.path) failed: test failed")
                }
            }
        }
        guard result.isNested(within: Self.maxDepth) else { throw Self.tooDeep }
        return result
    }

    private static let tooDeep = PatchError(
        .tooLarge, "the patched object is nested deeper than \(maxDepth) levels")

    private func change(
        _ document: inout JSONValue, _ step: Step, at pointer: String? = nil,
        _ body: (inout Place) throws(PatchError) -> Void
    ) throws(PatchError) {
        let pointer = pointer ?? step.path
        let tokens = pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            .map { String($0).replacing("~1", with: "/").replacing("~0", with: "~") }
        let context = "\(step.operation.rawValue) operation does not apply"
        try Self.descend(&document, tokens[...], context: context, pointer: pointer, body)
    }

    private static func descend(
        _ node: inout JSONValue, _ tokens: ArraySlice<String>, context: String, pointer: String,
        _ body: (inout Place) throws(PatchError) -> Void
    ) throws(PatchError) {
        guard tokens.count > 1, let token = tokens.first else {
            var place = Place(container: node, token: tokens.first, context: context, pointer: pointer)
            node = .null
            defer { node = place.container }
            try body(&place)
            return
        }
        let missing = PatchError(.inapplicable, "\(context): doc is missing path: \"\(pointer)\": missing value")
        switch node {
        case .object(var members):
            guard var child = members[token] else { throw missing }
            node = .null
            members[token] = .null
            defer {
                members[token] = child
                node = .object(members)
            }
            try descend(&child, tokens.dropFirst(), context: context, pointer: pointer, body)
        case .array(var elements):
            guard let index = Int(token), elements.indices.contains(index) else { throw missing }
            node = .null
            var child = elements[index]
            elements[index] = .null
            defer {
                elements[index] = child
                node = .array(elements)
            }
            try descend(&child, tokens.dropFirst(), context: context, pointer: pointer, body)
        default: throw missing
        }
    }
}

/// The place that a pointer names: a container and the last token; no token means the whole document.
private struct Place {
    var container: JSONValue
    let token: String?
    let context: String
    let pointer: String

    private var missingKey: PatchError {
        PatchError(.inapplicable, "\(context): doc is missing key: \(pointer): missing value")
    }
    private var missingPath: PatchError {
        PatchError(.inapplicable, "\(context): doc is missing path: \"\(pointer)\": missing value")
    }

    private func index(_ token: String, upTo count: Int) throws(PatchError) -> Int {
        guard token == "0" || (!token.hasPrefix("0") && token.utf8.allSatisfy { (48...57).contains($0) }),
            let index = Int(token), index < count
        else {
            throw PatchError(
                .inapplicable,
                "\(context): Unable to access invalid index: \(token.prefix(32)): invalid index referenced")
        }
        return index
    }

    func get() throws(PatchError) -> JSONValue {
        guard let token else { return container }
        switch container {
        case .object(let members):
            guard let value = members[token] else { throw missingKey }
            return value
        case .array(let elements): return elements[try index(token, upTo: elements.count)]
        default: throw missingPath
        }
    }

    /// Replaces what is there.
    mutating func set(_ value: JSONValue) throws(PatchError) {
        guard let token else {
            container = value
            return
        }
        switch container {
        case .object(var members):
            container = .null
            members[token] = value
            container = .object(members)
        case .array(var elements):
            let index = try index(token, upTo: elements.count)
            container = .null
            elements[index] = value
            container = .array(elements)
        default: throw missingPath
        }
    }

    mutating func add(_ value: JSONValue) throws(PatchError) {
        guard let token, case .array(var elements) = container else { return try set(value) }
        let index = token == "-" ? elements.count : try index(token, upTo: elements.count + 1)
        container = .null
        elements.insert(value, at: index)
        container = .array(elements)
    }

    mutating func remove() throws(PatchError) -> JSONValue {
        let value = try get()
        switch (container, token) {
        case (.object(var members), let token?):
            container = .null
            members[token] = nil
            container = .object(members)
        case (.array(var elements), let token?):
            let index = try index(token, upTo: elements.count)
            container = .null
            elements.remove(at: index)
            container = .array(elements)
        default: container = .null
        }
        return value
    }
}

extension JSONValue {
    /// Whether no value is inside of more than `depth` arrays and objects.
    fileprivate func isNested(within depth: Int) -> Bool {
        switch self {
        case .array(let elements): depth > 0 && elements.allSatisfy { $0.isNested(within: depth - 1) }
        case .object(let members): depth > 0 && members.values.allSatisfy { $0.isNested(within: depth - 1) }
        default: true
        }
    }
}

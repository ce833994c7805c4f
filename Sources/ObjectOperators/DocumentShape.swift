// SPDX-License-Identifier: Apache-2.0
import ApusCore
import S3Protocol

/// How a part of a Bucket's spec, in ACK's field names, stands in a document of S3's.
indirect enum DocumentShape: Sendable {
    case text
    case number
    case flag
    case members([Member])

    /// A field of an object, and its element.
    struct Member: Sendable {
        enum List: Sendable, Equatable {
            /// No list.
            case none
            /// An element for each.
            case flat
            /// One element, with an element of that name in it for each.
            case wrapped(String)
        }

        var field: String
        var element: String
        var shape: DocumentShape
        var list: List = .none

        init(_ field: String, _ element: String, _ shape: DocumentShape, _ list: List = .none) {
            self.field = field
            self.element = element
            self.shape = shape
            self.list = list
        }
    }

    /// The content of an element.
    /// - Parameters:
    ///   - value: the part of the spec.
    ///   - name: of the element.
    ///   - path: of the part, for what is refused.
    /// - Returns: the element.
    /// - Throws: ``Refusal`` naming the field that is not known or of another kind.
    func element(_ value: JSONValue, named name: String, at path: String) throws(Refusal) -> XMLElement {
        switch (self, value) {
        case (.text, .string(let text)): return XMLElement(name: name, text: text)
        case (.number, .int(let number)): return XMLElement(name: name, text: String(number))
        case (.flag, .bool(let flag)): return XMLElement(name: name, text: String(flag))
        case (.members(let members), .object(let fields)):
            for field in fields.keys.sorted() where !members.contains(where: { $0.field == field }) {
                throw Refusal("InvalidSpec", "\(path).\(field) is not supported: leave it out")
            }
            var element = XMLElement(name: name)
            for member in members {
                guard let value = fields[member.field], !value.isNull else { continue }
                element.children += try member.elements(value, at: "\(path).\(member.field)")
            }
            return element
        default: throw Refusal("InvalidSpec", "\(path) cannot be \(value.typeName)")
        }
    }

    /// The part of a spec that an element stands for.
    /// - Throws: ``Refusal`` for elements that a spec has no fields for.
    func value(_ element: XMLElement) throws(Refusal) -> JSONValue {
        switch self {
        case .text: return .string(element.text)
        case .number: return Int64(element.text).map(JSONValue.int) ?? .string(element.text)
        case .flag: return .bool(element.text.lowercased() == "true")
        case .members(let members):
            var fields: [String: JSONValue] = [:]
            for child in element.children {
                guard let member = members.first(where: { $0.element == child.name }) else {
                    throw Refusal(
                        "NotSupported", "<\(element.name)> has <\(child.name)>, which no spec has a field for")
                }
                switch member.list {
                case .none: fields[member.field] = try member.shape.value(child)
                case .flat:
                    fields[member.field] = .array(
                        (fields[member.field]?.elements ?? []) + [try member.shape.value(child)])
                case .wrapped:
                    var items: [JSONValue] = []
                    for item in child.children { items.append(try member.shape.value(item)) }
                    fields[member.field] = .array(items)
                }
            }
            return .object(fields)
        }
    }
}

extension DocumentShape.Member {
    fileprivate func elements(_ value: JSONValue, at path: String) throws(Refusal) -> [XMLElement] {
        guard list != .none else { return [try shape.element(value, named: element, at: path)] }
        guard let items = value.array else { throw Refusal("InvalidSpec", "\(path) must be a list") }
        var elements: [XMLElement] = []
        var name = element
        if case .wrapped(let item) = list { name = item }
        for (index, item) in items.enumerated() {
            elements.append(try shape.element(item, named: name, at: "\(path)[\(index)]"))
        }
        return list == .flat ? elements : [XMLElement(name: element, children: elements)]
    }
}

extension XMLElement {
    /// Whether a document that was read says what is wanted: in any order of different elements, where identifiers that
    /// are not wanted were made by the server.
    func isMet(by other: XMLElement) -> Bool {
        guard name == other.name else { return false }
        if children.isEmpty, other.children.isEmpty { return Self.isSame(text, other.text) }
        let wanted = Dictionary(grouping: children.filter { !$0.isBlank }, by: \.name)
        let found = Dictionary(grouping: other.children.filter { !$0.isBlank }, by: \.name)
        for name in Set(wanted.keys).union(found.keys) {
            let (wanted, found) = (wanted[name] ?? [], found[name] ?? [])
            if name == "ID", wanted.isEmpty { continue }
            guard wanted.count == found.count, zip(wanted, found).allSatisfy({ $0.isMet(by: $1) }) else { return false }
        }
        return true
    }

    /// Says nothing.
    private var isBlank: Bool { text.isEmpty && children.allSatisfy(\.isBlank) }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        if left == right { return true }
        guard left.utf8.count >= 20, let time = S3Time.parse(iso: left) else { return false }
        return time == S3Time.parse(iso: right)
    }
}

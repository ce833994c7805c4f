// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Why an object cannot be applied: what is wrong with it, field by field, in upstream's words.
package struct TypedError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The most faults that one message names.
    static let maximumFaults = 16

    package let faults: [String]

    package var description: String {
        faults.count == 1 ? faults[0] : "errors:\n" + faults.map { "  \($0)" }.joined(separator: "\n")
    }
}

extension MergeType {
    /// The fields that an applied configuration names, which its applier then owns.
    /// - Throws: when the configuration does not fit the type: unknown fields, wrong types, duplicate elements,
    ///   elements without their keys.
    package func fields(of configuration: JSONValue) throws(TypedError) -> FieldSet {
        var faults: [String] = []
        let set = walker.fields(configuration, root, path: "", &faults)
        guard faults.isEmpty else { throw TypedError(faults: faults) }
        return set
    }

    /// The fields of a live object, whatever is wrong with it.
    func fields(ofLive object: JSONValue) -> FieldSet {
        var faults: [String] = []
        return walker.fields(object, root, path: "", &faults)
    }
}

extension TypedWalker {
    /// The fields below a value; leaves and elements of lists are added by who knows their path.
    func fields(_ value: JSONValue, _ type: Int, path: String, _ faults: inout [String]) -> FieldSet {
        check(value, type, path, &faults)
        guard faults.count < TypedError.maximumFaults else { return FieldSet() }
        var entries: [FieldSet.Entry] = []
        switch form(value, type) {
        case .leaf: break
        case .object(let node):
            for (key, member) in value.members.sorted(by: { $0.key < $1.key }) {
                let place = "\(path).\(key)"
                guard let type = node.member(key) else {
                    faults.append("\(place): field not declared in schema")
                    continue
                }
                let children = fields(member, type, path: place, &faults)
                var isMember = node.fields[key] == nil || member.isNull
                if case .object(let members) = member, members.isEmpty { isMember = true }
                if case .leaf = form(member, type) { isMember = true }
                let entry = FieldSet.Entry(element: node.step(key), isMember: isMember, children: children)
                if !entry.isEmpty { entries.append(entry) }
            }
        case .list(let node):
            var seen: Set<PathElement> = []
            for (index, item) in value.elements.enumerated() {
                do throws(ElementError) {
                    let element = try element(item, node)
                    guard seen.insert(element).inserted else {
                        faults.append("\(path): duplicate entries for key \(element.pathText)")
                        continue
                    }
                    let children = fields(item, node.element, path: path + element.pathText, &faults)
                    entries.append(FieldSet.Entry(element: element, isMember: true, children: children))
                } catch {
                    faults.append("\(path): element \(index): \(error.reason)")
                }
            }
        }
        return FieldSet(unsorted: entries)
    }

    /// Notes a value of another type than it should have.
    private func check(_ value: JSONValue, _ type: Int, _ path: String, _ faults: inout [String]) {
        guard !value.isNull else { return }
        let node = nodes[type]
        let expected: String?
        switch (node.kind, value) {
        case (.scalar(.string), .string), (.scalar(.boolean), .bool), (.scalar(.number), .int),
            (.scalar(.number), .double), (.anything, _), (.deduced, _), (.object, .object), (.list, .array):
            expected = nil
        case (.scalar(.any), .object), (.scalar(.any), .array):
            expected = "expected any scalar, got &{\(Self.excerpt(value))}"
        case (.scalar(.any), _): expected = nil
        case (.scalar(.string), _):
            expected = "expected string, got &value.valueUnstructured{Value:\(Self.excerpt(value))}"
        case (.scalar(.number), _): expected = "expected numeric (int or float), got \(Self.goType(value))"
        case (.scalar(.boolean), _): expected = "expected boolean, got &{\(Self.excerpt(value))}"
        case (.object, _): expected = "expected map, got &{\(Self.excerpt(value))}"
        case (.list, _): expected = "expected list, got &{\(Self.excerpt(value))}"
        }
        if let expected { faults.append(path.isEmpty ? expected : "\(path): \(expected)") }
    }

    /// At most 64 characters of a value for a message.
    private static func excerpt(_ value: JSONValue) -> String {
        switch value {
        case .object(let members): "an object of \(members.count)"
        case .array(let elements): "a list of \(elements.count)"
        case .string(let text): "\"\(text.prefix(64))\""
        default: String(value.text.prefix(64))
        }
    }

    private static func goType(_ value: JSONValue) -> String {
        switch value {
        case .object: "map[string]interface {}"
        case .array: "[]interface {}"
        case .bool: "bool"
        case .int: "int64"
        case .double: "float64"
        case .string: "string"
        case .null: "<nil>"
        }
    }
}

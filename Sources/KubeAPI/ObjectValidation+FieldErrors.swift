// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The path of a field, as errors show it: `spec.containers[0].name`.
package struct FieldPath: ExpressibleByStringLiteral, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ text: String) { description = text }
    package init(stringLiteral value: String) { description = value }

    /// The member `name`.
    package subscript(name: String) -> FieldPath { FieldPath(description.isEmpty ? name : "\(description).\(name)") }
    /// The element at `index`.
    package subscript(index: Int) -> FieldPath { FieldPath("\(description)[\(index)]") }
    /// The entry `key` of a map.
    package func key(_ key: String) -> FieldPath { FieldPath("\(description)[\(key)]") }
}

/// Collects what is wrong with an object, in the wording of apimachinery's `field.Error`.
package struct FieldErrors: Sendable {
    /// An object with more faults than this is refused with the first of them.
    private static let limit = 100

    package private(set) var causes: [StatusCause] = []

    package init() {}

    private mutating func add(_ reason: String, _ path: FieldPath, _ message: String) {
        guard causes.count < Self.limit else { return }
        causes.append(StatusCause(reason: "FieldValue\(reason)", field: path.description, message: message))
    }

    package mutating func required(_ path: FieldPath, _ detail: String = "") {
        add("Required", path, detail.isEmpty ? "Required value" : "Required value: \(detail)")
    }

    package mutating func invalid(_ path: FieldPath, _ value: JSONValue, _ detail: String) {
        add("Invalid", path, "Invalid value: \(value.text): \(detail)")
    }

    package mutating func notSupported(_ path: FieldPath, _ value: JSONValue, _ supported: [String]) {
        let list = supported.map { "\"\($0)\"" }.joined(separator: ", ")
        add("NotSupported", path, "Unsupported value: \((value.isNull ? "" : value).text): supported values: \(list)")
    }

    package mutating func duplicate(_ path: FieldPath, _ value: JSONValue) {
        add("Duplicate", path, "Duplicate value: \(value.text)")
    }

    package mutating func forbidden(_ path: FieldPath, _ detail: String) {
        add("Forbidden", path, "Forbidden: \(detail)")
    }

    package mutating func notFound(_ path: FieldPath, _ value: JSONValue) {
        add("NotFound", path, "Not found: \(value.text)")
    }

    package mutating func tooMany(_ path: FieldPath, _ count: Int, _ limit: Int) {
        add("TooMany", path, "Too many: \(count): must have at most \(limit) items")
    }

    package mutating func tooLong(_ path: FieldPath, _ limit: Int) {
        add("TooLong", path, "Too long: may not be more than \(limit) bytes")
    }

    // MARK: Checks that many fields share

    /// A field whose value is one of a few strings.
    package mutating func oneOf(_ path: FieldPath, _ value: JSONValue, _ supported: [String]) {
        if !supported.contains(value.string ?? "") { notSupported(path, value, supported) }
    }

    /// A number that may be missing but not negative.
    package mutating func notNegative(_ path: FieldPath, _ value: JSONValue) {
        if let number = value.int, number < 0 { invalid(path, value, "must be greater than or equal to 0") }
    }

    package mutating func port(_ path: FieldPath, _ value: JSONValue) {
        if let number = value.int, !(1...65_535).contains(number) {
            invalid(path, value, "must be between 1 and 65535, inclusive")
        }
    }

    /// A port number, or the name of a port.
    package mutating func portOrName(_ path: FieldPath, _ value: JSONValue) {
        if let name = value.string {
            all(path, value, NameRules.portName(name))
        } else {
            port(path, value)
        }
    }

    /// A name that must be there and keep a rule.
    package mutating func name(_ path: FieldPath, _ value: JSONValue, _ rule: (String) -> [String]) {
        guard let name = value.string, !name.isEmpty else { return required(path) }
        all(path, value, rule(name))
    }

    /// The faults that a rule found in a value.
    package mutating func all(_ path: FieldPath, _ value: JSONValue, _ faults: [String]) {
        for fault in faults { invalid(path, value, fault) }
    }

    /// A field that may not change.
    package mutating func immutable(_ path: FieldPath, _ new: JSONValue, _ old: JSONValue) {
        if new != old { invalid(path, new, "field is immutable") }
    }

    package mutating func labels(_ path: FieldPath, _ labels: JSONValue) {
        for (key, value) in labels.members.sorted(by: { $0.key < $1.key }) {
            all(path, .string(key), NameRules.qualifiedName(key))
            all(path, value, NameRules.labelValue(value.string ?? ""))
        }
    }

    package mutating func labelSelector(_ path: FieldPath, _ selector: JSONValue) {
        labels(path["matchLabels"], selector["matchLabels"])
        for (index, requirement) in selector["matchExpressions"].elements.enumerated() {
            let path = path["matchExpressions"][index]
            all(path["key"], requirement["key"], NameRules.qualifiedName(requirement["key"].string ?? ""))
            switch requirement["operator"].string ?? "" {
            case "In", "NotIn":
                if requirement["values"].isEmpty {
                    required(path["values"], "must be specified when `operator` is 'In' or 'NotIn'")
                }
            case "Exists", "DoesNotExist":
                if !requirement["values"].isEmpty {
                    forbidden(path["values"], "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
                }
            default: invalid(path["operator"], requirement["operator"], "not a valid selector operator")
            }
        }
    }
}

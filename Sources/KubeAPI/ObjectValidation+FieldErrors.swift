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

    /// Whether nothing more is told: then texts need not be made either.
    private var isFull: Bool { causes.count >= Self.limit }

    /// The most of a value that is shown; what is longer is cut.
    private static let longestValue = 2048
    /// Lists and maps with more entries than this are not written out.
    private static let mostEntries = 256

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .array(let elements) where elements.count > mostEntries: return "[… \(elements.count) elements]"
        case .object(let members) where members.count > mostEntries: return "{… \(members.count) members}"
        default: break
        }
        let text = value.text
        return text.utf8.count > longestValue ? String(text.prefix(longestValue)) + "…" : text
    }

    private mutating func add(_ reason: String, _ path: FieldPath, _ message: String) {
        guard causes.count < Self.limit else { return }
        causes.append(StatusCause(reason: "FieldValue\(reason)", field: path.description, message: message))
    }

    package mutating func required(_ path: FieldPath, _ detail: String = "") {
        add("Required", path, detail.isEmpty ? "Required value" : "Required value: \(detail)")
    }

    package mutating func invalid(_ path: FieldPath, _ value: JSONValue, _ detail: String) {
        guard !isFull else { return }
        add("Invalid", path, "Invalid value: \(Self.shown(value)): \(detail)")
    }

    /// A fault of a value that is no JSON, as it is shown.
    package mutating func invalid(_ path: FieldPath, shown value: String, _ detail: String) {
        add("Invalid", path, "Invalid value: \(value): \(detail)")
    }

    package mutating func internalError(_ path: FieldPath, _ detail: String) {
        guard causes.count < Self.limit else { return }
        causes.append(
            StatusCause(reason: "InternalError", field: path.description, message: "Internal error: \(detail)"))
    }

    package mutating func notSupported(_ path: FieldPath, _ value: JSONValue, _ supported: [String]) {
        guard !isFull else { return }
        let list = supported.map { "\"\($0)\"" }.joined(separator: ", ")
        add(
            "NotSupported", path,
            "Unsupported value: \(Self.shown(value.isNull ? "" : value)): supported values: \(list)")
    }

    package mutating func duplicate(_ path: FieldPath, _ value: JSONValue, _ detail: String = "") {
        guard !isFull else { return }
        add("Duplicate", path, "Duplicate value: \(Self.shown(value))" + (detail.isEmpty ? "" : ": \(detail)"))
    }

    package mutating func forbidden(_ path: FieldPath, _ detail: String) {
        add("Forbidden", path, "Forbidden: \(detail)")
    }

    package mutating func notFound(_ path: FieldPath, _ value: JSONValue, _ detail: String = "") {
        guard !isFull else { return }
        add("NotFound", path, "Not found: \(Self.shown(value))" + (detail.isEmpty ? "" : ": \(detail)"))
    }

    package mutating func tooMany(_ path: FieldPath, _ count: Int, _ limit: Int) {
        add("TooMany", path, "Too many: \(count): must have at most \(limit) items")
    }

    package mutating func tooLong(_ path: FieldPath, _ limit: Int) {
        add("TooLong", path, "Too long: may not be more than \(limit) bytes")
    }

    // MARK: Checks that many fields share

    /// A field that must be there, with one of a few strings.
    package mutating func requiredOneOf(_ path: FieldPath, _ value: JSONValue, _ supported: [String]) {
        if (value.string ?? "").isEmpty { required(path) } else { oneOf(path, value, supported) }
    }

    package mutating func ip(_ path: FieldPath, _ value: JSONValue) {
        if NetworkAddress(address: value.string ?? "") == nil {
            invalid(
                path, value.isNull ? "" : value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        }
    }

    /// A network; returns whether it is one.
    @discardableResult
    package mutating func cidr(_ path: FieldPath, _ value: JSONValue) -> Bool {
        if NetworkAddress(network: value.string ?? "") != nil { return true }
        invalid(
            path, value.isNull ? "" : value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
        return false
    }

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
        guard !selector.isEmpty else { return }
        labels(path["matchLabels"], selector["matchLabels"])
        for (index, requirement) in selector["matchExpressions"].elements.enumerated() {
            let path = path["matchExpressions"][index]
            let key = requirement["key"].string ?? ""
            all(path["key"], .string(key), NameRules.qualifiedName(key))
            switch requirement["operator"].string ?? "" {
            case "In", "NotIn":
                if requirement["values"].isEmpty {
                    required(path["values"], "must be specified when `operator` is 'In' or 'NotIn'")
                }
            case "Exists", "DoesNotExist":
                if !requirement["values"].isEmpty {
                    forbidden(path["values"], "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
                }
            default:
                invalid(
                    path["operator"], requirement["operator"].isNull ? "" : requirement["operator"],
                    "not a valid selector operator")
            }
            for (index, value) in requirement["values"].elements.enumerated() {
                all(path["values"][index], value, NameRules.labelValue(value.string ?? ""))
            }
        }
    }
}

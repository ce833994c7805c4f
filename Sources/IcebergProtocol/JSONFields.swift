// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The members of a JSON object as they are asked for; those that nobody knows are refused by name.
struct JSONFields {
    /// Where the object is, for errors: `updates[2].schema`.
    let path: String
    private let members: [String: JSONValue]

    /// - Throws: where it is no object.
    init(_ value: JSONValue, _ path: String) throws(IcebergError) {
        guard let members = value.object else {
            throw .bad(path, "must be an object, not \(value.typeName)")
        }
        self.members = members
        self.path = path
    }

    /// Refuses what is not one of these.
    func only(_ known: Set<String>) throws(IcebergError) {
        guard let unknown = members.keys.filter({ !known.contains($0) }).min() else { return }
        throw .bad(path, "the field \(unknown.prefix(100)) is not known to this catalog")
    }

    func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Whether it is there, if only as null.
    func has(_ key: String) -> Bool { members[key] != nil }

    subscript(key: String) -> JSONValue { members[key] ?? .null }

    private func missing(_ key: String) -> IcebergError { .bad(path, "\(key) is missing") }

    private func wrong(_ key: String, _ wanted: String) -> IcebergError {
        .bad(at(key), "must be \(wanted), not \(self[key].typeName)")
    }

    func optionalString(_ key: String) throws(IcebergError) -> String? {
        if self[key].isNull { return nil }
        guard let text = self[key].string else { throw wrong(key, "a string") }
        return text
    }

    func string(_ key: String) throws(IcebergError) -> String {
        guard let text = try optionalString(key) else { throw missing(key) }
        return text
    }

    /// A number of 64 bits.
    func optionalLong(_ key: String) throws(IcebergError) -> Int64? {
        switch self[key] {
        case .null: return nil
        case .int(let number): return number
        default: throw wrong(key, "an integer")
        }
    }

    func long(_ key: String) throws(IcebergError) -> Int64 {
        guard let number = try optionalLong(key) else { throw missing(key) }
        return number
    }

    /// A number of 32 bits.
    func optionalInt(_ key: String) throws(IcebergError) -> Int? {
        guard let number = try optionalLong(key) else { return nil }
        guard let short = Int32(exactly: number) else { throw .bad(at(key), "\(number) has more than 32 bits") }
        return Int(short)
    }

    func int(_ key: String) throws(IcebergError) -> Int {
        guard let number = try optionalInt(key) else { throw missing(key) }
        return number
    }

    func optionalBool(_ key: String) throws(IcebergError) -> Bool? {
        if self[key].isNull { return nil }
        guard let truth = self[key].bool else { throw wrong(key, "a boolean") }
        return truth
    }

    func bool(_ key: String) throws(IcebergError) -> Bool {
        guard let truth = try optionalBool(key) else { throw missing(key) }
        return truth
    }

    /// The elements; none where it is missing or null.
    func array(_ key: String, limit: Int = IcebergLimits.elements) throws(IcebergError) -> [JSONValue] {
        if self[key].isNull { return [] }
        guard let elements = self[key].array else { throw wrong(key, "an array") }
        guard elements.count <= limit else {
            throw .bad(at(key), "\(elements.count) elements are too many: at most \(limit) are taken")
        }
        return elements
    }

    func ints(_ key: String) throws(IcebergError) -> [Int] {
        var numbers: [Int] = []
        for value in try array(key) {
            guard case .int(let number) = value, let short = Int32(exactly: number) else {
                throw .bad(at(key), "must have integers of 32 bits only")
            }
            numbers.append(Int(short))
        }
        return numbers
    }

    func longs(_ key: String) throws(IcebergError) -> [Int64] {
        var numbers: [Int64] = []
        for value in try array(key) {
            guard case .int(let number) = value else { throw .bad(at(key), "must have integers only") }
            numbers.append(number)
        }
        return numbers
    }

    func strings(_ key: String) throws(IcebergError) -> [String] {
        var texts: [String] = []
        for value in try array(key) {
            guard let text = value.string else { throw .bad(at(key), "must have strings only") }
            texts.append(text)
        }
        return texts
    }

    /// An object of strings; empty where it is missing or null.
    func texts(_ key: String) throws(IcebergError) -> [String: String] {
        if self[key].isNull { return [:] }
        guard let members = self[key].object else { throw wrong(key, "an object") }
        guard members.count <= IcebergLimits.properties else {
            throw .bad(
                at(key), "\(members.count) properties are too many: at most \(IcebergLimits.properties) are kept")
        }
        var texts: [String: String] = [:]
        for (name, value) in members {
            guard let text = value.string else {
                throw .bad(at(key), "\(name.prefix(100)) must be a string, not \(value.typeName)")
            }
            guard name.utf8.count <= IcebergLimits.propertyName, text.utf8.count <= IcebergLimits.propertyValue else {
                throw .bad(at(key), "\(name.prefix(100)) is too long")
            }
            texts[name] = text
        }
        return texts
    }

    /// One value of each element.
    func each<T>(
        _ key: String, limit: Int = IcebergLimits.elements,
        _ decode: (JSONValue, String) throws(IcebergError) -> T
    ) throws(IcebergError) -> [T] {
        var values: [T] = []
        for (index, element) in try array(key, limit: limit).enumerated() {
            values.append(try decode(element, "\(at(key))[\(index)]"))
        }
        return values
    }
}

/// What is taken from outside at most.
package enum IcebergLimits {
    /// Elements of an array: snapshots, schemas, updates.
    package static let elements = 100_000
    /// Fields of one schema, nested ones included.
    package static let fields = 20_000
    /// Nesting of types.
    package static let depth = 64
    /// Properties of a table or a namespace.
    package static let properties = 10_000
    /// Bytes of a property's name.
    package static let propertyName = 1024
    /// Bytes of a property's value: name mappings are properties.
    package static let propertyValue = 4 << 20
    /// Bytes of a table's name and of a level of a namespace.
    package static let name = 255
    /// Levels of a namespace.
    package static let levels = 16
    /// Bytes of a location.
    package static let location = 2048
    /// Bytes of a column's or reference's name.
    package static let fieldName = 1024
}

// SPDX-License-Identifier: Apache-2.0

/// Fields that the gateway looks at.
enum FieldName: UInt8 {
    case other
    /// Only for the next hop (RFC 9110, 7.6.1).
    case connection, keepAlive, proxyConnection, transferEncoding, te, trailer, upgrade, proxyAuthenticate,
        proxyAuthorization
    case host, contentLength, contentType, expect, cookie, authorization
    case forwardedFor, forwardedProto, forwardedHost

    /// Whether it goes no further.
    var isHopByHop: Bool { rawValue >= Self.connection.rawValue && rawValue <= Self.proxyAuthorization.rawValue }

    private static let names: [(String, Self)] = [
        ("connection", .connection), ("keep-alive", .keepAlive), ("proxy-connection", .proxyConnection),
        ("transfer-encoding", .transferEncoding), ("te", .te), ("trailer", .trailer), ("upgrade", .upgrade),
        ("proxy-authenticate", .proxyAuthenticate), ("proxy-authorization", .proxyAuthorization), ("host", .host),
        ("content-length", .contentLength), ("content-type", .contentType), ("expect", .expect), ("cookie", .cookie),
        ("authorization", .authorization), ("x-forwarded-for", .forwardedFor), ("x-forwarded-proto", .forwardedProto),
        ("x-forwarded-host", .forwardedHost),
    ]

    /// By length, then name.
    private static let table: [[(name: [UInt8], field: Self)]] = {
        var table = [[(name: [UInt8], field: Self)]](repeating: [], count: 20)
        for (name, field) in names { table[name.utf8.count].append((Array(name.utf8), field)) }
        return table
    }()

    init(_ bytes: UnsafeRawBufferPointer) {
        self = .other
        guard bytes.count < 20 else { return }
        for (name, field) in Self.table[bytes.count] where HeaderFields.isSame(bytes, name) {
            self = field
            return
        }
    }
}

/// Header fields, their bytes in one piece, as they came. Names keep their case and are compared without it.
struct HeaderFields: Sendable {
    struct Field: Sendable {
        var nameStart: Int32
        var valueStart: Int32
        var valueEnd: Int32
        var nameCount: UInt16
        var name: FieldName
    }

    private(set) var storage: [UInt8]
    private(set) var fields: [Field] = []

    init(storage: [UInt8] = []) { self.storage = storage }

    static func isSame(_ bytes: UnsafeRawBufferPointer, _ lower: [UInt8]) -> Bool {
        guard bytes.count == lower.count else { return false }
        for index in lower.indices where lowercased(bytes[index]) != lower[index] { return false }
        return true
    }

    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    mutating func reserve(fields count: Int) { fields.reserveCapacity(count) }

    /// Adds a field whose bytes are in the storage.
    mutating func add(name: Range<Int>, value: Range<Int>, _ field: FieldName) {
        fields.append(
            Field(
                nameStart: Int32(name.lowerBound), valueStart: Int32(value.lowerBound),
                valueEnd: Int32(value.upperBound), nameCount: UInt16(name.count), name: field))
    }

    mutating func add(_ name: some StringProtocol, _ value: some StringProtocol) {
        let start = storage.count
        storage.append(contentsOf: name.utf8)
        let middle = storage.count
        storage.append(contentsOf: value.utf8)
        let field = storage.withUnsafeBytes { FieldName(UnsafeRawBufferPointer(rebasing: $0[start..<middle])) }
        add(name: start..<middle, value: middle..<storage.count, field)
    }

    mutating func set(_ name: String, _ value: String) {
        remove(name)
        add(name, value)
    }

    mutating func remove(_ name: String) {
        let lower = Array(name.lowercased().utf8)
        guard fields.contains(where: { isNamed($0, lower) }) else { return }
        fields = fields.filter { !isNamed($0, lower) }
    }

    mutating func remove(_ name: FieldName) {
        guard contains(name) else { return }
        fields.removeAll { $0.name == name }
    }

    func contains(_ name: FieldName) -> Bool { fields.contains { $0.name == name } }

    private func isNamed(_ field: Field, _ lower: [UInt8]) -> Bool {
        guard Int(field.nameCount) == lower.count else { return false }
        return storage.withUnsafeBytes { bytes in
            let start = Int(field.nameStart)
            return Self.isSame(UnsafeRawBufferPointer(rebasing: bytes[start..<start + lower.count]), lower)
        }
    }

    func value(_ field: Field) -> String {
        String(decoding: storage[Int(field.valueStart)..<Int(field.valueEnd)], as: UTF8.self)
    }

    func name(_ field: Field) -> String {
        let start = Int(field.nameStart)
        return String(decoding: storage[start..<start + Int(field.nameCount)], as: UTF8.self)
    }

    /// The first value.
    func first(_ name: FieldName) -> String? { fields.first { $0.name == name }.map(value) }

    /// The values, joined by commas.
    /// `name`: in lower case.
    func first(_ name: String) -> String? {
        let lower = Array(name.utf8)
        var found: String?
        for field in fields where isNamed(field, lower) {
            found = found.map { "\($0),\(value(field))" } ?? value(field)
        }
        return found
    }

    /// Whether a list of tokens has one, in lower case.
    func lists(_ token: String, in name: FieldName) -> Bool {
        for field in fields where field.name == name {
            for part in value(field).split(separator: ",") {
                if part.trimmed.lowercased() == token { return true }
            }
        }
        return false
    }

    /// Leaves out what is only for this hop: the known fields, and those that `Connection` names.
    mutating func removeHopByHop() {
        var isThere = false
        for field in fields where field.name.isHopByHop { isThere = true }
        guard isThere else { return }
        var named: [[UInt8]] = []
        for field in fields where field.name == .connection {
            for part in value(field).split(separator: ",") {
                let token = part.trimmed.lowercased()
                if token != "keep-alive", token != "close", token != "upgrade", !token.isEmpty {
                    named.append(Array(token.utf8))
                }
            }
        }
        fields = fields.filter { field in
            !field.name.isHopByHop && !named.contains { isNamed(field, $0) && !Self.isNeeded(field.name) }
        }
    }

    /// What a client cannot have removed by naming it in `Connection`.
    private static func isNeeded(_ name: FieldName) -> Bool {
        switch name {
        case .host, .contentLength, .contentType, .authorization, .forwardedFor, .forwardedProto, .forwardedHost: true
        default: false
        }
    }
}

extension StringProtocol {
    /// Without spaces and tabs around.
    var trimmed: SubSequence {
        var rest = self[...]
        while let first = rest.first, first == " " || first == "\t" { rest = rest.dropFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest = rest.dropLast() }
        return rest
    }
}

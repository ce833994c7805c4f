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

    init(_ bytes: UnsafeRawBufferPointer) {
        func named(_ name: StaticString, _ field: Self, else other: Self = .other) -> Self {
            HeaderFields.isSame(bytes, name) ? field : other
        }
        self =
            switch bytes.count {
            case 2: named("te", .te)
            case 4: named("host", .host)
            case 6: named("cookie", .cookie, else: named("expect", .expect))
            case 7: named("upgrade", .upgrade, else: named("trailer", .trailer))
            case 10: named("connection", .connection, else: named("keep-alive", .keepAlive))
            case 12: named("content-type", .contentType)
            case 13: named("authorization", .authorization)
            case 14: named("content-length", .contentLength)
            case 15: named("x-forwarded-for", .forwardedFor)
            case 16: named("x-forwarded-host", .forwardedHost, else: named("proxy-connection", .proxyConnection))
            case 17: named("transfer-encoding", .transferEncoding, else: named("x-forwarded-proto", .forwardedProto))
            case 18: named("proxy-authenticate", .proxyAuthenticate)
            case 19: named("proxy-authorization", .proxyAuthorization)
            default: .other
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

    /// `lower`: in lower case, ASCII.
    static func isSame(_ bytes: UnsafeRawBufferPointer, _ lower: StaticString) -> Bool {
        guard bytes.count == lower.utf8CodeUnitCount else { return false }
        for index in bytes.indices where lowercased(bytes[index]) != lower.utf8Start[index] { return false }
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

    /// Adds a field that the gateway knows; `name`: as the field is written.
    mutating func add(_ name: StaticString, _ field: FieldName, _ value: String) {
        let start = storage.count
        storage.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        let middle = storage.count
        storage.append(contentsOf: value.utf8)
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

    func contains(_ name: FieldName) -> Bool {
        for field in fields where field.name == name { return true }
        return false
    }

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

    /// The tokens of the lists that fields of a name have, until `body` says that it has enough.
    /// - Returns: whether `body` has said so.
    private func anyToken(in name: FieldName, _ body: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        storage.withUnsafeBytes { bytes in
            for field in fields where field.name == name {
                var position = Int(field.valueStart)
                let end = Int(field.valueEnd)
                while position < end {
                    var last = position
                    while last < end, bytes[last] != 0x2C { last += 1 }
                    var token = position..<last
                    while let first = token.first, Self.isBlank(bytes[first]) { token = first + 1..<last }
                    while let final = token.last, Self.isBlank(bytes[final]) { token = token.lowerBound..<final }
                    if !token.isEmpty, body(UnsafeRawBufferPointer(rebasing: bytes[token])) { return true }
                    position = last + 1
                }
            }
            return false
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Whether a list of tokens has one, in lower case.
    func lists(_ token: StaticString, in name: FieldName) -> Bool {
        anyToken(in: name) { Self.isSame($0, token) }
    }

    var hasHopByHop: Bool {
        for field in fields where field.name.isHopByHop { return true }
        return false
    }

    /// Leaves out what says whom a request came from and how.
    mutating func removeForwarded() { fields.removeAll { $0.name.rawValue >= FieldName.forwardedFor.rawValue } }

    /// Leaves out what is only for this hop: the known fields, and those that `Connection` names.
    mutating func removeHopByHop() {
        guard hasHopByHop else { return }
        var named: [[UInt8]] = []
        _ = anyToken(in: .connection) { token in
            if !Self.isSame(token, "keep-alive"), !Self.isSame(token, "close"), !Self.isSame(token, "upgrade") {
                named.append(token.map(Self.lowercased))
            }
            return false
        }
        fields.removeAll(where: \.name.isHopByHop)
        guard !named.isEmpty else { return }
        fields = fields.filter { field in
            Self.isNeeded(field.name) || !named.contains { isNamed(field, $0) }
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

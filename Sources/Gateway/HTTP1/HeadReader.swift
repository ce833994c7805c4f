// SPDX-License-Identifier: Apache-2.0

/// Limits of a head.
enum HeadLimits {
    /// Bytes, first line included.
    static let bytes = 32 << 10
    static let fields = 128
}

/// Finds where a head ends, without looking twice at a byte.
struct HeadSearch: Sendable {
    private var seen = 0

    /// - Returns: how many bytes the head has, its empty line included; nil where more are needed.
    mutating func end(in bytes: UnsafeRawBufferPointer) throws(MessageFault) -> Int? {
        var position = seen
        while position < bytes.count {
            guard bytes[position] == 0x0A else {
                position += 1
                continue
            }
            guard position > 0, bytes[position - 1] == 0x0D else { throw .bad("a line ends without CR") }
            if position >= 3, bytes[position - 2] == 0x0A {
                seen = 0
                guard position < HeadLimits.bytes else { throw MessageFault(431, "the head is too long") }
                return position + 1
            }
            position += 1
        }
        seen = position
        guard bytes.count < HeadLimits.bytes else { throw MessageFault(431, "the head is too long") }
        return nil
    }
}

/// Reads heads of HTTP/1.1 (RFC 9112), strictly: what two programs could read in two ways is refused.
enum HeadReader {
    /// `bytes`: all of the head, its empty line included.
    static func request(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) -> RequestHead {
        var head = RequestHead()
        var position = 0
        while position < bytes.count, isToken(bytes[position]) { position += 1 }
        guard position > 0, position <= 32, position < bytes.count, bytes[position] == 0x20 else {
            throw .bad("the request line has no method")
        }
        head.method = method(UnsafeRawBufferPointer(rebasing: bytes[..<position]))
        let start = position + 1
        position = start
        while position < bytes.count, bytes[position] > 0x20, bytes[position] < 0x7F { position += 1 }
        guard position > start, position + 10 < bytes.count, bytes[position] == 0x20 else {
            throw .bad("the request line has no target")
        }
        let target = start..<position
        position += 1
        // "HTTP/1." as a number.
        let version = UnsafeRawBufferPointer(rebasing: bytes[position..<position + 8])
        guard starts(version, with: "HTTP/"), version[6] == 0x2E, isDigit(version[5]), isDigit(version[7])
        else { throw .bad("the request line has no version") }
        guard version[5] == 0x31 else { throw MessageFault(505, "only HTTP/1.1 and HTTP/2 are spoken here") }
        head.isOld = version[7] == 0x30
        position += 8
        guard bytes[position] == 0x0D, bytes[position + 1] == 0x0A else { throw .bad("the request line is too long") }
        head.fields = try fields(bytes, from: position + 2)
        try readTarget(UnsafeRawBufferPointer(rebasing: bytes[target]), into: &head)
        try readFraming(of: &head)
        return head
    }

    private static func method(_ bytes: UnsafeRawBufferPointer) -> String {
        starts(bytes, with: "GET") && bytes.count == 3 ? "GET" : String(decoding: bytes, as: UTF8.self)
    }

    private static func starts(_ bytes: UnsafeRawBufferPointer, with text: StaticString) -> Bool {
        guard bytes.count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[index] != text.utf8Start[index] { return false }
        return true
    }

    private static func readTarget(_ bytes: UnsafeRawBufferPointer, into head: inout RequestHead) throws(MessageFault) {
        var hosts = 0
        for field in head.fields.fields where field.name == .host {
            hosts += 1
            head.authority = head.fields.value(field)
        }
        guard hosts == 1 || head.isOld && hosts == 0 else { throw .bad("there must be one Host") }
        head.fields.remove(.host)
        let target = String(decoding: bytes, as: UTF8.self)
        if bytes[0] == 0x2F {
            head.target = target
        } else if head.method == "OPTIONS", target == "*" {
            head.target = target
        } else if let scheme = ["http://", "https://"].first(where: { target.lowercased().hasPrefix($0) }) {
            let rest = target.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            head.authority = String(rest[..<end])
            let path = String(rest[end...])
            head.target = path.hasPrefix("/") ? path : "/" + path
        } else {
            throw .bad("the target must be a path")
        }
        guard Authority.isValid(head.authority) || head.isOld && head.authority.isEmpty else {
            throw .bad("the host is none")
        }
    }

    private static func readFraming(of head: inout RequestHead) throws(MessageFault) {
        let length = try contentLength(head.fields)
        if head.fields.contains(.transferEncoding) {
            guard length == nil else { throw .bad("Content-Length and Transfer-Encoding together") }
            guard !head.isOld else { throw .bad("Transfer-Encoding in HTTP/1.0") }
            guard try isChunked(head.fields) else { throw MessageFault(501, "only chunked is known") }
            head.body = .chunked
        } else {
            head.body = length.map { $0 == 0 ? .none : .length($0) } ?? .none
        }
        if let length, length == 0, head.method != "GET", head.method != "HEAD" { head.body = .length(0) }
        head.keepsAlive = keepsAlive(head.fields, isOld: head.isOld)
        if head.fields.contains(.expect) {
            guard head.fields.first(.expect)?.lowercased() == "100-continue" else {
                throw MessageFault(417, "only 100-continue can be expected")
            }
            head.expectsContinue = !head.isOld && head.body != .none
            head.fields.remove(.expect)
        }
        if !head.isOld, head.fields.contains(.upgrade), head.fields.lists("upgrade", in: .connection) {
            // A change to HTTP/2 would take the requests after it past the routes.
            let wanted = head.fields.first(.upgrade)
            head.upgrade = wanted.flatMap { $0.lowercased().contains("h2") ? nil : $0 }
        }
    }

    /// `bytes`: all of the head, its empty line included.
    /// `method`: of the request that it answers.
    static func response(_ bytes: UnsafeRawBufferPointer, to method: String) throws(MessageFault) -> ResponseHead {
        var head = ResponseHead()
        guard bytes.count >= 14, starts(bytes, with: "HTTP/1."), isDigit(bytes[7]), bytes[8] == 0x20,
            isDigit(bytes[9]), isDigit(bytes[10]), isDigit(bytes[11]), bytes[12] == 0x20 || bytes[12] == 0x0D
        else { throw .bad("the answer has no status line") }
        head.status = Int(bytes[9] - 0x30) * 100 + Int(bytes[10] - 0x30) * 10 + Int(bytes[11] - 0x30)
        var position = 12
        while position < bytes.count, bytes[position] != 0x0D { position += 1 }
        guard position + 1 < bytes.count, bytes[position + 1] == 0x0A, head.status >= 100 else {
            throw .bad("the answer's status line does not end")
        }
        head.fields = try fields(bytes, from: position + 2)
        head.keepsAlive = keepsAlive(head.fields, isOld: bytes[7] == 0x30)
        let length = try contentLength(head.fields)
        let isCoded = head.fields.contains(.transferEncoding)
        guard !isCoded || length == nil else { throw .bad("Content-Length and Transfer-Encoding together") }
        if isCoded {
            guard try isChunked(head.fields) else { throw .bad("only chunked is known") }
        }
        if method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304 {
            head.body = .none
        } else if isCoded {
            head.body = .chunked
        } else if let length {
            head.body = .length(length)
        } else {
            head.body = .untilClose
            head.keepsAlive = false
        }
        return head
    }

    private static func isChunked(_ fields: HeaderFields) throws(MessageFault) -> Bool {
        guard fields.fields.count(where: { $0.name == .transferEncoding }) == 1 else {
            throw .bad("more than one Transfer-Encoding")
        }
        return fields.first(.transferEncoding)?.lowercased() == "chunked"
    }

    private static func contentLength(_ fields: HeaderFields) throws(MessageFault) -> Int? {
        var length: Int?
        for field in fields.fields where field.name == .contentLength {
            guard length == nil else { throw .bad("more than one Content-Length") }
            let text = fields.value(field)
            guard !text.isEmpty, text.utf8.count <= 18, text.utf8.allSatisfy(isDigit), let number = Int(text) else {
                throw .bad("Content-Length is no number")
            }
            length = number
        }
        return length
    }

    private static func keepsAlive(_ fields: HeaderFields, isOld: Bool) -> Bool {
        guard fields.contains(.connection) else { return !isOld }
        if fields.lists("close", in: .connection) { return false }
        return !isOld || fields.lists("keep-alive", in: .connection)
    }

    /// The fields from a position to the empty line, or to the end: of heads and of trailers.
    static func fields(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(MessageFault) -> HeaderFields {
        // The bytes from here on only: positions are relative to it.
        let lines = UnsafeRawBufferPointer(rebasing: bytes[start...])
        // With room for what the gateway adds.
        var storage: [UInt8] = []
        storage.reserveCapacity(lines.count + 192)
        storage.append(contentsOf: lines)
        var fields = HeaderFields(storage: storage)
        fields.reserve(fields: 12)
        var position = 0
        while position < lines.count {
            if lines[position] == 0x0D {
                guard position + 2 == lines.count, lines[position + 1] == 0x0A else { throw .bad("a bare CR") }
                break
            }
            let name = position
            while position < lines.count, isToken(lines[position]) { position += 1 }
            guard position > name, position < lines.count, lines[position] == 0x3A, position - name <= 256 else {
                throw .bad("a field has no name")
            }
            let nameEnd = position
            position += 1
            while position < lines.count, lines[position] == 0x20 || lines[position] == 0x09 { position += 1 }
            let value = position
            while position < lines.count, isValue(lines[position]) { position += 1 }
            guard position + 1 < lines.count, lines[position] == 0x0D, lines[position + 1] == 0x0A else {
                throw .bad("a field has a character that it cannot have")
            }
            var end = position
            while end > value, lines[end - 1] == 0x20 || lines[end - 1] == 0x09 { end -= 1 }
            fields.add(
                name: name..<nameEnd, value: value..<end,
                FieldName(UnsafeRawBufferPointer(rebasing: lines[name..<nameEnd])))
            guard fields.fields.count <= HeadLimits.fields else { throw MessageFault(431, "too many fields") }
            position += 2
        }
        return fields
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private static func isValue(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }

    /// RFC 9110, 5.6.2.
    static func isToken(_ byte: UInt8) -> Bool { tokens[Int(byte)] }

    private static let tokens: [Bool] = {
        var tokens = [Bool](repeating: false, count: 256)
        for byte in "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8 {
            tokens[Int(byte)] = true
        }
        return tokens
    }()
}

/// Hosts with ports, as `Host` and `:authority` have them.
enum Authority {
    static func isValid(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 300 else { return false }
        let (host, port) = parts(text)
        guard port.utf8.allSatisfy(HeadReader.isDigit), !host.isEmpty else { return false }
        if host.utf8.first == 0x5B {
            return host.utf8.last == 0x5D
                && host.dropFirst().dropLast().utf8.allSatisfy {
                    HeadReader.isDigit($0) || $0 == 0x3A || $0 == 0x2E || (HeaderFields.lowercased($0) &- 0x61) < 6
                }
        }
        return host.utf8.allSatisfy {
            HeadReader.isDigit($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F
                || (HeaderFields.lowercased($0) &- 0x61) < 26
        }
    }

    /// The host in lower case, without port, and without a dot at its end.
    static func host(_ text: String) -> String {
        var host = parts(text).host
        if host.utf8.last == 0x2E { host = host.dropLast() }
        return host.utf8.contains { $0 &- 0x41 < 26 } ? host.lowercased() : String(host)
    }

    static func parts(_ text: String) -> (host: Substring, port: Substring) {
        guard let colon = text.utf8.lastIndex(of: 0x3A), text.utf8.last != 0x5D else { return (text[...], "") }
        return (text[..<colon], text[text.index(after: colon)...])
    }
}

// SPDX-License-Identifier: Apache-2.0
import NIOHPACK
import NIOHTTP2

/// Between HTTP/2's header lists and heads.
enum HeaderConversion {
    /// A request's head; strict, for its fields go into lines of HTTP/1.1.
    static func request(_ headers: HPACKHeaders, isLast: Bool, scheme: String) throws(MessageFault) -> RequestHead {
        var head = RequestHead()
        head.scheme = scheme
        head.fields.reserve(fields: headers.count)
        var cookies: [String] = []
        var host: String?
        var hasPath = false
        for (name, value, _) in headers {
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw .bad("a field has a character that it cannot have")
            }
            switch name {
            case ":method": head.method = value
            case ":path":
                guard value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), value.hasPrefix("/") || value == "*" else {
                    throw .bad("the target must be a path")
                }
                head.target = value
                hasPath = true
            case ":authority": head.authority = value
            case ":scheme": break
            case "host": host = value
            case "cookie": cookies.append(value)
            default:
                guard !name.isEmpty, name.utf8.allSatisfy(HeadReader.isToken) else { throw .bad("a field has no name") }
                head.fields.add(name, value)
            }
        }
        guard !head.method.isEmpty, head.method.utf8.allSatisfy(HeadReader.isToken) else {
            throw .bad("the request has no method")
        }
        guard hasPath || head.method == "CONNECT" else { throw .bad("the target must be a path") }
        if head.authority.isEmpty { head.authority = host ?? "" }
        guard Authority.isValid(head.authority), host == nil || host == head.authority else {
            throw .bad("the host is none")
        }
        if !cookies.isEmpty { head.fields.add("cookie", cookies.joined(separator: "; ")) }
        guard head.fields.fields.count <= HeadLimits.fields else { throw MessageFault(431, "too many fields") }
        guard head.fields.storage.count <= HeadLimits.bytes else { throw MessageFault(431, "the head is too long") }
        if head.fields.contains(.expect) {
            head.expectsContinue = !isLast && head.fields.first(.expect)?.lowercased() == "100-continue"
            head.fields.remove(.expect)
        }
        if isLast {
            head.body = head.fields.first(.contentLength) == "0" ? .length(0) : .none
        } else {
            head.body = head.fields.first(.contentLength).flatMap { Int($0) }.map { .length($0) } ?? .chunked
        }
        return head
    }

    static func request(_ head: RequestHead) -> HPACKHeaders {
        var headers = HPACKHeaders()
        headers.reserveCapacity(head.fields.fields.count + 5)
        headers.add(name: ":method", value: head.method)
        headers.add(name: ":scheme", value: head.scheme)
        headers.add(name: ":path", value: head.target)
        headers.add(name: ":authority", value: head.authority)
        add(head.fields, to: &headers, keepsTE: true)
        return headers
    }

    static func response(_ headers: HPACKHeaders, isLast: Bool, to method: String) throws(MessageFault) -> ResponseHead
    {
        var head = ResponseHead()
        head.status = 0
        head.fields.reserve(fields: headers.count)
        for (name, value, _) in headers {
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw .bad("a field has a character that it cannot have")
            }
            if name == ":status" {
                head.status = Int(value) ?? 0
            } else if name.utf8.allSatisfy(HeadReader.isToken) {
                head.fields.add(name, value)
            }
        }
        guard (100...999).contains(head.status) else { throw .bad("the answer has no status") }
        if method == "HEAD" || head.status == 204 || head.status == 304 {
            head.body = .none
        } else if isLast {
            head.body = .length(0)
        } else {
            head.body = head.fields.first(.contentLength).flatMap { Int($0) }.map { .length($0) } ?? .chunked
        }
        return head
    }

    static func response(_ head: ResponseHead) -> HPACKHeaders {
        var headers = HPACKHeaders()
        headers.reserveCapacity(head.fields.fields.count + 2)
        headers.add(name: ":status", value: head.status == 200 ? "200" : String(head.status))
        add(head.fields, to: &headers)
        if case .length(let length) = head.body, !head.fields.contains(.contentLength) {
            headers.add(name: "content-length", value: String(length))
        }
        return headers
    }

    static func trailers(_ headers: HPACKHeaders) -> HeaderFields {
        var fields = HeaderFields()
        for (name, value, _) in headers where !name.hasPrefix(":") && name.utf8.allSatisfy(HeadReader.isToken) {
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { continue }
            fields.add(name, value)
        }
        return fields
    }

    static func trailers(_ fields: HeaderFields) -> HPACKHeaders {
        var headers = HPACKHeaders()
        add(fields, to: &headers)
        return headers
    }

    private static func add(_ fields: HeaderFields, to headers: inout HPACKHeaders, keepsTE: Bool = false) {
        for field in fields.fields where !field.name.isHopByHop || keepsTE && field.name == .te {
            headers.add(name: lowercased(fields.name(field)), value: fields.value(field))
        }
    }

    private static func lowercased(_ name: String) -> String {
        name.utf8.contains { $0 &- 0x41 < 26 } ? name.lowercased() : name
    }
}

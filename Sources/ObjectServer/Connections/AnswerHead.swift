// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// Status and headers of an answer.
struct AnswerHead {
    /// The status code.
    var status: Int
    private var fields: [(name: Name, value: String)] = []

    /// A header's name: one of the program's, or one that a client gave.
    private enum Name {
        case own(StaticString)
        case metadata(String)
        case given(String)
    }

    init(_ status: Int) { self.status = status }

    /// Adds a header.
    mutating func add(_ name: StaticString, _ value: String) { fields.append((.own(name), value)) }

    /// Adds a header where there is a value.
    mutating func add(_ name: StaticString, _ value: String?) {
        if let value { fields.append((.own(name), value)) }
    }

    /// Adds a header whose name is not known at compile time.
    mutating func add(given name: String, _ value: String) { fields.append((.given(name), value)) }

    /// Adds a header of the user's metadata: `x-amz-meta-` and the name.
    mutating func add(metadata name: String, _ value: String) { fields.append((.metadata(name), value)) }

    /// Writes status line and headers.
    /// - Parameters:
    ///   - buffer: what they are appended to.
    ///   - id: of the request.
    ///   - date: as HTTP writes it.
    ///   - length: bytes of the body; nil for an answer that has none by its status.
    ///   - closes: whether the connection ends after it.
    ///   - staysOpen: whether that has to be said, as to clients of HTTP/1.0.
    func write(
        to buffer: inout ByteBuffer, id: String, date: String, length: Int64?, closes: Bool, staysOpen: Bool
    ) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString("\(status) \(HTTPResponseStatus(statusCode: status).reasonPhrase)")
        buffer.writeStaticString("\r\nx-amz-request-id: ")
        buffer.writeString(id)
        buffer.writeStaticString("\r\nDate: ")
        buffer.writeString(date)
        buffer.writeStaticString("\r\nServer: Apus\r\n")
        for field in fields {
            switch field.name {
            case .own(let name): buffer.writeStaticString(name)
            case .metadata(let name):
                buffer.writeStaticString("x-amz-meta-")
                Self.write(name, to: &buffer)
            case .given(let name): Self.write(name, to: &buffer)
            }
            buffer.writeStaticString(": ")
            Self.write(field.value, to: &buffer)
            buffer.writeStaticString("\r\n")
        }
        if let length {
            buffer.writeStaticString("Content-Length: ")
            buffer.writeString(String(length))
            buffer.writeStaticString("\r\n")
        }
        if closes {
            buffer.writeStaticString("Connection: close\r\n")
        } else if staysOpen {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    /// Nothing in a value can end its line: what would, becomes a space.
    private static func write(_ text: String, to buffer: inout ByteBuffer) {
        let isPlain = text.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
        if isPlain {
            buffer.writeString(text)
        } else {
            buffer.writeBytes(text.utf8.map { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 ? $0 : 0x20 })
        }
    }
}

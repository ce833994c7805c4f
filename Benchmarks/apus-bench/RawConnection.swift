// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What a benchmark could not do.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A connection of HTTP/1.1 with as little between the socket and the clock as can be: blocking calls on a thread of its
/// own, one buffer, nothing kept of what is received.
final class RawConnection {
    /// An answer, without its body.
    struct Answer {
        var status: Int
        /// Bytes of the body.
        var length: Int64
        /// Its first bytes.
        var beginning: [UInt8]
    }

    private let descriptor: CInt
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    private var start = 0
    private var end = 0

    /// A connection that was accepted.
    init(accepted descriptor: CInt) { self.descriptor = descriptor }

    /// Connects to a port of this machine.
    init(port: Int) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw BenchError("no socket: \(String(cString: strerror(errno)))") }
        var address = Self.address(port)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            throw BenchError("127.0.0.1:\(port) does not accept connections: \(String(cString: strerror(errno)))")
        }
        Self.sendAtOnce(descriptor)
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    static func sendAtOnce(_ descriptor: CInt) {
        var on: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    // MARK: Sending

    /// Sends a head and a body of `count` bytes, `block` over and over. What is small goes in one call.
    func send(_ head: [UInt8], block: UnsafeRawBufferPointer, count: Int64) throws {
        let first = Int(min(Int64(block.count), count))
        let sent: Int = try head.withUnsafeBytes { head in
            var parts = [
                iovec(iov_base: UnsafeMutableRawPointer(mutating: head.baseAddress), iov_len: head.count),
                iovec(iov_base: UnsafeMutableRawPointer(mutating: block.baseAddress), iov_len: first),
            ]
            let sent = writev(descriptor, &parts, first > 0 ? 2 : 1)
            guard sent >= 0 else { throw Self.lost }
            if sent < head.count { try sendAll(UnsafeRawBufferPointer(rebasing: head[sent...])) }
            return max(0, sent - head.count)
        }
        var done = Int64(sent)
        while done < count {
            let from = Int(done % Int64(max(1, block.count)))
            let length = Int(min(Int64(block.count - from), count - done))
            try sendAll(UnsafeRawBufferPointer(rebasing: block[from..<(from + length)]))
            done += Int64(length)
        }
    }

    private func sendAll(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let count = Foundation.send(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, CInt(MSG_NOSIGNAL))
            guard count > 0 else { throw Self.lost }
            done += count
        }
    }

    private static var lost: BenchError { BenchError("the connection was lost: \(String(cString: strerror(errno)))") }

    // MARK: Receiving

    /// Reads an answer to its end; `take` is given the bytes of the body.
    func answer(_ take: ((UnsafeRawBufferPointer) -> Void)? = nil) throws -> Answer {
        guard let head = try head() else { throw BenchError("the server closed the connection") }
        let words = head.prefix { $0 != 13 }.split(separator: 32)
        guard words.count > 1, let status = Int(String(decoding: words[1], as: UTF8.self)) else {
            throw BenchError("not an answer of HTTP: \(String(decoding: head.prefix(80), as: UTF8.self))")
        }
        let result: (Int64, [UInt8])
        if status == 204 || status == 304 {
            result = (0, [])
        } else if let length = Self.number(of: "content-length", in: head) {
            result = try body(length, take)
        } else if Self.field("transfer-encoding", in: head) != nil {
            result = try chunks(take)
        } else {
            throw BenchError("an answer without a length")
        }
        return Answer(status: status, length: result.0, beginning: result.1)
    }

    /// The bytes up to an empty line, with it; nil when the other side has closed.
    func head() throws -> [UInt8]? {
        var searched = 0
        while true {
            let there = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
            var index = max(0, searched - 3)
            while index + 4 <= there.count {
                if there[index] == 13, there[index + 1] == 10, there[index + 2] == 13, there[index + 3] == 10 {
                    let head = Array(there[..<(index + 4)])
                    start += index + 4
                    return head
                }
                index += 1
            }
            searched = there.count
            guard try fill() else { return nil }
        }
    }

    /// Reads a body of so many bytes.
    /// - Returns: its length and its first bytes.
    @discardableResult
    func body(_ length: Int64, _ take: ((UnsafeRawBufferPointer) -> Void)? = nil) throws -> (Int64, [UInt8]) {
        var left = length
        var beginning: [UInt8] = []
        while left > 0 {
            if start == end, try !fill() { throw BenchError("the server closed the connection in a body") }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[start..<(start + Int(min(left, Int64(end - start))))])
            if beginning.count < 256 { beginning += piece.prefix(256 - beginning.count) }
            take?(piece)
            start += piece.count
            left -= Int64(piece.count)
        }
        return (length, beginning)
    }

    private func chunks(_ take: ((UnsafeRawBufferPointer) -> Void)?) throws -> (Int64, [UInt8]) {
        var total: Int64 = 0
        var beginning: [UInt8] = []
        while true {
            let line = try line()
            guard let size = Int64(line.prefix { $0 != ";" }, radix: 16) else {
                throw BenchError("not the head of a chunk: \(line.prefix(80))")
            }
            let (_, first) = try body(size, take)
            if beginning.isEmpty { beginning = first }
            total += size
            let rest = try self.line()
            guard size > 0 else {
                guard rest.isEmpty else { throw BenchError("trailers are not understood") }
                return (total, beginning)
            }
        }
    }

    private func line() throws -> String {
        while true {
            let there = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
            if let index = there.firstIndex(of: 10), index > 0 {
                start += index + 1
                return String(decoding: there[..<(index - 1)], as: UTF8.self)
            }
            guard try fill() else { throw BenchError("the server closed the connection in a body") }
        }
    }

    /// Receives some bytes; false at the end.
    private func fill() throws -> Bool {
        if start == end {
            start = 0
            end = 0
        } else if end == buffer.count {
            guard start > 0 else { throw BenchError("a head has more than \(buffer.count) bytes") }
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
            end -= start
            start = 0
        }
        let count = recv(descriptor, buffer.baseAddress.map { $0 + end }, buffer.count - end, 0)
        guard count >= 0 else { throw Self.lost }
        end += count
        return count > 0
    }

    /// The value of a field of a head; `name` in lower case.
    static func field(_ name: String, in head: [UInt8]) -> String? {
        for line in head.split(separator: 10) {
            guard let colon = line.firstIndex(of: 58), colon - line.startIndex == name.utf8.count else { continue }
            let isIt = zip(line[..<colon], name.utf8).allSatisfy { $0 | 0x20 == $1 | 0x20 }
            guard isIt else { continue }
            return String(decoding: line[(colon + 1)...], as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return nil
    }

    static func number(of name: String, in head: [UInt8]) -> Int64? { field(name, in: head).flatMap { Int64($0) } }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation

/// The least that a server can do: takes what it is sent and answers with so many bytes, on a thread a connection. How
/// fast `apus-bench objects` is with it is how fast it can be with any server.
struct ResponderBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "respond", abstract: "Answer requests of HTTP/1.1 without doing anything.")

    @Option(help: "Bytes of the answers to GET.") var size: Int64 = 4096

    func run() throws {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = RawConnection.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else { throw BenchError("cannot listen: \(String(cString: strerror(errno)))") }
        print("ready \(in_port_t(bigEndian: address.sin_port))")
        fflush(nil)
        while true {
            let accepted = accept(listener, nil, nil)
            guard accepted >= 0 else { continue }
            RawConnection.sendAtOnce(accepted)
            Thread.detachNewThread { [size] in
                let connection = RawConnection(accepted: accepted)
                let block = [UInt8](repeating: 120, count: Int(min(size, 1 << 20)))
                // A client that has gone ends its thread.
                try? Self.serve(connection, block, size)
            }
        }
    }

    private static func serve(_ connection: RawConnection, _ block: [UInt8], _ size: Int64) throws {
        let empty = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
        let full = Array("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n".utf8)
        while let head = try connection.head() {
            if head.first == UInt8(ascii: "G") {
                try block.withUnsafeBytes { try connection.send(full, block: $0, count: size) }
            } else {
                try connection.body(RawConnection.number(of: "content-length", in: head) ?? 0)
                try connection.send(empty, block: UnsafeRawBufferPointer(start: nil, count: 0), count: 0)
            }
        }
    }
}

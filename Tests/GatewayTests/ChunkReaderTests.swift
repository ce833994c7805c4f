// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Gateway

struct ChunkReaderTests {
    private struct Read: Equatable {
        var data: [UInt8] = []
        var trailers: [String]?
        var rest: [UInt8] = []
    }

    /// Reads a text that comes in pieces of so many bytes.
    private func read(_ text: String, piece: Int) throws(MessageFault) -> Read {
        var reader = ChunkReader()
        var buffer: [UInt8] = []
        var read = Read()
        var rest = Array(text.utf8)[...]
        while true {
            let step = try Self.step(&reader, buffer)
            switch step {
            case .data(let skip, let count):
                read.data += buffer[skip..<skip + count]
                buffer.removeFirst(skip + count)
            case .end(let skip, let trailers):
                buffer.removeFirst(skip)
                read.trailers = trailers.fields.map { "\(trailers.name($0))=\(trailers.value($0))" }
                read.rest = buffer + rest
                return read
            case .more(let skip):
                buffer.removeFirst(skip)
                guard !rest.isEmpty else { return read }
                buffer += rest.prefix(piece)
                rest = rest.dropFirst(piece)
            }
        }
    }

    private static func step(_ reader: inout ChunkReader, _ buffer: [UInt8]) throws(MessageFault) -> ChunkReader.Step {
        var copy = reader
        let result: Result<ChunkReader.Step, MessageFault> = buffer.withUnsafeBytes { bytes in
            do throws(MessageFault) { return .success(try copy.next(bytes)) } catch { return .failure(error) }
        }
        reader = copy
        return try result.get()
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func bodiesInAnyPieces(piece: Int) throws {
        let plain = try read("4\r\nWiki\r\n5;a=b\r\npedia\r\n0\r\n\r\nNEXT", piece: piece)
        #expect(plain.data == Array("Wikipedia".utf8) && plain.trailers == [] && plain.rest == Array("NEXT".utf8))
        let trailers = try read("A\r\n0123456789\r\n000\r\nX-Sum: 1\r\nY: 2\r\n\r\nN", piece: piece)
        #expect(trailers.data.count == 10 && trailers.trailers == ["X-Sum=1", "Y=2"] && trailers.rest == [0x4E])
        #expect(try read("4\r\nWi", piece: piece).trailers == nil)
    }

    @Test(arguments: [
        "\r\n\r\n", "x\r\n", "-1\r\n", "0x4\r\nWiki\r\n", "4\nWiki\r\n", "4\r\nWikiX\r\n", "4\r\nWiki\n0\r\n\r\n",
        "4\rX", "FFFFFFFFFFFFFFFF\r\n", "4;\u{01}\r\nWiki\r\n", "4;" + String(repeating: "a", count: 300) + "\r\n",
        "0\r\nX : y\r\n\r\n", "0\r\nX: y\n\r\n", "0\r\n\n", " 4\r\nWiki\r\n",
    ])
    func refusedBodies(text: String) {
        for piece in [1, 1000] {
            #expect(throws: MessageFault.self) {
                let read = try read(text, piece: piece)
                Issue.record("\(read)")
            }
        }
    }

    @Test func longTrailersAreRefused() {
        let text = "0\r\nX: " + String(repeating: "a", count: HeadLimits.bytes) + "\r\n\r\n"
        #expect { try read(text, piece: 4096) } throws: { ($0 as? MessageFault)?.status == 431 }
    }
}

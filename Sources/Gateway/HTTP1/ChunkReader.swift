// SPDX-License-Identifier: Apache-2.0

/// Reads a body in chunks (RFC 9112, 7.1), strictly.
struct ChunkReader: Sendable {
    enum Step: Sendable {
        /// So many bytes are to be skipped, and the next of them are data.
        case data(skip: Int, count: Int)
        /// The body is over after so many bytes.
        case end(skip: Int, HeaderFields)
        /// More bytes are needed, those that are there skipped.
        case more(skip: Int)
    }

    private enum State: Sendable {
        case size
        /// Data still to come.
        case data(Int)
        /// The line end after data.
        case afterData
        case trailers
    }

    /// Of a line with a size and extensions, in bytes.
    static let longestLine = 256

    private var state = State.size
    private var search = HeadSearch()

    /// `bytes`: those that were not skipped yet.
    mutating func next(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) -> Step {
        var position = 0
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            switch state {
            case .data(let left):
                guard !rest.isEmpty else { return .more(skip: position) }
                let count = min(left, rest.count)
                state = count == left ? .afterData : .data(left - count)
                return .data(skip: position, count: count)
            case .afterData:
                guard rest.count >= 2 else {
                    guard rest.isEmpty || rest[0] == 0x0D else { throw .bad("a chunk does not end with its size") }
                    return .more(skip: position)
                }
                guard rest[0] == 0x0D, rest[1] == 0x0A else { throw .bad("a chunk does not end with its size") }
                position += 2
                state = .size
            case .size:
                guard let (size, count) = try Self.size(rest) else { return .more(skip: position) }
                position += count
                state = size == 0 ? .trailers : .data(size)
            case .trailers:
                if rest.count >= 2, rest[0] == 0x0D, rest[1] == 0x0A {
                    return .end(skip: position + 2, HeaderFields())
                }
                guard rest.count > 2, let count = try search.end(in: rest) else {
                    if let first = rest.first, first == 0x0A { throw .bad("a line ends without CR") }
                    return .more(skip: position)
                }
                let all = UnsafeRawBufferPointer(rebasing: rest[..<count])
                return .end(skip: position + count, try HeadReader.fields(all, from: 0))
            }
        }
    }

    private static func size(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) -> (size: Int, count: Int)? {
        var size = 0
        var position = 0
        while position < bytes.count, let digit = hex(bytes[position]) {
            guard position < 15 else { throw .bad("a chunk is too long") }
            size = size << 4 | digit
            position += 1
        }
        guard position > 0 || bytes.isEmpty else { throw .bad("a chunk has no size") }
        guard position < bytes.count else { return nil }
        guard bytes[position] == 0x0D || bytes[position] == 0x3B || bytes[position] == 0x20 || bytes[position] == 0x09
        else { throw .bad("a chunk's size is no number") }
        while position < bytes.count, bytes[position] != 0x0D {
            guard bytes[position] >= 0x20 || bytes[position] == 0x09 else {
                throw .bad("a chunk's line has a control character")
            }
            position += 1
            guard position <= longestLine else { throw .bad("a chunk's line is too long") }
        }
        guard position + 1 < bytes.count else { return nil }
        guard bytes[position + 1] == 0x0A else { throw .bad("a bare CR in a chunk's line") }
        return (size, position + 2)
    }

    private static func hex(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x37
        case 0x61...0x66: Int(byte) - 0x57
        default: nil
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What waits to be written to a connection: small pieces go together, in memory that is used again.
struct OutboundBytes {
    /// Pieces up to so many bytes are copied.
    private static let longestCopied = 4096
    /// Memory up to so many bytes is kept for what is written next.
    private static let mostKept = 4096

    var buffer = ByteBuffer()
    private var spare: ByteBuffer?

    /// - Returns: whether the piece is in; larger ones are written by themselves, after what waits.
    mutating func add(_ piece: ByteBuffer) -> Bool {
        guard piece.readableBytes <= Self.longestCopied else { return false }
        buffer.writeImmutableBuffer(piece)
        return true
    }

    /// What waits, to be written now; nil: nothing.
    mutating func take() -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        let bytes = buffer
        buffer = spare ?? ByteBuffer()
        spare = nil
        return bytes
    }

    /// Takes back the memory of what was flushed.
    mutating func reuse(_ bytes: consuming ByteBuffer) {
        guard bytes.capacity <= Self.mostKept else { return }
        bytes.clear()
        spare = bytes
    }
}

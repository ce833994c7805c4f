// SPDX-License-Identifier: Apache-2.0
import CZlib
import Synchronization

/// Compression of answers (RFC 1952), by zlib.
enum Gzip {
    /// Smaller answers are not compressed, in bytes; as upstream.
    static let threshold = 128 << 10
    /// The fastest level, as upstream: over a local network a better one costs more time than it saves.
    private static let level: Int32 = 1

    /// The compressed form; nil when zlib has no memory for it.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        guard bytes.count < Int(UInt32.max), apus_gzip_init(&stream, level) == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        let output = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            bytes.withUnsafeBufferPointer { input in
                // zlib does not write to its input; its type only lacks the const.
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.avail_in = UInt32(input.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(buffer.count)
                // One call suffices: the output has the size that deflateBound says.
                count = deflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : 0
            }
        }
        return output.isEmpty ? nil : output
    }

    /// Whether an `Accept-Encoding` header takes gzip (RFC 9110, section 12.5.3).
    static func isAccepted(_ header: String?) -> Bool {
        guard let header else { return false }
        for entry in header.split(separator: ",") {
            let parts = entry.split(separator: ";").map { $0.filter { !$0.isWhitespace }.lowercased() }
            guard parts.first == "gzip" else { continue }
            return !parts.dropFirst().contains { $0.hasPrefix("q=0") && $0.allSatisfy { "q=0.".contains($0) } }
        }
        return false
    }
}

/// The compressed forms of documents that are asked for again and again (discovery, OpenAPI), by their `ETag`.
final class GzipCache: Sendable {
    /// The most documents that are kept; beyond it all are forgotten.
    private static let maximumEntries = 256
    private let entries = Mutex<[String: [UInt8]]>([:])

    func compressed(_ bytes: [UInt8], tag: String?) -> [UInt8]? {
        guard let tag else { return Gzip.compress(bytes) }
        if let known = entries.withLock({ $0[tag] }) { return known }
        guard let made = Gzip.compress(bytes) else { return nil }
        entries.withLock { entries in
            if entries.count >= Self.maximumEntries { entries = [:] }
            entries[tag] = made
        }
        return made
    }
}

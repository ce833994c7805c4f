// SPDX-License-Identifier: Apache-2.0
internal import CZlib
import NIOCore

/// How messages of a call are compressed (`grpc-encoding`).
enum GRPCCompression: String, Sendable {
    case gzip
    /// The format of zlib (RFC 1950).
    case zlib = "deflate"

    /// What this server takes, for `grpc-accept-encoding`.
    static let accepted = "identity,deflate,gzip"
    /// Shorter messages are not made shorter by it.
    static let shortest = 512

    /// - Parameters:
    ///   - bytes: compressed.
    ///   - limit: bytes that may come out.
    /// - Returns: the message.
    /// - Throws: bytes that are no such stream, or more than the limit.
    func decompress(_ bytes: ByteBuffer, limit: Int) throws(GRPCStatus) -> ByteBuffer {
        var stream = z_stream()
        let begun =
            self == .gzip
            ? apus_gunzip_init(&stream)
            : inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard begun == Z_OK else { throw GRPCStatus(.internal, "zlib does not begin: code \(begun)") }
        defer { inflateEnd(&stream) }
        var output = ByteBuffer()
        let status: Int32 = bytes.withUnsafeReadableBytes { input in
            stream.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(clamping: input.count)
            while true {
                let step = min(max(4 * input.count, 4096), 1 << 20, limit - output.readableBytes + 1)
                let code = Self.step(&output, step) { free in
                    stream.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.avail_out = UInt32(free.count)
                    let code = inflate(&stream, Z_NO_FLUSH)
                    return (code, free.count - Int(stream.avail_out))
                }
                // No progress (Z_BUF_ERROR): it ends too early.
                guard code == Z_OK, output.readableBytes <= limit else { return code }
            }
        }
        guard output.readableBytes <= limit else {
            throw GRPCStatus(
                .resourceExhausted, "the message has more than \(limit) bytes once it is decompressed")
        }
        guard status == Z_STREAM_END, stream.avail_in == 0 else {
            throw GRPCStatus(.internal, "the message is no whole \(rawValue) stream")
        }
        return output
    }

    /// - Returns: nil where zlib gives up, which leaves the message as it is.
    func compress(_ bytes: ByteBuffer) -> ByteBuffer? {
        var stream = z_stream()
        guard bytes.readableBytes <= Int(UInt32.max) else { return nil }
        let begun =
            self == .gzip
            ? apus_gzip_init(&stream, 1) : deflateInit_(&stream, 1, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard begun == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        var output = ByteBuffer()
        let status: Int32 = bytes.withUnsafeReadableBytes { input in
            stream.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(input.count)
            return Self.step(&output, Int(deflateBound(&stream, UInt(input.count))) + 32) { free in
                stream.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.avail_out = UInt32(clamping: free.count)
                let code = deflate(&stream, Z_FINISH)
                return (code, free.count - Int(stream.avail_out))
            }
        }
        return status == Z_STREAM_END ? output : nil
    }

    /// - Returns: zlib's code.
    private static func step(
        _ output: inout ByteBuffer, _ room: Int, _ body: (UnsafeMutableRawBufferPointer) -> (Int32, Int)
    ) -> Int32 {
        var code: Int32 = 0
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { free in
            let (status, written) = body(UnsafeMutableRawBufferPointer(rebasing: free[..<room]))
            code = status
            return written
        }
        return code
    }
}

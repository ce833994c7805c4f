// SPDX-License-Identifier: Apache-2.0
internal import CZlib

/// Bodies without their compression (RFC 1950 to 1952), at most a given number of bytes.
enum Inflated {
    enum Format {
        case gzip
        /// With zlib's header, or, as some clients send it, without.
        case deflate
    }

    /// - Returns: nil where the bytes are damaged or there is more.
    static func bytes(_ bytes: [UInt8], _ format: Format, limit: Int) -> [UInt8]? {
        switch format {
        case .gzip: inflate(bytes, windowBits: 15 + 16, limit)
        case .deflate: inflate(bytes, windowBits: 15, limit) ?? inflate(bytes, windowBits: -15, limit)
        }
    }

    private static func inflate(_ bytes: [UInt8], windowBits: Int32, _ limit: Int) -> [UInt8]? {
        var stream = z_stream()
        guard !bytes.isEmpty, bytes.count < Int(UInt32.max),
            inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { inflateEnd(&stream) }
        return bytes.withUnsafeBufferPointer { input in
            // zlib does not write to its input; its type only lacks the const.
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.avail_in = UInt32(input.count)
            var output: [UInt8] = []
            while true {
                let room = min(max(bytes.count * 4, 64 << 10, output.count), limit - output.count + 1)
                var status = Z_OK
                let part = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                    stream.next_out = buffer.baseAddress
                    stream.avail_out = UInt32(clamping: buffer.count)
                    status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    count = buffer.count - Int(stream.avail_out)
                }
                output += part
                guard output.count <= limit else { return nil }
                switch status {
                case Z_STREAM_END:
                    if stream.avail_in == 0 { return output }
                    // Members may follow each other (RFC 1952, section 2.2).
                    guard windowBits > 16, inflateReset(&stream) == Z_OK else { return nil }
                case Z_OK where !part.isEmpty || stream.avail_in > 0: continue
                default: return nil
                }
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import CLZ4
internal import CSnappy
internal import CZlib
internal import CZstd

extension CompressionCodec {
    /// The bytes as this codec writes them, at its library's default level.
    package func compress(_ bytes: [UInt8]) throws(RecordError) -> [UInt8] {
        let output: [UInt8]?
        switch self {
        case .none: return bytes
        case .gzip: output = Self.gzip(bytes)
        case .snappy: output = Self.snappy(bytes)
        case .lz4:
            output = Self.filling(LZ4F_compressFrameBound(bytes.count, nil)) { free in
                let size = bytes.withUnsafeBytes {
                    LZ4F_compressFrame(free.baseAddress, free.count, $0.baseAddress, $0.count, nil)
                }
                return LZ4F_isError(size) == 0 ? size : nil
            }
        case .zstd:
            output = Self.filling(ZSTD_compressBound(bytes.count)) { free in
                let size = bytes.withUnsafeBytes {
                    ZSTD_compress(free.baseAddress, free.count, $0.baseAddress, $0.count, 3)
                }
                return ZSTD_isError(size) == 0 ? size : nil
            }
        }
        guard let output else { throw RecordError(.tooLarge, "\(self) cannot compress \(bytes.count) bytes") }
        return output
    }

    /// An array of at most `capacity` bytes, of which `body` says how many it wrote; nil when it failed.
    private static func filling(_ capacity: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int?) -> [UInt8]? {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            let written = body(UnsafeMutableRawBufferPointer(buffer))
            failed = written == nil
            count = written ?? 0
        }
        return failed ? nil : bytes
    }

    private static func gzip(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        guard bytes.count <= Int(UInt32.max), apus_gzip_init(&stream, 6) == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        return filling(Int(deflateBound(&stream, UInt(bytes.count)))) { free in
            bytes.withUnsafeBufferPointer { input in
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.avail_in = UInt32(input.count)
                stream.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.avail_out = UInt32(clamping: free.count)
                return deflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : nil
            }
        }
    }

    private static func snappy(_ bytes: [UInt8]) -> [UInt8]? {
        filling(snappy_max_compressed_length(bytes.count)) { free in
            var size = free.count
            let status = bytes.withUnsafeBytes {
                snappy_compress(
                    $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count,
                    free.baseAddress?.assumingMemoryBound(to: CChar.self), &size)
            }
            return status == SNAPPY_OK ? size : nil
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import CLZ4
internal import CSnappy
internal import CZlib
internal import CZstd

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The records of a batch without their compression, at most a given number of bytes. Uncompressed ones are not copied:
/// they are the payload's own bytes, which must live longer than this.
struct Decompressed: ~Copyable {
    private var storage: UnsafeMutableRawPointer?
    private var count = 0
    private var capacity = 0
    private let limit: Int
    private let payload: UnsafeRawBufferPointer

    init(_ payload: UnsafeRawBufferPointer, codec: CompressionCodec, maximumBytes: Int) throws(RecordError) {
        self.payload = payload
        limit = maximumBytes
        switch codec {
        case .none: break
        case .gzip: try inflateGzip()
        case .snappy: try decompressSnappy()
        case .lz4: try decompressLZ4()
        case .zstd: try decompressZstd()
        }
        if codec != .none, storage == nil { try reserve(1) }
    }

    deinit { free(storage) }

    var bytes: UnsafeRawBufferPointer {
        guard let storage else { return payload }
        return UnsafeRawBufferPointer(start: storage, count: count)
    }

    // MARK: growing

    /// Room for at least `more` bytes after the `count` there are, within the limit.
    private mutating func reserve(_ more: Int) throws(RecordError) {
        guard more <= limit - count else {
            throw RecordError(.tooLarge, "a batch's records decompress to over \(limit) bytes")
        }
        if capacity - count >= more { return }
        let grown = min(limit, max(count + more, capacity * 2, 4096))
        guard let moved = realloc(storage, grown) else {
            throw RecordError(.tooLarge, "no memory to decompress a batch's records into \(grown) bytes")
        }
        storage = moved
        capacity = grown
    }

    /// The free room; never empty.
    private mutating func room() throws(RecordError) -> UnsafeMutableRawBufferPointer {
        if capacity == count { try reserve(max(1, min(limit - count, max(payload.count * 4, count, 4096)))) }
        guard let storage else { return UnsafeMutableRawBufferPointer(start: nil, count: 0) }
        return UnsafeMutableRawBufferPointer(start: storage + count, count: capacity - count)
    }

    private static func corrupt(_ codec: String, _ what: String) -> RecordError {
        RecordError(.corrupt, "a batch's \(codec) data are damaged: \(what)")
    }

    // MARK: codecs

    private mutating func inflateGzip() throws(RecordError) {
        guard let input = payload.baseAddress else { throw Self.corrupt("gzip", "there are none") }
        var stream = z_stream()
        guard apus_gunzip_init(&stream) == Z_OK else { throw Self.corrupt("gzip", "zlib has no memory") }
        defer { inflateEnd(&stream) }
        stream.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(clamping: payload.count)
        while true {
            let free = try room()
            stream.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.avail_out = UInt32(clamping: free.count)
            let status = inflate(&stream, Z_NO_FLUSH)
            count += Int(UInt32(clamping: free.count) - stream.avail_out)
            switch status {
            case Z_STREAM_END:
                if stream.avail_in == 0 { return }
                // Members may follow each other (RFC 1952, section 2.2).
                guard inflateReset(&stream) == Z_OK else { throw Self.corrupt("gzip", "zlib failed") }
            case Z_OK where stream.avail_out == 0 || stream.avail_in > 0: continue
            case Z_OK, Z_BUF_ERROR: throw Self.corrupt("gzip", "they end too early")
            default: throw Self.corrupt("gzip", stream.msg.map { String(cString: $0) } ?? "status \(status)")
            }
        }
    }

    private mutating func decompressSnappy() throws(RecordError) {
        // The Java library's framing: 8 bytes of magic, two versions, then blocks after their length.
        let magic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]
        guard payload.count >= 16, payload.prefix(8).elementsEqual(magic) else { return try decompressBlock(payload) }
        var position = 16
        while position < payload.count {
            guard payload.count - position >= 4 else { throw Self.corrupt("snappy", "a block's length is cut off") }
            let length: Int32 = payload.bigEndian(at: position)
            position += 4
            guard length >= 0, payload.count - position >= Int(length) else {
                throw Self.corrupt("snappy", "a block says it has \(length) bytes")
            }
            try decompressBlock(UnsafeRawBufferPointer(rebasing: payload[position..<position + Int(length)]))
            position += Int(length)
        }
    }

    private mutating func decompressBlock(_ block: UnsafeRawBufferPointer) throws(RecordError) {
        guard let input = block.baseAddress?.assumingMemoryBound(to: CChar.self) else {
            throw Self.corrupt("snappy", "a block is empty")
        }
        var length = 0
        guard snappy_uncompressed_length(input, block.count, &length) == SNAPPY_OK else {
            throw Self.corrupt("snappy", "a block does not begin with its length")
        }
        // No element of Snappy makes more than 64 bytes of 2.
        guard length <= max(64, block.count * 64) else {
            throw Self.corrupt("snappy", "a block of \(block.count) bytes says it makes \(length)")
        }
        try reserve(max(1, length))
        guard let storage else { return }
        let output = (storage + count).assumingMemoryBound(to: CChar.self)
        guard snappy_uncompress(input, block.count, output, &length) == SNAPPY_OK else {
            throw Self.corrupt("snappy", "a block cannot be decompressed")
        }
        count += length
    }

    private mutating func decompressLZ4() throws(RecordError) {
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0 else {
            throw Self.corrupt("lz4", "the library has no memory")
        }
        defer { LZ4F_freeDecompressionContext(context) }
        guard let input = payload.baseAddress else { throw Self.corrupt("lz4", "there are none") }
        var position = 0
        while true {
            let free = try room()
            var produced = free.count
            var consumed = payload.count - position
            let status = LZ4F_decompress(context, free.baseAddress, &produced, input + position, &consumed, nil)
            guard LZ4F_isError(status) == 0 else {
                throw Self.corrupt("lz4", String(cString: LZ4F_getErrorName(status)))
            }
            position += consumed
            count += produced
            // 0: a frame is complete; another may follow.
            if status == 0, position == payload.count { return }
            if consumed == 0, produced == 0 { throw Self.corrupt("lz4", "they end too early") }
        }
    }

    private mutating func decompressZstd() throws(RecordError) {
        guard let context = ZSTD_createDCtx() else { throw Self.corrupt("zstd", "the library has no memory") }
        defer { ZSTD_freeDCtx(context) }
        guard let start = payload.baseAddress else { throw Self.corrupt("zstd", "there are none") }
        var input = ZSTD_inBuffer(src: start, size: payload.count, pos: 0)
        while true {
            let free = try room()
            var output = ZSTD_outBuffer(dst: free.baseAddress, size: free.count, pos: 0)
            let before = input.pos
            let status = ZSTD_decompressStream(context, &output, &input)
            guard ZSTD_isError(status) == 0 else {
                throw Self.corrupt("zstd", String(cString: ZSTD_getErrorName(status)))
            }
            count += output.pos
            if status == 0, input.pos == input.size { return }
            if input.pos == before, output.pos == 0 { throw Self.corrupt("zstd", "they end too early") }
        }
    }
}

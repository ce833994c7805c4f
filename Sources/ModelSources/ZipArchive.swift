// SPDX-License-Identifier: Apache-2.0
internal import CZlib
internal import InferenceProtocol

/// Zip (APPNOTE 6.3): files that are stored or deflated, found by the central directory; no encryption.
struct ZipArchive {
    private static let directoryLimit = 64 << 20
    private static let chunk = 1 << 18

    private let reader: FileReader

    init(_ reader: FileReader) { self.reader = reader }

    private struct Entry {
        var name: String
        var method: Int
        var flags: Int
        var checksum: UInt32
        var packed: Int
        var size: Int
        var offset: Int
        var mode: Int
    }

    /// Unpacks all. Blocks.
    func unpack(to output: ArchiveOutput) throws {
        for entry in try entries() {
            guard entry.flags & 1 == 0 else { throw Archive.damaged("is encrypted") }
            // The kind of file, where Unix made it: 4 is a folder, 8 a file, 0 not said.
            let kind = entry.mode >> 12
            if entry.name.hasSuffix("/") {
                try output.makeFolder(entry.name)
                continue
            }
            guard kind == 0 || kind == 8 else {
                throw Archive.damaged(
                    "has '\(entry.name.prefix(200))', which is neither a file nor a folder: links are not unpacked")
            }
            try unpack(entry, to: output)
        }
    }

    private func entries() throws -> [Entry] {
        // The end record has at most 64 KiB of comment behind it.
        let tailSize = min(reader.size, 22 + 0xFFFF + 20)
        let tail = Fields(try reader.bytes(at: reader.size - tailSize, tailSize))
        guard let end = stride(from: tail.count - 22, through: 0, by: -1).first(where: { tail.u32($0) == 0x0605_4B50 })
        else { throw Archive.damaged("is not zip") }
        var (count, size, offset) = (tail.u16(end + 10), tail.u32(end + 12), tail.u32(end + 16))
        if count == 0xFFFF || size == 0xFFFF_FFFF || offset == 0xFFFF_FFFF, end >= 20,
            tail.u32(end - 20) == 0x0706_4B50
        {
            let place = tail.u64(end - 12)
            guard place >= 0, place <= reader.size - 56 else { throw Archive.damaged("is not zip") }
            let record = Fields(try reader.bytes(at: place, 56))
            guard record.count == 56, record.u32(0) == 0x0606_4B50 else { throw Archive.damaged("is not zip") }
            (count, size, offset) = (record.u64(32), record.u64(40), record.u64(48))
        }
        guard size >= 0, size <= Self.directoryLimit, offset >= 0, offset <= reader.size - size, count >= 0,
            count <= size / 46
        else { throw Archive.damaged("is damaged: its directory is not within it") }
        let directory = Fields(try reader.bytes(at: offset, size))
        var entries: [Entry] = []
        var place = 0
        for _ in 0..<count {
            guard place + 46 <= directory.count, directory.u32(place) == 0x0201_4B50 else {
                throw Archive.damaged("is damaged: its directory ends too early")
            }
            let (nameLength, extraLength) = (directory.u16(place + 28), directory.u16(place + 30))
            let next = place + 46 + nameLength + extraLength + directory.u16(place + 32)
            guard next <= directory.count else { throw Archive.damaged("is damaged: its directory ends too early") }
            var entry = Entry(
                name: directory.text(place + 46, nameLength), method: directory.u16(place + 10),
                flags: directory.u16(place + 8), checksum: UInt32(directory.u32(place + 16)),
                packed: directory.u32(place + 20), size: directory.u32(place + 24), offset: directory.u32(place + 42),
                mode: directory.u16(place + 4) >> 8 == 3 ? directory.u16(place + 40) : 0)
            Self.widen(&entry, directory, place + 46 + nameLength, extraLength)
            entries.append(entry)
            place = next
        }
        return entries
    }

    /// Zip64: sizes that 32 bits cannot hold.
    private static func widen(_ entry: inout Entry, _ fields: Fields, _ start: Int, _ length: Int) {
        var place = start
        while place + 4 <= start + length {
            let (kind, size) = (fields.u16(place), fields.u16(place + 2))
            if kind == 1 {
                var value = place + 4
                let end = min(place + 4 + size, start + length)
                func take(_ old: Int) -> Int {
                    guard old == 0xFFFF_FFFF, value + 8 <= end else { return old }
                    defer { value += 8 }
                    return fields.u64(value)
                }
                entry.size = take(entry.size)
                entry.packed = take(entry.packed)
                entry.offset = take(entry.offset)
            }
            place += 4 + size
        }
    }

    private func unpack(_ entry: Entry, to output: ArchiveOutput) throws {
        guard entry.offset >= 0, entry.offset <= reader.size - 30 else { throw Archive.damaged("is damaged") }
        let local = Fields(try reader.bytes(at: entry.offset, 30))
        guard local.count == 30, local.u32(0) == 0x0403_4B50 else { throw Archive.damaged("is damaged") }
        let start = entry.offset + 30 + local.u16(26) + local.u16(28)
        guard entry.packed >= 0, entry.size >= 0, start <= reader.size, entry.packed <= reader.size - start else {
            throw Archive.damaged("is cut off in '\(entry.name.prefix(200))'")
        }
        let file = try output.makeFile(entry.name)
        var (sum, written) = (crc32(0, nil, 0), 0)
        func take(_ bytes: ArraySlice<UInt8>) throws {
            written += bytes.count
            // More than it says is a bomb.
            guard written <= entry.size else {
                throw Archive.damaged("has more in '\(entry.name.prefix(200))' than it says")
            }
            sum = bytes.withUnsafeBufferPointer { crc32(sum, $0.baseAddress, UInt32(clamping: $0.count)) }
            try output.write(bytes, to: file)
        }
        switch entry.method {
        case 0: try stored(start, entry.packed, take)
        case 8: try deflated(start, entry.packed, take)
        default: throw Archive.damaged("is packed by method \(entry.method), which is not unpacked; use deflate")
        }
        guard written == entry.size, UInt32(truncatingIfNeeded: sum) == entry.checksum else {
            throw Archive.damaged("is damaged: the checksum of '\(entry.name.prefix(200))' does not match")
        }
    }

    private func stored(_ start: Int, _ size: Int, _ take: (ArraySlice<UInt8>) throws -> Void) throws {
        var place = start
        while place < start + size {
            let bytes = try reader.bytes(at: place, min(Self.chunk, start + size - place))
            guard !bytes.isEmpty else { throw Archive.damaged("is cut off") }
            try take(bytes[...])
            place += bytes.count
        }
    }

    private func deflated(_ start: Int, _ size: Int, _ take: (ArraySlice<UInt8>) throws -> Void) throws {
        var stream = z_stream()
        // Window bits below zero: no header (RFC 1951).
        guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw InferenceFault(.runtime, "zlib has no memory")
        }
        defer { inflateEnd(&stream) }
        var place = start
        var output = [UInt8](repeating: 0, count: Self.chunk)
        var status = Z_OK
        while status != Z_STREAM_END {
            var input = try reader.bytes(at: place, min(Self.chunk, start + size - place))
            guard !input.isEmpty else { throw Archive.damaged("is cut off") }
            place += input.count
            var used = 0
            repeat {
                let (made, consumed, result) = input.withUnsafeMutableBufferPointer { input in
                    output.withUnsafeMutableBufferPointer { output -> (Int, Int, Int32) in
                        stream.next_in = input.baseAddress.map { $0 + used }
                        stream.avail_in = UInt32(clamping: input.count - used)
                        stream.next_out = output.baseAddress
                        stream.avail_out = UInt32(clamping: output.count)
                        let result = inflate(&stream, Z_NO_FLUSH)
                        return (output.count - Int(stream.avail_out), input.count - Int(stream.avail_in), result)
                    }
                }
                status = result
                guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                    throw Archive.damaged("is damaged: it cannot be inflated")
                }
                try take(output[..<made])
                let isStuck = consumed == used && made == 0
                used = consumed
                if isStuck { break }
            } while status != Z_STREAM_END && (used < input.count || stream.avail_out == 0)
        }
    }

    /// Little-endian numbers within bytes; those beyond the end are 0.
    private struct Fields {
        private let bytes: [UInt8]

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var count: Int { bytes.count }

        private func number(_ place: Int, _ width: Int) -> Int {
            guard place >= 0, place + width <= bytes.count else { return 0 }
            return (0..<width).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
        }

        func u16(_ place: Int) -> Int { number(place, 2) }
        func u32(_ place: Int) -> Int { number(place, 4) }
        /// Below zero where 63 bits cannot hold it.
        func u64(_ place: Int) -> Int { number(place, 8) }

        func text(_ place: Int, _ length: Int) -> String {
            String(decoding: bytes[min(place, bytes.count)..<min(place + length, bytes.count)], as: UTF8.self)
        }
    }
}

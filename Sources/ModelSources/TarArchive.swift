// SPDX-License-Identifier: Apache-2.0
internal import CZlib
internal import InferenceProtocol

/// Bytes that come one behind the other.
protocol ByteSource {
    /// The next bytes, at most `count`; empty at the end.
    mutating func next(_ count: Int) throws -> ArraySlice<UInt8>
}

struct RawBytes: ByteSource {
    private let reader: FileReader
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)
    private var range = 0..<0

    init(_ reader: FileReader) { self.reader = reader }

    mutating func next(_ count: Int) throws -> ArraySlice<UInt8> {
        if range.isEmpty { range = 0..<(try reader.read(into: &buffer)) }
        let taken = range.prefix(count)
        range = taken.upperBound..<range.upperBound
        return buffer[taken]
    }
}

/// Gzip (RFC 1952), one member or several.
final class GzippedBytes: ByteSource {
    private let reader: FileReader
    private var input = [UInt8](repeating: 0, count: 1 << 18)
    private var inputRange = 0..<0
    private var output = [UInt8](repeating: 0, count: 1 << 18)
    private var range = 0..<0
    private var stream = z_stream()
    private var isAtEnd = false

    init(_ reader: FileReader) throws(InferenceFault) {
        self.reader = reader
        guard apus_gunzip_init(&stream) == Z_OK else { throw InferenceFault(.runtime, "zlib has no memory") }
    }

    deinit { inflateEnd(&stream) }

    func next(_ count: Int) throws -> ArraySlice<UInt8> {
        while range.isEmpty, !isAtEnd { try fill() }
        let taken = range.prefix(count)
        range = taken.upperBound..<range.upperBound
        return output[taken]
    }

    private func fill() throws {
        if inputRange.isEmpty {
            inputRange = 0..<(try reader.read(into: &input))
            guard !inputRange.isEmpty else { throw Archive.damaged("ends too early") }
        }
        let (status, used, made) = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output -> (Int32, Int, Int) in
                stream.next_in = input.baseAddress.map { $0 + inputRange.lowerBound }
                stream.avail_in = UInt32(clamping: inputRange.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(clamping: output.count)
                let status = inflate(&stream, Z_NO_FLUSH)
                return (status, inputRange.count - Int(stream.avail_in), output.count - Int(stream.avail_out))
            }
        }
        inputRange = inputRange.lowerBound + used..<inputRange.upperBound
        range = 0..<made
        switch status {
        case Z_OK, Z_BUF_ERROR:
            guard used > 0 || made > 0 || inputRange.isEmpty else { throw Archive.damaged("is not gzip") }
        case Z_STREAM_END:
            if inputRange.isEmpty { inputRange = 0..<(try reader.read(into: &input)) }
            // Zeros behind the last member are padding.
            if inputRange.isEmpty || input[inputRange.lowerBound] == 0 {
                isAtEnd = true
            } else if inflateReset(&stream) != Z_OK {
                throw Archive.damaged("is not gzip")
            }
        default: throw Archive.damaged("is not gzip: \(stream.msg.map { String(cString: $0) } ?? "status \(status)")")
        }
    }
}

/// Tar as POSIX (ustar, pax) and GNU (long names) have it.
struct TarArchive<Source: ByteSource> {
    private static var block: Int { 512 }
    /// Bytes of a name or of pax's records.
    private static var headerLimit: Int { 64 << 10 }

    private var source: Source

    init(_ source: Source) { self.source = source }

    /// Unpacks all. Blocks.
    mutating func unpack(to output: ArchiveOutput) throws {
        var longName: String?
        var longSize: Int?
        var isFirst = true
        while let header = try header(isFirst: isFirst) {
            isFirst = false
            let size = longSize ?? header.size
            let name = longName ?? header.name
            switch header.kind {
            case UInt8(ascii: "L"): longName = Self.text(try content(header.size)[...])
            case UInt8(ascii: "x"):
                let records = Self.records(try content(header.size))
                longName = records["path"] ?? longName
                if let text = records["size"] {
                    guard let number = Int(text), number >= 0 else { throw Archive.damaged("has a size of '\(text)'") }
                    longSize = number
                }
            case UInt8(ascii: "g"): _ = try content(header.size)
            case UInt8(ascii: "5"):
                try output.makeFolder(name)
                (longName, longSize) = (nil, nil)
            case UInt8(ascii: "0"), 0, UInt8(ascii: "7"):
                let file = try output.makeFile(name)
                try copy(size) { try output.write($0, to: file) }
                (longName, longSize) = (nil, nil)
            default:
                throw Archive.damaged(
                    "has '\(name.prefix(200))', which is neither a file nor a folder: links and devices are not unpacked"
                )
            }
        }
    }

    private struct Header {
        var name: String
        var size: Int
        var kind: UInt8
    }

    /// Nil at the end: a block of zeros, or no more bytes.
    private mutating func header(isFirst: Bool) throws -> Header? {
        let block = try exactly(Self.block)
        if block.isEmpty, !isFirst { return nil }
        guard block.count == Self.block else { throw Archive.damaged("is not tar: it is cut off") }
        if block.allSatisfy({ $0 == 0 }) { return nil }
        var sum = 0
        for (index, byte) in block.enumerated() { sum += (148..<156).contains(index) ? 32 : Int(byte) }
        guard let declared = Self.number(block[148..<156]), declared == sum else {
            throw Archive.damaged("is not tar, or damaged: a header's checksum does not match")
        }
        guard let size = Self.number(block[124..<136]) else { throw Archive.damaged("has a size that is no number") }
        var name = Self.text(block[0..<100])
        if block[257..<262].elementsEqual("ustar".utf8), block[262] == 0 {
            let prefix = Self.text(block[345..<500])
            if !prefix.isEmpty { name = prefix + "/" + name }
        }
        return Header(name: name, size: size, kind: block[156])
    }

    /// Octal digits, or, where the first bit is set, a binary number (GNU).
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if let first = field.first, first & 0x80 != 0 {
            guard first == 0x80 else { return nil }
            var value = 0
            for byte in field.dropFirst() {
                guard value < 1 << 54 else { return nil }
                value = value << 8 | Int(byte)
            }
            return value
        }
        let digits = field.drop { $0 == 32 }.prefix { $0 != 0 && $0 != 32 }
        if digits.isEmpty { return 0 }
        return Int(String(decoding: digits, as: UTF8.self), radix: 8).flatMap { $0 >= 0 ? $0 : nil }
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Pax: `LENGTH KEY=VALUE\n`.
    private static func records(_ bytes: [UInt8]) -> [String: String] {
        var records: [String: String] = [:]
        var rest = bytes[...]
        while let space = rest.firstIndex(of: 32),
            let length = Int(String(decoding: rest[rest.startIndex..<space], as: UTF8.self)),
            length > space - rest.startIndex + 1, length <= rest.count
        {
            let record = rest[space + 1..<rest.startIndex + length - 1]
            if let equals = record.firstIndex(of: UInt8(ascii: "=")) {
                let key = String(decoding: record[..<equals], as: UTF8.self)
                records[key] = String(decoding: record[(equals + 1)...], as: UTF8.self)
            }
            rest = rest[(rest.startIndex + length)...]
        }
        return records
    }

    private mutating func content(_ size: Int) throws -> [UInt8] {
        guard size <= Self.headerLimit else { throw Archive.damaged("has a name of \(size) bytes") }
        var bytes: [UInt8] = []
        try copy(size) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Passes on so many bytes, and leaves out what fills the last block.
    private mutating func copy(_ size: Int, _ take: (ArraySlice<UInt8>) throws -> Void) throws {
        var left = size
        while left > 0 {
            let bytes = try source.next(left)
            guard !bytes.isEmpty else { throw Archive.damaged("is cut off") }
            left -= bytes.count
            try take(bytes)
        }
        let padding = (Self.block - size % Self.block) % Self.block
        guard try exactly(padding).count == padding else { throw Archive.damaged("is cut off") }
    }

    /// So many bytes, less only at the end.
    private mutating func exactly(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try source.next(count - bytes.count)
            if more.isEmpty { break }
            bytes.append(contentsOf: more)
        }
        return bytes
    }
}

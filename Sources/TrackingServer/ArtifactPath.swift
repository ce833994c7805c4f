// SPDX-License-Identifier: Apache-2.0

/// Where an artifact is below the root of a store: names, none of which leads anywhere else.
package struct ArtifactPath: Sendable, Hashable, CustomStringConvertible {
    /// Bytes of a path, at most: as of a key in S3, less what a prefix may have.
    static let maximumBytes = 960
    /// Folders within one another, at most.
    static let maximumDepth = 64
    /// Names that begin so are the store's own (LocalArtifactRepository has the same).
    static let reserved = ".artifact.uploading."

    /// The root of a store.
    package static let root = ArtifactPath(checked: [])

    /// Folders and, last, the file; none is empty.
    package let names: [String]

    private init(checked: [String]) { names = checked }

    /// - Parameter text: as it came, percent-encoded or not, however often; `.` and empty names are left out.
    /// - Throws: ``ArtifactError`` (`invalid`) as MLflow does (mlflow/utils/uri.py, `validate_path_is_safe`), and for
    ///   what no file can be called.
    package init(_ text: String) throws(ArtifactError) {
        guard text.utf8.count <= 16 << 10 else { throw Self.tooLong }
        let decoded = try Self.decoded(text)
        let bytes = decoded.utf8
        guard !bytes.contains(0), !bytes.contains(UInt8(ascii: "#")), !decoded.hasPrefix("file:"),
            !Self.isAbsolute(Array(bytes.prefix(3)))
        else { throw .invalid("Invalid path") }
        var names: [String] = []
        for part in Self.escaped(decoded).utf8.split(separator: UInt8(ascii: "/")) {
            let name = String(decoding: part, as: UTF8.self)
            if name.utf8.elementsEqual(".".utf8) { continue }
            guard !name.utf8.elementsEqual("..".utf8) else { throw .invalid("Invalid path") }
            guard name.utf8.count <= 255 else { throw Self.tooLong }
            guard !name.utf8.starts(with: Self.reserved.utf8) else {
                throw .invalid(
                    "Invalid artifact file name: '\(name)'. Artifact names starting with '\(Self.reserved)' are reserved."
                )
            }
            names.append(name)
        }
        try self.init(names: names)
    }

    private init(names: [String]) throws(ArtifactError) {
        guard names.count <= Self.maximumDepth, names.reduce(names.count, { $0 + $1.utf8.count }) <= Self.maximumBytes
        else { throw Self.tooLong }
        self.names = names
    }

    /// `folder/file`; empty for the root.
    package var text: String { names.joined(separator: "/") }

    package var description: String { text }

    package var isRoot: Bool { names.isEmpty }

    /// Another path below this one.
    /// - Throws: ``ArtifactError`` (`invalid`) where it gets too long.
    package func appending(_ other: ArtifactPath) throws(ArtifactError) -> ArtifactPath {
        try ArtifactPath(names: names + other.names)
    }

    /// Whether this is the other path or below it.
    package func isWithin(_ other: ArtifactPath) -> Bool { names.starts(with: other.names) }

    private static let tooLong = ArtifactError.invalid(
        "Invalid path: it may have \(maximumBytes) bytes and \(maximumDepth) folders, and a name 255 bytes")

    /// Decodes until nothing changes, ten times at most.
    private static func decoded(_ text: String) throws(ArtifactError) -> String {
        var text = text
        for _ in 0..<10 {
            let next = decodedOnce(text)
            if next.utf8.elementsEqual(text.utf8) { return text }
            text = next
        }
        throw .invalid("Invalid path")
    }

    /// What is no escape stays as it is; bytes that are no UTF-8 become U+FFFD.
    private static func decodedOnce(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        let source = Array(text.utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.count)
        var index = 0
        while index < source.count {
            if source[index] == UInt8(ascii: "%"), index + 2 < source.count, let high = digit(source[index + 1]),
                let low = digit(source[index + 2])
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(source[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Of POSIX or of Windows: `/a`, `C:/a`, `C:\a`, `\\server`.
    private static func isAbsolute(_ bytes: [UInt8]) -> Bool {
        let slashes = [UInt8(ascii: "/"), UInt8(ascii: "\\")]
        if bytes.first == slashes[0] || bytes.starts(with: [slashes[1], slashes[1]]) { return true }
        return bytes.count == 3 && bytes[1] == UInt8(ascii: ":") && slashes.contains(bytes[2])
            && (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(bytes[0] | 0x20)
    }

    /// Control characters as escapes, as MLflow stores them.
    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 32 || $0 == 127 }) else { return text }
        let digits = Array("0123456789abcdef".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if byte < 32 || byte == 127 {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

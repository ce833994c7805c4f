// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Paths of data files, which the log has as URIs (RFC 2396) relative to the table's root: escapes stand for bytes of
/// the file's real name.
package enum DeltaPath {
    /// The longest path that is taken: file systems and S3 stop at 1,024 bytes, escapes make three of one.
    package static let maximumLength = 4096

    private static let plain: [Bool] = {
        var plain = [Bool](repeating: false, count: 256)
        for byte in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/=!$&'()*+,;@".utf8 {
            plain[Int(byte)] = true
        }
        return plain
    }()

    /// The URI of a file with that name.
    package static func encode(_ path: String) -> String {
        guard path.utf8.contains(where: { !plain[Int($0)] }) else { return path }
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        encoded.reserveCapacity(path.utf8.count + 16)
        for byte in path.utf8 {
            if plain[Int(byte)] {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// The name of the file of a URI.
    /// - Throws: `corruptLog` when an escape is malformed or the name is not UTF-8.
    package static func decode(_ uri: String) throws(DeltaError) -> String {
        guard uri.utf8.count <= maximumLength else {
            throw DeltaError(.corruptLog, "a path in the log has \(uri.utf8.count) bytes, more than \(maximumLength)")
        }
        guard uri.utf8.contains(UInt8(ascii: "%")) else { return uri }
        guard let path = PercentEncoding.decode(uri) else {
            throw DeltaError(.corruptLog, "the path \"\(uri.prefix(200))\" in the log is not a percent-encoded URI")
        }
        return path
    }

    /// The name of a file inside the table's folder, checked: no scheme, no root, nothing that climbs out.
    /// - Throws: `unsupportedReaderFeature` for absolute paths, which only shallow clones have; `corruptLog` for names
    ///   that leave the folder.
    package static func inside(_ uri: String) throws(DeltaError) -> String {
        let path = try decode(uri)
        if isAbsolute(uri) {
            throw DeltaError(
                .unsupportedReaderFeature,
                "the file \"\(uri.prefix(200))\" has an absolute path (a shallow clone); only files inside the "
                    + "table's own folder are read")
        }
        for part in path.split(separator: "/", omittingEmptySubsequences: false)
        where part.isEmpty || part == "." || part == ".." || part.utf8.contains(0) {
            throw DeltaError(.corruptLog, "the path \"\(uri.prefix(200))\" in the log leaves the table's folder")
        }
        return path
    }

    /// Whether a URI has a scheme or starts at the root.
    package static func isAbsolute(_ uri: String) -> Bool {
        if uri.utf8.first == UInt8(ascii: "/") { return true }
        for byte in uri.utf8 {
            switch byte {
            case UInt8(ascii: ":"): return true
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                continue
            default: return false
            }
        }
        return false
    }
}

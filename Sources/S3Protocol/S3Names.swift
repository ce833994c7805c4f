// SPDX-License-Identifier: Apache-2.0

/// What buckets and objects may be called (user guide, "Bucket naming rules", "Naming Amazon S3 objects").
package enum S3Names {
    /// Bytes of a key, at most.
    package static let maximumKey = 1024

    /// - Throws: `InvalidBucketName`.
    package static func checkBucket(_ name: String) throws(S3Error) {
        if let reason = bucketProblem(name) {
            throw S3Error(
                .invalidBucketName, "The specified bucket is not valid: \(reason).",
                details: [.init("BucketName", String(name.prefix(128)))])
        }
    }

    private static func bucketProblem(_ name: String) -> String? {
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count) else { return "a name has 3 to 63 characters, not \(bytes.count)" }
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte)
        }
        func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        for byte in bytes where !isLetterOrDigit(byte) && byte != UInt8(ascii: ".") && byte != UInt8(ascii: "-") {
            return "only lower case letters, digits, dots and hyphens are allowed"
        }
        guard let first = bytes.first, let last = bytes.last, isLetterOrDigit(first), isLetterOrDigit(last) else {
            return "a name begins and ends with a letter or a digit"
        }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if labels.contains(where: \.isEmpty) { return "two dots may not follow each other" }
        if labels.count == 4, labels.allSatisfy({ $0.allSatisfy(isDigit) }) { return "it looks like an IP address" }
        for prefix in ["xn--", "sthree-", "amzn-s3-demo-"] where name.hasPrefix(prefix) {
            return "the prefix \(prefix) is reserved"
        }
        for suffix in ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"] where name.hasSuffix(suffix) {
            return "the suffix \(suffix) is reserved"
        }
        return nil
    }

    /// Why an access key of this server cannot be one; nil for one that can.
    ///
    /// - `secret`: what its requests are signed with.
    package static func accessKeyProblem(_ id: String, secret: String) -> String? {
        let isWord = id.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 46
                || $0 == 95
        }
        guard (3...128).contains(id.utf8.count), isWord else {
            return "the access key '\(id.prefix(140))' is not 3 to 128 letters, digits, '-', '.' and '_'"
        }
        guard (8...256).contains(secret.utf8.count), secret.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return "the secret of access key '\(id)' is not 8 to 256 characters of ASCII without spaces"
        }
        return nil
    }

    /// - Throws: `KeyTooLongError`; `InvalidURI` where `..` segments lead out of the bucket, and for NUL.
    package static func checkKey(_ key: String) throws(S3Error) {
        guard key.utf8.count <= maximumKey else {
            throw S3Error(
                .keyTooLong, "Your key is too long.",
                details: [.init("Size", String(key.utf8.count)), .init("MaxSizeAllowed", String(maximumKey))])
        }
        var depth = 0
        var segment = 0
        var isDots = true
        func close() -> Bool {
            if isDots && segment == 2 { depth -= 1 } else if segment > 0 && !(isDots && segment == 1) { depth += 1 }
            segment = 0
            isDots = true
            return depth >= 0
        }
        for byte in key.utf8 {
            if byte == 0 {
                throw S3Error(.invalidURI, "Couldn't parse the specified URI: a key cannot have NUL in it.")
            }
            if byte == UInt8(ascii: "/") {
                guard close() else { throw outside }
            } else {
                segment += 1
                if byte != UInt8(ascii: ".") { isDots = false }
            }
        }
        guard close() else { throw outside }
    }

    private static var outside: S3Error {
        S3Error(.invalidURI, "Couldn't parse the specified URI: the key's .. segments lead out of the bucket.")
    }
}

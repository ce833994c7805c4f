// SPDX-License-Identifier: Apache-2.0

/// The form of a request that is signed ("Task 1: Create a Canonical Request").
enum CanonicalRequest {
    /// - `signedHeaders`: lower case, in the order in which they are signed.
    /// - `leavesSignatureOut`: for a presigned request, whose query has the signature itself.
    static func bytes(
        _ head: S3RequestHead, signedHeaders: [String], payload: String, leavesSignatureOut: Bool
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(768)
        bytes.append(contentsOf: head.method.utf8)
        bytes.append(newline)
        var target = head.target
        target.withUTF8 { target in
            let end = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
            append(path: target[..<end], to: &bytes)
            bytes.append(newline)
            if end < target.count {
                append(query: target[(end + 1)...], leavesSignatureOut: leavesSignatureOut, to: &bytes)
            }
        }
        bytes.append(newline)
        for name in signedHeaders {
            bytes.append(contentsOf: name.utf8)
            bytes.append(UInt8(ascii: ":"))
            var isFirst = true
            for field in head.headers.fields where field.name == name {
                if !isFirst { bytes.append(UInt8(ascii: ",")) }
                isFirst = false
                append(value: field.value, to: &bytes)
            }
            bytes.append(newline)
        }
        bytes.append(newline)
        for (index, name) in signedHeaders.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ";")) }
            bytes.append(contentsOf: name.utf8)
        }
        bytes.append(newline)
        bytes.append(contentsOf: payload.utf8)
        return bytes
    }

    private static let newline = UInt8(ascii: "\n")

    /// Decoded and encoded once: what a client left unencoded comes out as what S3 signs.
    private static func append(path: Slice<UnsafeBufferPointer<UInt8>>, to bytes: inout [UInt8]) {
        if path.isEmpty { return bytes.append(UInt8(ascii: "/")) }
        guard path.contains(UInt8(ascii: "%")) else {
            return URIEncoding.append(path, keepsSlash: true, to: &bytes)
        }
        // A malformed escape cannot be what the client signed either; the request's decoding refuses it by name.
        let decoded = URIEncoding.decode(path, plusIsSpace: false) ?? Array(path)
        URIEncoding.append(decoded, keepsSlash: true, to: &bytes)
    }

    private static func append(
        query: Slice<UnsafeBufferPointer<UInt8>>, leavesSignatureOut: Bool, to bytes: inout [UInt8]
    ) {
        func encoded(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8] {
            var result: [UInt8] = []
            result.reserveCapacity(text.count + 8)
            URIEncoding.append(
                URIEncoding.decode(text, plusIsSpace: true) ?? Array(text), keepsSlash: false, to: &result)
            return result
        }
        var items: [(name: [UInt8], value: [UInt8])] = []
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let middle = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = encoded(pair[..<middle])
            if leavesSignatureOut && name.elementsEqual("X-Amz-Signature".utf8) { continue }
            items.append((name, encoded(pair[middle...].dropFirst())))
        }
        if items.count > 1 {
            items.sort { left, right in
                left.name == right.name
                    ? left.value.lexicographicallyPrecedes(right.value)
                    : left.name.lexicographicallyPrecedes(right.name)
            }
        }
        for (index, item) in items.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "&")) }
            bytes.append(contentsOf: item.name)
            bytes.append(UInt8(ascii: "="))
            bytes.append(contentsOf: item.value)
        }
    }

    /// Without white space around it, and with one space for several within.
    private static func append(value: String, to bytes: inout [UInt8]) {
        let start = bytes.count
        var isSpace = false
        for byte in value.utf8 {
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                isSpace = bytes.count > start
            } else {
                if isSpace { bytes.append(UInt8(ascii: " ")) }
                isSpace = false
                bytes.append(byte)
            }
        }
    }
}

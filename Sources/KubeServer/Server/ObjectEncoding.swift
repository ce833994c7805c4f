// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// An object as JSON with a gap for the resource version, which the store assigns last.
struct ObjectEncoding: Sendable {
    private let head: [UInt8]
    private let tail: [UInt8]

    init(_ object: KubeObject) {
        var writer = JSONWriter(capacity: 1024)
        writer.append(raw: "{")
        var metadata = object.metadata
        var members = object.json.members
        members["metadata"] = nil
        // Metadata comes first and the resource version ends it, so that the gap is known.
        metadata["resourceVersion"] = .null
        if !object.managedFields.isEmpty { metadata["managedFields"] = .null }
        writer.append(raw: "\"metadata\":")
        var bytes = metadata.encoded
        bytes.removeLast()
        writer.append(raw: bytes)
        if !object.managedFields.isEmpty {
            writer.append(raw: bytes.count > 1 ? ",\"managedFields\":" : "\"managedFields\":")
            writer.append(raw: object.managedFields)
            bytes.append(UInt8(ascii: ","))
        }
        writer.append(raw: bytes.count > 1 ? ",\"resourceVersion\":\"" : "\"resourceVersion\":\"")
        head = writer.bytes
        var rest = JSONValue.object(members).encoded
        rest[0] = UInt8(ascii: ",")
        if members.isEmpty { rest = Array("}".utf8) }
        tail = Array("\"}".utf8) + rest
    }

    /// The complete JSON.
    func bytes(_ revision: Int64) -> [UInt8] {
        let digits = String(revision).utf8
        var bytes: [UInt8] = []
        bytes.reserveCapacity(head.count + digits.count + tail.count)
        bytes.append(contentsOf: head)
        bytes.append(contentsOf: digits)
        bytes.append(contentsOf: tail)
        return bytes
    }
}

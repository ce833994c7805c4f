// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Names the versions of a pod template.
enum TemplateHash {
    static let label = "pod-template-hash"
    private static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")

    /// The hash of a template: FNV-1a of its canonical text, written with the alphabet of generated names.
    ///
    /// `collisions`: how often the hash has named a different template before.
    static func hash(_ template: JSONValue, collisions: Int = 0) -> String {
        var text = canonical(template).encoded
        if collisions > 0 { text += Array("#\(collisions)".utf8) }
        return encode(text, length: 10)
    }

    /// `length` characters that depend on all the bytes.
    static func encode(_ bytes: some Sequence<UInt8>, length: Int) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash ^= hash >> 32
        var characters: [Character] = []
        for _ in 0..<length {
            characters.append(alphabet[Int(hash % UInt64(alphabet.count))])
            hash /= UInt64(alphabet.count)
        }
        return String(characters)
    }

    /// Whether two templates make the same pods, the hash label aside.
    static func areEqual(_ left: JSONValue, _ right: JSONValue) -> Bool { canonical(left) == canonical(right) }

    /// The template without its hash label and without nulls.
    static func canonical(_ template: JSONValue) -> JSONValue {
        var template = withoutNulls(template)
        template["metadata"]["labels"][label] = .null
        if template["metadata"]["labels"].isEmpty { template["metadata"]["labels"] = .null }
        if template["metadata"].isEmpty { template["metadata"] = .null }
        return template
    }

    private static func withoutNulls(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members): .object(members.filter { !$0.value.isNull }.mapValues(withoutNulls))
        case .array(let elements): .array(elements.map(withoutNulls))
        default: value
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Crypto
import DataFolders
import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Which objects are encrypted on disk, and where the keys are.
package struct StoreEncryption: Sendable {
    /// The file of keys; made where it is missing and nothing is encrypted yet. See docs/formats/store.md.
    package var keyFile: String
    /// The resources whose objects are encrypted. Default: Secrets.
    package var resources: Set<String> = ["secrets"]
    /// Whether a new key is made at the start, with which everything is encrypted again.
    package var rotates = false

    package init(keyFile: String) { self.keyFile = keyFile }
}

/// The keys of a store, the first of which encrypts: AES-256-GCM (NIST SP 800-38D), a random nonce of 96 bits each time.
struct EncryptionKeys: Sendable {
    private struct Key: Sendable {
        var id: String
        var key: SymmetricKey
    }

    /// Most keys in a file: more are a file of something else.
    private static let maximumKeys = 1_000

    private let path: String
    private var keys: [Key]

    /// The id of the key that encrypts.
    var currentID: String { keys[0].id }

    private init(path: String, keys: [Key]) {
        self.path = path
        self.keys = keys
    }

    /// Reads a file of keys; nil where there is none.
    init?(path: String) throws(StoreError) {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StoreError(.keyUnusable, "the key file \(path) cannot be read: check its owner and mode")
        }
        let json = data.count <= 1 << 20 ? try? JSONParser.parse([UInt8](data)) : nil
        var keys: [Key] = []
        for entry in json?["keys"].elements ?? [] {
            guard let id = entry["id"].string, !id.isEmpty, let text = entry["key"].string,
                let bytes = Data(base64Encoded: text), bytes.count == 32, !keys.contains(where: { $0.id == id })
            else { throw Self.damaged(path) }
            keys.append(Key(id: id, key: SymmetricKey(data: bytes)))
        }
        guard !keys.isEmpty, keys.count <= Self.maximumKeys else { throw Self.damaged(path) }
        self.init(path: path, keys: keys)
    }

    /// Makes a file with one key.
    static func create(path: String) throws(StoreError) -> EncryptionKeys {
        let keys = EncryptionKeys(path: path, keys: [newKey()])
        try keys.write()
        return keys
    }

    /// Makes a new key the one that encrypts, and writes the file.
    mutating func rotate() throws(StoreError) {
        keys.insert(Self.newKey(), at: 0)
        try write()
    }

    private static func newKey() -> Key {
        Key(id: "key-\(RandomID.suffix(length: 10))", key: SymmetricKey(size: .bits256))
    }

    func contains(_ id: String) -> Bool { keys.contains { $0.id == id } }

    // MARK: Bytes

    /// Encrypts bytes for one place: `nonce || ciphertext || tag`.
    func seal(_ bytes: [UInt8], for place: Data) throws -> Data {
        guard let sealed = try AES.GCM.seal(bytes, using: keys[0].key, authenticating: place).combined else {
            throw StoreError(.keyUnusable, "the key \(currentID) of \(path) cannot encrypt")
        }
        return sealed
    }

    /// Decrypts what was encrypted for a place; nil when the key is another, or the bytes or the place were changed.
    func open(_ sealed: Data, key id: String, for place: Data) -> [UInt8]? {
        guard let key = keys.first(where: { $0.id == id }), let box = try? AES.GCM.SealedBox(combined: sealed),
            let bytes = try? AES.GCM.open(box, using: key.key, authenticating: place)
        else { return nil }
        return [UInt8](bytes)
    }

    // MARK: The file

    private static func damaged(_ path: String) -> StoreError {
        StoreError(.keyUnusable, "\(path) is not a file of keys: restore it from a backup")
    }

    /// Writes beside and renames, so that the file is whole or not there; it is on the disk when this returns.
    private func write() throws(StoreError) {
        let entries = keys.map { key -> JSONValue in
            let bytes = key.key.withUnsafeBytes { Data($0) }
            return ["id": .string(key.id), "key": .string(bytes.base64EncodedString())]
        }
        let json: JSONValue = ["keys": .array(entries)]
        let text = Array((json.prettyText() + "\n").utf8)
        do {
            try Folder.replace(path, with: text)
        } catch {
            throw StoreError(.unwritable, "the key file \(path) cannot be written: \(error)")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import GRDB
import KubeStore
import Testing

/// What is encrypted on disk, the keys, and folders of earlier formats.
@Suite struct EncryptionTests {
    private let directory: TemporaryDirectory
    private let keyFile: String

    init() throws {
        directory = try TemporaryDirectory()
        keyFile = directory.path + "/keys.json"
    }

    private var folder: String { directory.path + "/store" }

    private func open(rotating: Bool = false, keyFile: String? = nil) throws(StoreError) -> KubeStore {
        var configuration = StoreConfiguration()
        configuration.encryption = StoreEncryption(keyFile: keyFile ?? self.keyFile)
        configuration.encryption?.rotates = rotating
        return try KubeStore(directory: folder, configuration: configuration, logger: quiet)
    }

    private func secret(_ name: String) -> StoreKey { StoreKey(resource: "secrets", namespace: "default", name: name) }

    /// All that is in the folder.
    private func onDisk() throws -> Data {
        try FileManager.default.contentsOfDirectory(atPath: folder).reduce(into: Data()) { all, name in
            all += FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()
        }
    }

    private func isOnDisk(_ text: String) throws -> Bool { try onDisk().range(of: Data(text.utf8)) != nil }

    private func rows(_ sql: String) throws -> [Row] {
        try DatabaseQueue(path: folder + "/store.sqlite").read { try Row.fetchAll($0, sql: sql) }
    }

    @Test func secretsAreUnreadableOnDiskAndAsBeforeInMemory() async throws {
        let store = try open()
        let stored = try await store.commit(.create(secret("a"), value("hunter2")))
        try await store.create(pod("p"), "visible")
        #expect(String(decoding: stored.bytes, as: UTF8.self).contains("hunter2"))
        #expect(store.get(secret("a"))?.bytes == stored.bytes)
        #expect(try !isOnDisk("hunter2"))
        #expect(try isOnDisk("visible"))
        await store.close()
        #expect(try !isOnDisk("hunter2"))
        let again = try open()
        #expect(again.get(secret("a"))?.bytes == stored.bytes)
        let changed = try await again.update(stored, "hunter3")
        await again.close()
        #expect(try open().get(secret("a"))?.bytes == changed.bytes)
        let mode = try FileManager.default.attributesOfItem(atPath: keyFile)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
    }

    /// The database as format 1 made it: no column for keys, everything in plain text.
    private func makeFormat1(_ objects: [(StoreKey, String)]) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let queue = try DatabaseQueue(path: folder + "/store.sqlite")
        try queue.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
                    INSERT INTO meta (id, revision) VALUES (1, \(objects.count + 1));
                    CREATE TABLE objects (
                        create_revision INTEGER PRIMARY KEY, revision INTEGER NOT NULL, resource TEXT NOT NULL,
                        namespace TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL, fields TEXT NOT NULL,
                        value BLOB NOT NULL
                    );
                    PRAGMA application_id = \(0x4150_5553);
                    PRAGMA user_version = 1;
                    """)
            for (index, (key, text)) in objects.enumerated() {
                let revision = Int64(index + 2)
                try db.execute(
                    sql: "INSERT INTO objects VALUES (?, ?, ?, ?, ?, '{}', '{}', ?)",
                    arguments: [
                        revision, revision, key.resource, key.namespace, key.name, Data(bytes(text, revision)),
                    ])
            }
        }
        try queue.close()
    }

    @Test func aFolderOfFormat1OpensAndItsSecretsAreEncrypted() async throws {
        try makeFormat1([(secret("old"), "plain secret text"), (pod("p"), "plain pod")])
        #expect(try isOnDisk("plain secret text"))
        let store = try open()
        #expect(store.revision == 3)
        #expect(store.get(secret("old"))?.bytes == bytes("plain secret text", 2))
        #expect(store.get(pod("p"))?.bytes == bytes("plain pod", 3))
        #expect(try !isOnDisk("plain secret text"), "no copy is left, not in free pages and not in the log")
        await store.close()
        let again = try open()
        #expect(again.get(secret("old"))?.bytes == bytes("plain secret text", 2))
        #expect(try await again.create(pod("next")).revision == 4)
        await again.close()
        #expect(try rows("PRAGMA user_version").first?[0] == 2)
    }

    @Test func aFolderOfFormat1OpensWithoutEncryption() async throws {
        try makeFormat1([(secret("old"), "text")])
        let store = try KubeStore(directory: folder, logger: quiet)
        #expect(store.get(secret("old"))?.bytes == bytes("text", 2))
        await store.close()
        // Encrypted from the first start with keys.
        let later = try open()
        #expect(later.get(secret("old"))?.bytes == bytes("text", 2))
        await later.close()
        #expect(try !isOnDisk("\"text\""))
    }

    @Test func aNewKeyEncryptsEverythingAgain() async throws {
        let store = try open()
        let stored = try await store.commit(.create(secret("a"), value("one")))
        await store.close()
        let before = try rows("SELECT key, value FROM objects")
        let rotated = try open(rotating: true)
        #expect(rotated.get(secret("a"))?.bytes == stored.bytes)
        await rotated.close()
        let after = try rows("SELECT key, value FROM objects")
        #expect(before.first?["key"] as String? != after.first?["key"] as String?)
        #expect(before.first?["value"] as Data? != after.first?["value"] as Data?)
        // The key of before may go now.
        let text = try String(contentsOfFile: keyFile, encoding: .utf8)
        #expect(text.components(separatedBy: "\"id\"").count == 3)
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: [[String: String]]])
        let first = try #require(json["keys"]?.first)
        try JSONSerialization.data(withJSONObject: ["keys": [first]]).write(to: URL(fileURLWithPath: keyFile))
        #expect(try open().get(secret("a"))?.bytes == stored.bytes)
    }

    @Test func wrongAndMissingKeysAreOneSentence() async throws {
        let store = try open()
        try await store.commit(.create(secret("a"), value("one")))
        await store.close()
        let good = try Data(contentsOf: URL(fileURLWithPath: keyFile))
        let id = try #require(try rows("SELECT key FROM objects").first?["key"] as String?)
        func message() -> String? {
            do throws(StoreError) {
                _ = try open()
                return nil
            } catch {
                #expect(error.code == .keyUnusable)
                return error.message
            }
        }
        try FileManager.default.removeItem(atPath: keyFile)
        #expect(
            message()
                == "\(folder) holds encrypted objects, but their key file \(keyFile) is missing: restore it from a "
                + "backup")
        #expect(!FileManager.default.fileExists(atPath: keyFile), "no new key hides the loss")
        for nonsense in ["", "{}", "[]", "{\"keys\":[{\"id\":\"a\",\"key\":\"c2hvcnQ=\"}]}"] {
            try Data(nonsense.utf8).write(to: URL(fileURLWithPath: keyFile))
            #expect(message() == "\(keyFile) is not a file of keys: restore it from a backup")
        }
        let other = Data(repeating: 7, count: 32).base64EncodedString()
        try Data("{\"keys\":[{\"id\":\"other\",\"key\":\"\(other)\"}]}".utf8).write(to: URL(fileURLWithPath: keyFile))
        #expect(
            message()
                == "\(folder) holds objects encrypted with the key \(id), which \(keyFile) does not have: restore "
                + "the key file that belongs to the data")
        try Data("{\"keys\":[{\"id\":\"\(id)\",\"key\":\"\(other)\"}]}".utf8).write(to: URL(fileURLWithPath: keyFile))
        #expect(
            message() == "secrets/default/a in \(folder) cannot be decrypted with the key \(id): restore the key file "
                + "that belongs to the data")
        try good.write(to: URL(fileURLWithPath: keyFile))
        #expect(message() == nil)
        let error = await storeError { () throws(StoreError) in try KubeStore(directory: folder, logger: quiet) }
        #expect(error?.message == "\(folder) holds encrypted objects, and no key file is named")
    }

    /// Whoever can write the file cannot give one Secret's bytes to another.
    @Test func bytesAreBoundToTheirName() async throws {
        let store = try open()
        try await store.commit(.create(secret("a"), value("one")))
        try await store.commit(.create(secret("b"), value("two")))
        await store.close()
        let queue = try DatabaseQueue(path: folder + "/store.sqlite")
        try await queue.write { db in
            try db.execute(
                sql: "UPDATE objects SET value = (SELECT value FROM objects WHERE name = 'a') WHERE name = 'b'")
        }
        try queue.close()
        let error = await storeError { () throws(StoreError) in try open() }
        #expect(error?.code == .keyUnusable)
    }
}

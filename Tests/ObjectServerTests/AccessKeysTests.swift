// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import Testing

@testable import ObjectServer

@Suite("Access keys")
struct AccessKeysTests {
    private static let policy = """
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        """

    private static func parse(_ text: String) throws -> [String: AccessKey] {
        try AccessKeys.parse(Array(text.utf8), "keys.json")
    }

    @Test("A file of keys with one policy, several, and none")
    func file() throws {
        let keys = try Self.parse(
            """
            {"keys": [{"accessKey": "one", "secretKey": "secret-1", "name": "a", "policy": \(Self.policy)},
                {"accessKey": "two", "secretKey": "secret-2", "policies": [\(Self.policy), \(Self.policy)]},
                {"accessKey": "three", "secretKey": "secret-3"}]}
            """)
        #expect(keys["one"]?.name == "a" && keys["one"]?.policies?.count == 1)
        #expect(keys["two"]?.name == "two" && keys["two"]?.policies?.count == 2)
        #expect(keys["three"]?.policies?.isEmpty == true && keys["three"]?.isRoot == false)
    }

    @Test("Keys that are handed over come and go as a whole; those of the root and of the file stand before them")
    func followed() throws {
        func key(_ id: String, _ secret: String) throws -> AccessKey {
            try AccessKey(id: id, secret: secret, name: id, policies: [])
        }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID()).json").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(#"{"keys": [{"accessKey": "file", "secretKey": "of-the-file"}]}"#.utf8)
            .write(to: URL(fileURLWithPath: path))
        let root = try AccessKey(id: "root", secret: "of-the-root", name: "root", policies: nil)
        let keys = try AccessKeys(root: root, file: path)
        keys.replaceFollowed([
            try key("one", "followed-1"), try key("file", "followed-2"), try key("root", "followed-3"),
        ])
        #expect(keys.find("one")?.secret == "followed-1")
        #expect(keys.find("file")?.secret == "of-the-file" && keys.find("root")?.isRoot == true)
        keys.replaceFollowed([try key("two", "followed-4")])
        #expect(keys.find("one") == nil && keys.find("two") != nil && keys.count == 2)
    }

    @Test(
        "A wrong file is refused, and says which key is wrong",
        arguments: [
            ("{", "not JSON"), ("[]", "'keys'"), (#"{"keys": [{}]}"#, "key 1"),
            (#"{"keys": [{"accessKey": "a b", "secretKey": "secret-1"}]}"#, "letters"),
            (#"{"keys": [{"accessKey": "abc", "secretKey": "short"}]}"#, "8 to 256"),
            (
                #"{"keys": [{"accessKey": "abc", "secretKey": "secret-1"}, {"accessKey": "abc", "secretKey": "secret-2"}]}"#,
                "twice"
            ), (#"{"keys": [{"accessKey": "abc", "secretKey": "secret-1", "policy": {"a": 1}}]}"#, "policy"),
        ])
    func wrong(text: String, says: String) {
        let error = #expect(throws: AccessKeyError.self) { try Self.parse(text) }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test("The key of the first start is kept, for its owner alone")
    func kept() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-keys-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let made = try RootCredentials.keep(in: folder)
        #expect(made.isNew && made.accessKey.utf8.count == 20 && made.secretKey.utf8.count == 40)
        let mode = try FileManager.default.attributesOfItem(atPath: made.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let again = try RootCredentials.keep(in: folder)
        #expect(!again.isNew && again.accessKey == made.accessKey && again.secretKey == made.secretKey)
        try Data("{}".utf8).write(to: URL(fileURLWithPath: made.path))
        #expect(throws: AccessKeyError.self) { try RootCredentials.keep(in: folder) }
    }
}

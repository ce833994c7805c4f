// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes
import KubeAPI
import Testing

@testable import ObjectOperators

@Suite struct KeySecretTests {
    private func secret(_ name: String, _ data: [String: String], created: String = "2026-01-01T00:00:00Z")
        -> KubeObject
    {
        var secret = KubeObject(.secrets, namespace: "objects", name: name)
        secret["data"] = JSONValue(data.mapValues { Base64Text.encode(Array($0.utf8)) })
        secret.metadata["creationTimestamp"] = .string(created)
        secret.metadata["uid"] = .string(name)
        return secret
    }

    @Test func whatIsMissingIsMade() throws {
        let completed = try #require(KeySecret.completed(secret("a", [:])))
        let key = try KeySecret(completed)
        #expect(key.accessKey.utf8.count == 20 && key.secretKey.utf8.count == 40)
        #expect(key.owner == "objects.a" && key.policy == nil)
        #expect(KeySecret.completed(completed) == nil)
        let half = try #require(KeySecret.completed(secret("a", ["accessKey": "mine"])))
        #expect(try KeySecret(half).accessKey == "mine")
        #expect(try KeySecret(half).secretKey != key.secretKey)
    }

    @Test(
        arguments: [
            (["accessKey": "mine"], "not made yet"),
            (["accessKey": "mine", "secretKey": "long-enough\n"], "line break"),
            (["accessKey": "mine", "secretKey": "short"], "8 to 256 characters"),
            (["accessKey": "a b c", "secretKey": "long-enough"], "3 to 128 letters"),
            (["accessKey": "mine", "secretKey": "long-enough", "policy": "{"], "data.policy"),
            (["accessKey": "mine", "secretKey": "long-enough", "policy": #"{"Statement": []}"#], "data.policy"),
        ] as [([String: String], String)])
    func whatIsWrongIsSaid(_ data: [String: String], _ words: String) {
        #expect { try KeySecret(secret("a", data)) } throws: { error in
            (error as? KeySecret.Problem)?.description.contains(words) == true
        }
    }

    @Test func theOldestHasAKeyThatTwoHave() {
        let data = ["accessKey": "mine", "secretKey": "long-enough"]
        var wrong: [String: String] = [:]
        let keys = KeySecret.all(of: [
            secret("late", data, created: "2026-01-02T00:00:00Z"), secret("early", data), secret("bad", [:]),
        ]) { wrong[$0.name] = $1 }
        #expect(keys.map(\.owner) == ["objects.early"])
        #expect(wrong["late"]?.contains("objects.early") == true && wrong["bad"] != nil && wrong["early"] == nil)
    }
}

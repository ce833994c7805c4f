// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes
import KubeAPI
import SASLMessages
import Testing

@testable import EventOperators

@Suite struct UserSecretTests {
    private let user = userObject([:], labels: ["strimzi.io/cluster": "events"])

    private func declaration() throws -> UserDeclaration {
        var declared = try UserDeclaration(userObject(["authentication": ["type": "scram-sha-512"]]))
        declared.secretLabels = ["team": "ml", "strimzi.io/kind": "Other"]
        declared.secretAnnotations = ["note": "x"]
        return declared
    }

    @Test func hasWhatClientsRead() throws {
        let secret = UserSecret.secret(of: user, try declaration(), password: "se\"c\\ret", present: nil)
        #expect(try UserSecret.password(secret, key: "password") == "se\"c\\ret")
        let module = secret["data"]["sasl.jaas.config"].string.flatMap { Base64Text.decode($0) } ?? []
        #expect(
            String(decoding: module, as: UTF8.self)
                == "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" "
                + "password=\"se\\\"c\\\\ret\";")
        #expect(secret.labels["strimzi.io/kind"] == "KafkaUser" && secret.labels["strimzi.io/cluster"] == "events")
        #expect(secret.labels["team"] == "ml" && secret.annotations == ["note": "x"])
        #expect(secret.controllerOwner?.uid == "u-1" && secret.controllerOwner?.kind == "KafkaUser")
        #expect(UserSecret.belongs(secret, to: user))
    }

    @Test func isTheSameWhereNothingDiffers() throws {
        var present = UserSecret.secret(of: user, try declaration(), password: "p", present: nil)
        present.annotations["others"] = "y"
        #expect(UserSecret.secret(of: user, try declaration(), password: "p", present: present) == present)
        #expect(UserSecret.secret(of: user, try declaration(), password: "q", present: present) != present)
    }

    @Test func secretsOfOthersAreNotTaken() {
        var secret = KubeObject(.secrets, namespace: "default", name: "alice")
        #expect(!UserSecret.belongs(secret, to: user))
        // One that an earlier KafkaUser of this name left.
        secret.labels = ["strimzi.io/kind": "KafkaUser"]
        #expect(UserSecret.belongs(secret, to: user))
        secret.ownerReferences = [
            OwnerReference(
                apiVersion: "v1", kind: "Pod", name: "p", uid: "u-2", isController: true, blockOwnerDeletion: false)
        ]
        #expect(!UserSecret.belongs(secret, to: user))
    }

    @Test func passwordsAreOneLineOfText() throws {
        var secret = KubeObject(.secrets, namespace: "default", name: "s")
        func text(_ bytes: [UInt8]) throws -> String? {
            secret["data"] = JSONValue(["password": Base64Text.encode(bytes)])
            return try UserSecret.password(secret, key: "password")
        }
        #expect(try text(Array("pä ss".utf8)) == "pä ss")
        #expect(try text([]) == nil)
        #expect(try UserSecret.password(secret, key: "other") == nil)
        for bytes in [[0x61, 0x0A], [0xFF], Array(repeating: 0x61, count: 1025), [0]] as [[UInt8]] {
            let error = #expect(throws: Refusal.self) { try text(bytes) }
            #expect(error?.description.contains("Secret s") == true)
        }
        secret["data"] = ["password": "no base64"]
        #expect(throws: Refusal.self) { try UserSecret.password(secret, key: "password") }
    }

    @Test func freshPasswordsAreLongAndDiffer() {
        let passwords = (0..<100).map { _ in UserSecret.makePassword() }
        #expect(Set(passwords).count == 100)
        #expect(passwords.allSatisfy { $0.utf8.count == 32 && $0.first?.isLetter == true })
        #expect(passwords.joined().allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
    }
}

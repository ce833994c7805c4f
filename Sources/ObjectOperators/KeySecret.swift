// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import ByteCodes
package import KubeAPI
import S3Protocol

/// An access key of an object server as a Secret: label `apus.dev/s3-access-key: "true"`, data `accessKey`,
/// `secretKey` and, in IAM's language, `policy`.
package struct KeySecret: Sendable, Equatable {
    /// Secrets with it are access keys.
    package static let label = "apus.dev/s3-access-key"
    /// The selector of those Secrets.
    package static let selector = "\(label)=true"
    /// What became of it, for people.
    static let statusAnnotation = "apus.dev/s3-access-key-status"
    /// Fields of its data.
    static let accessKeyField = "accessKey"
    static let secretKeyField = "secretKey"
    static let policyField = "policy"

    /// What is wrong with one.
    package struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// The key's public part.
    package var accessKey: String
    /// What requests are signed with.
    package var secretKey: String
    /// Whose it is, as policies of buckets name it: `NAMESPACE.NAME`, unique as namespaces have no dots.
    package var owner: String
    /// What it may do, in IAM's language; nil for nothing but what buckets allow.
    package var policy: JSONValue?

    /// - Throws: ``Problem`` for what is missing or wrong.
    package init(_ secret: KubeObject) throws(Problem) {
        guard let accessKey = try Self.text(secret, Self.accessKeyField),
            let secretKey = try Self.text(secret, Self.secretKeyField)
        else { throw Problem(description: "data.accessKey and data.secretKey are not made yet") }
        if let problem = S3Names.accessKeyProblem(accessKey, secret: secretKey) { throw Problem(description: problem) }
        self.accessKey = accessKey
        self.secretKey = secretKey
        owner = "\(secret.namespace).\(secret.name)"
        guard let text = try Self.text(secret, Self.policyField) else { return }
        do {
            _ = try IAMPolicy(json: Array(text.utf8))
            policy = try JSONParser.parse(Array(text.utf8))
        } catch let error as S3Error {
            throw Problem(description: "data.policy: \(error.message)")
        } catch {
            throw Problem(description: "data.policy is not JSON: \(error)")
        }
    }

    /// The text of a field; nil where it is missing or empty.
    private static func text(_ secret: KubeObject, _ field: String) throws(Problem) -> String? {
        guard let encoded = secret["data"][field].string, !encoded.isEmpty else { return nil }
        guard let bytes = Base64Text.decode(encoded), let text = String(validating: bytes, as: UTF8.self) else {
            throw Problem(description: "data.\(field) is not a text")
        }
        if field != policyField, text.contains(where: \.isNewline) {
            throw Problem(description: "data.\(field) has a line break: make it without (echo -n)")
        }
        return text
    }

    /// A Secret with what it lacks of a key, made; nil where it lacks nothing.
    static func completed(_ secret: KubeObject) -> KubeObject? {
        var changed = secret
        for (field, make) in [(accessKeyField, makeAccessKey), (secretKeyField, makeSecretKey)]
        where (secret["data"][field].string ?? "").isEmpty {
            changed["data"][field] = .string(Base64Text.encode(Array(make().utf8)))
        }
        return changed == secret ? nil : changed
    }

    /// 20 letters and digits, as AWS has them.
    static func makeAccessKey() -> String {
        "AK" + random(18, of: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    }

    /// 40 letters and digits: 238 bits.
    static func makeSecretKey() -> String {
        random(40, of: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    }

    private static func random(_ count: Int, of characters: String) -> String {
        let characters = Array(characters)
        var random = SystemRandomNumberGenerator()
        return String((0..<count).compactMap { _ in characters.randomElement(using: &random) })
    }

    /// Which of the Secrets of a key has it: the oldest.
    package static func isOlder(_ left: KubeObject, than right: KubeObject) -> Bool {
        (left.metadata["creationTimestamp"].string ?? "", left.uid)
            < (right.metadata["creationTimestamp"].string ?? "", right.uid)
    }

    /// The keys of some Secrets; those that are not right, or whose key an older one has, are left out.
    /// - Parameters:
    ///   - secrets: in any order.
    ///   - isWrong: told of those that are left out.
    /// - Returns: those that are keys, by their public parts.
    package static func all(
        of secrets: [KubeObject], isWrong: (KubeObject, String) -> Void = { _, _ in }
    ) -> [KeySecret] {
        var keys: [String: KeySecret] = [:]
        for secret in secrets.sorted(by: isOlder) where !secret.isBeingDeleted {
            do throws(Problem) {
                let key = try KeySecret(secret)
                if let first = keys[key.accessKey] {
                    isWrong(secret, "the access key \(key.accessKey) is that of \(first.owner)")
                } else {
                    keys[key.accessKey] = key
                }
            } catch {
                isWrong(secret, error.description)
            }
        }
        return keys.values.sorted { $0.accessKey < $1.accessKey }
    }
}

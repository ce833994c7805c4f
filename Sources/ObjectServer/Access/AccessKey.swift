// SPDX-License-Identifier: Apache-2.0
package import S3Protocol

/// Who signs requests: a key, its secret, and what it may do.
package struct AccessKey: Sendable {
    /// The key's public part.
    package let id: String
    /// The secret that requests are signed with.
    package let secret: String
    /// Who has it, as policies of buckets and lists of objects name them.
    package let name: String
    /// What it may do; nil for everything (the root key).
    package let policies: [IAMPolicy]?
    /// Whether its policies ask for the tags of objects, which have to be looked up then.
    let asksForTags: Bool

    /// - Parameters:
    ///   - id: the key's public part.
    ///   - secret: what requests are signed with.
    ///   - name: who has it.
    ///   - policies: what it may do, in IAM's language; nil for everything.
    /// - Throws: ``AccessKeyError`` when id, secret or a policy cannot be used.
    package init(id: String, secret: String, name: String, policies: [[UInt8]]?) throws(AccessKeyError) {
        let isWord = id.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 46
                || $0 == 95
        }
        guard (3...128).contains(id.utf8.count), isWord else {
            throw AccessKeyError(
                "the access key '\(id.prefix(140))' is not 3 to 128 letters, digits, '-', '.' and '_'")
        }
        guard (8...256).contains(secret.utf8.count), secret.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw AccessKeyError("the secret of access key '\(id)' is not 8 to 256 characters of ASCII without spaces")
        }
        self.id = id
        self.secret = secret
        self.name = name
        do {
            self.policies = try policies?.map { try IAMPolicy(json: $0) }
        } catch {
            throw AccessKeyError("the policy of access key '\(id)': \(error)")
        }
        asksForTags = policies?.contains(where: KnownPolicy.asksForTags) ?? false
    }

    /// Whether it may do everything.
    package var isRoot: Bool { policies == nil }
}

/// Access keys that cannot be used.
package struct AccessKeyError: Error, Sendable, CustomStringConvertible {
    /// What was wrong, where, and what to do.
    package let description: String

    package init(_ description: String) { self.description = description }
}

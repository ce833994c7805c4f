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
        if let problem = S3Names.accessKeyProblem(id, secret: secret) { throw AccessKeyError(problem) }
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

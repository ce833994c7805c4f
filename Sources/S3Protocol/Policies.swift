// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The policy of a bucket: who may do what with it.
package struct BucketPolicy: Sendable {
    /// Bytes of a policy, at most.
    package static let maximumBytes = 20 << 10

    private let statements: [PolicyStatement]

    /// - Parameters:
    ///   - json: the document.
    ///   - bucket: its resources must be of this bucket; nil where that was checked when it was put.
    /// - Throws: `MalformedPolicy`, with what was wrong or is not supported.
    package init(json: [UInt8], bucket: String? = nil) throws(S3Error) {
        statements = try PolicyDocument.statements(json, maximumBytes: Self.maximumBytes, hasPrincipal: true)
        guard let bucket else { return }
        let arn = "arn:aws:s3:::" + bucket
        for statement in statements {
            for resource in statement.resources
            where resource.text != arn && !resource.text.hasPrefix(arn + "/") && resource.text != arn + "*" {
                throw S3Error(
                    .malformedPolicy,
                    "Policy has invalid resource: \(resource.text.prefix(128)); it must be \(arn) or begin with \(arn)/"
                )
            }
        }
    }

    package func decision(_ request: PolicyRequest) -> PolicyDecision {
        PolicyDocument.decision(statements, request)
    }

    /// Whether it lets everyone in: it allows something to everyone, with no condition on where they come from.
    package var isPublic: Bool {
        statements.contains { statement in
            guard statement.isAllow else { return false }
            if case .any? = statement.principals {
                return !statement.conditions.mentions("aws:sourceip")
                    && !statement.conditions.mentions("aws:principalarn")
            }
            return statement.excludesPrincipals
        }
    }
}

/// The policy of an identity (an access key): what it may do.
package struct IAMPolicy: Sendable {
    /// Bytes of a policy, at most.
    package static let maximumBytes = 64 << 10

    private let statements: [PolicyStatement]

    /// - Throws: `MalformedPolicy`, with what was wrong or is not supported.
    package init(json: [UInt8]) throws(S3Error) {
        statements = try PolicyDocument.statements(json, maximumBytes: Self.maximumBytes, hasPrincipal: false)
    }

    package func decision(_ request: PolicyRequest) -> PolicyDecision {
        PolicyDocument.decision(statements, request)
    }
}

/// What both kinds of policy have in common.
enum PolicyDocument {
    private static let maximumStatements = 256

    static func statements(
        _ json: [UInt8], maximumBytes: Int, hasPrincipal: Bool
    ) throws(S3Error) -> [PolicyStatement] {
        guard json.count <= maximumBytes else {
            throw S3Error(
                .malformedPolicy, "Policy exceeds the maximum allowed document size of \(maximumBytes) bytes.")
        }
        let document: JSONValue
        let duplicates: [String]
        do throws(JSONError) {
            (document, duplicates) = try JSONParser.parseReportingDuplicates(json, maxDepth: 16)
        } catch {
            throw .malformedPolicy("the document is no JSON: \(error)")
        }
        guard let object = document.object else { throw .malformedPolicy("the document is not an object") }
        if let twice = duplicates.first { throw .malformedPolicy("\(twice) is there twice") }
        for name in object.keys where !["Version", "Id", "Statement"].contains(name) {
            throw .malformedPolicy("the document has \(name.prefix(64)), which is not known")
        }
        let version = object["Version"] ?? .string("2008-10-17")
        guard version.string == "2012-10-17" || version.string == "2008-10-17" else {
            throw .malformedPolicy("Version is neither 2012-10-17 nor 2008-10-17")
        }
        guard let statement = object["Statement"] else { throw .malformedPolicy("there is no Statement") }
        let items = statement.array ?? [statement]
        guard !items.isEmpty, items.count <= maximumStatements else {
            throw .malformedPolicy("a policy has 1 to \(maximumStatements) statements, not \(items.count)")
        }
        var statements: [PolicyStatement] = []
        for item in items {
            statements.append(
                try PolicyStatement(item, hasPrincipal: hasPrincipal, hasVariables: version.string == "2012-10-17"))
        }
        return statements
    }

    static func decision(_ statements: [PolicyStatement], _ request: PolicyRequest) -> PolicyDecision {
        var result = PolicyDecision.none
        for statement in statements where statement.applies(request) {
            if !statement.isAllow { return .deny }
            result = .allow
        }
        return result
    }
}

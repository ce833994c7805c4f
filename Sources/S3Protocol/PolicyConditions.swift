// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The conditions of a statement: all operators, all keys of one, and one of a key's values must hold.
struct PolicyConditions: Sendable {
    /// The operators of IAM's language that are known; raw values are their names without `IfExists`.
    enum Operator: String, Sendable, CaseIterable {
        case stringEquals = "StringEquals"
        case stringNotEquals = "StringNotEquals"
        case stringEqualsIgnoreCase = "StringEqualsIgnoreCase"
        case stringNotEqualsIgnoreCase = "StringNotEqualsIgnoreCase"
        case stringLike = "StringLike"
        case stringNotLike = "StringNotLike"
        case arnEquals = "ArnEquals"
        case arnLike = "ArnLike"
        case arnNotEquals = "ArnNotEquals"
        case arnNotLike = "ArnNotLike"
        case numericEquals = "NumericEquals"
        case numericNotEquals = "NumericNotEquals"
        case numericLessThan = "NumericLessThan"
        case numericLessThanEquals = "NumericLessThanEquals"
        case numericGreaterThan = "NumericGreaterThan"
        case numericGreaterThanEquals = "NumericGreaterThanEquals"
        case dateEquals = "DateEquals"
        case dateNotEquals = "DateNotEquals"
        case dateLessThan = "DateLessThan"
        case dateLessThanEquals = "DateLessThanEquals"
        case dateGreaterThan = "DateGreaterThan"
        case dateGreaterThanEquals = "DateGreaterThanEquals"
        case bool = "Bool"
        case ipAddress = "IpAddress"
        case notIPAddress = "NotIpAddress"
        case null = "Null"

        /// Holds where none of the values does, and where the key is absent.
        var isNegated: Bool {
            switch self {
            case .stringNotEquals, .stringNotEqualsIgnoreCase, .stringNotLike, .arnNotEquals, .arnNotLike,
                .numericNotEquals, .dateNotEquals, .notIPAddress:
                true
            default: false
            }
        }
    }

    private enum Value: Sendable {
        case pattern(PolicyPattern)
        case number(Double)
        case date(Int64)
        case network(IPNetwork)
        case flag(Bool)
    }

    private struct Test: Sendable {
        var operation: Operator
        var holdsIfAbsent: Bool
        var key: String
        var values: [Value]
    }

    private var tests: [Test] = []
    var isEmpty: Bool { tests.isEmpty }

    /// Whether one of the tests is of that key.
    func mentions(_ key: String) -> Bool { tests.contains { $0.key == key } }

    /// Keys of the request's context, lower case, that a statement may ask for.
    private static let keys: Set<String> = [
        "aws:currenttime", "aws:epochtime", "aws:principalarn", "aws:principaltype", "aws:referer",
        "aws:requestedregion", "aws:securetransport", "aws:sourceip", "aws:useragent", "aws:userid", "aws:username",
        "s3:authtype", "s3:delimiter", "s3:if-match", "s3:if-none-match", "s3:locationconstraint", "s3:max-keys",
        "s3:prefix", "s3:signatureage", "s3:signatureversion", "s3:versionid", "s3:x-amz-acl",
        "s3:x-amz-content-sha256", "s3:x-amz-copy-source", "s3:x-amz-metadata-directive",
        "s3:x-amz-server-side-encryption", "s3:x-amz-storage-class",
    ]
    private static let families = ["s3:existingobjecttag/", "s3:requestobjecttag/"]

    static func isKnown(_ key: String) -> Bool {
        keys.contains(key) || families.contains { key.hasPrefix($0) && key.utf8.count > $0.utf8.count }
    }

    /// - Throws: `MalformedPolicy`, with the name of an operator or key that is not known: what cannot be checked must
    ///   not be taken for true or false.
    init(_ json: JSONValue, hasVariables: Bool) throws(S3Error) {
        if json.isNull { return }
        guard let members = json.object else { throw .malformedPolicy("Condition is not an object") }
        for (name, tests) in members.sorted(by: { $0.key < $1.key }) {
            let holdsIfAbsent = name.hasSuffix("IfExists")
            let base = holdsIfAbsent ? String(name.dropLast(8)) : name
            guard let operation = Operator(rawValue: base), !(holdsIfAbsent && operation == .null) else {
                throw .malformedPolicy("the condition operator \(name.prefix(64)) is not supported")
            }
            guard let keys = tests.object, !keys.isEmpty else {
                throw .malformedPolicy("the condition \(name) is not an object with keys")
            }
            for (key, json) in keys.sorted(by: { $0.key < $1.key }) {
                // The tag's name behind the slash is as it is; the rest is in any case.
                let known = Self.normalised(key)
                guard Self.isKnown(known) else {
                    throw .malformedPolicy("the condition key \(key.prefix(128)) is not supported")
                }
                var values: [Value] = []
                for value in json.array ?? [json] {
                    values.append(try Self.value(value, operation, key: key, hasVariables: hasVariables))
                }
                guard !values.isEmpty else { throw .malformedPolicy("the condition key \(key) has no value") }
                self.tests.append(
                    Test(operation: operation, holdsIfAbsent: holdsIfAbsent, key: known, values: values))
            }
        }
    }

    /// A key in the form in which contexts have it: lower case, but for the name of a tag.
    static func normalised(_ key: String) -> String {
        guard let slash = key.firstIndex(of: "/") else { return key.lowercased() }
        return key[..<slash].lowercased() + key[slash...]
    }

    private static func value(
        _ json: JSONValue, _ operation: Operator, key: String, hasVariables: Bool
    ) throws(S3Error) -> Value {
        let text: String
        switch json {
        case .string(let value): text = value
        case .bool(let value): text = value ? "true" : "false"
        case .int(let value): text = String(value)
        case .double(let value): text = String(value)
        default:
            throw .malformedPolicy("the value of the condition key \(key) is not a text, a number or a truth value")
        }
        switch operation {
        case .stringEquals, .stringNotEquals, .stringEqualsIgnoreCase, .stringNotEqualsIgnoreCase:
            return .pattern(try PolicyPattern(text, hasWildcards: false, hasVariables: hasVariables))
        case .stringLike, .stringNotLike, .arnEquals, .arnLike, .arnNotEquals, .arnNotLike:
            return .pattern(try PolicyPattern(text, hasWildcards: true, hasVariables: hasVariables))
        case .bool, .null:
            guard text.lowercased() == "true" || text.lowercased() == "false" else {
                throw .malformedPolicy("\(operation.rawValue) of \(key) is neither true nor false")
            }
            return .flag(text.lowercased() == "true")
        case .ipAddress, .notIPAddress:
            guard let network = IPNetwork(text) else {
                throw .malformedPolicy("\(text.prefix(64)) is no IP address or network (ADDRESS/BITS)")
            }
            return .network(network)
        case .numericEquals, .numericNotEquals, .numericLessThan, .numericLessThanEquals, .numericGreaterThan,
            .numericGreaterThanEquals:
            guard let number = Double(text) else { throw .malformedPolicy("\(text.prefix(64)) is no number") }
            return .number(number)
        case .dateEquals, .dateNotEquals, .dateLessThan, .dateLessThanEquals, .dateGreaterThan, .dateGreaterThanEquals:
            guard let date = date(text) else { throw .malformedPolicy("\(text.prefix(64)) is no date") }
            return .date(date)
        }
    }

    private static func date(_ text: String) -> Int64? {
        S3Time.parse(iso: text)
            ?? Int64(text).flatMap { $0.multipliedReportingOverflow(by: 1000) }.flatMap {
                $0.overflow ? nil : $0.partialValue
            }
    }

    /// Whether all conditions hold for a request.
    func hold(_ context: [String: [String]]) -> Bool { tests.allSatisfy { Self.holds($0, context) } }

    private static func holds(_ test: Test, _ context: [String: [String]]) -> Bool {
        let found = context[test.key] ?? []
        if test.operation == .null {
            return test.values.contains { value in
                if case .flag(let isAbsent) = value { isAbsent == found.isEmpty } else { false }
            }
        }
        if found.isEmpty { return test.holdsIfAbsent || test.operation.isNegated }
        let isMet = found.contains { text in test.values.contains { matches(text, $0, test.operation, context) } }
        return isMet != test.operation.isNegated
    }

    private static func matches(
        _ text: String, _ value: Value, _ operation: Operator, _ context: [String: [String]]
    ) -> Bool {
        switch value {
        case .pattern(let pattern):
            return pattern.matches(
                text, context,
                ignoresCase: operation == .stringEqualsIgnoreCase || operation == .stringNotEqualsIgnoreCase)
        case .flag(let flag): return (text.lowercased() == "true") == flag
        case .network(let network): return network.contains(text)
        case .number(let number): return Double(text).map { compare($0, number, operation) } ?? false
        case .date(let date): return Self.date(text).map { compare($0, date, operation) } ?? false
        }
    }

    private static func compare<Value: Comparable>(_ left: Value, _ right: Value, _ operation: Operator) -> Bool {
        switch operation {
        case .numericLessThan, .dateLessThan: left < right
        case .numericLessThanEquals, .dateLessThanEquals: left <= right
        case .numericGreaterThan, .dateGreaterThan: left > right
        case .numericGreaterThanEquals, .dateGreaterThanEquals: left >= right
        default: left == right
        }
    }
}

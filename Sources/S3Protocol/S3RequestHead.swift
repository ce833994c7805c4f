// SPDX-License-Identifier: Apache-2.0

/// A request's head, as it came: nothing decoded.
package struct S3RequestHead: Sendable {
    /// Upper case, as HTTP has it.
    package var method: String
    /// The raw path and query.
    package var target: String
    package var headers: S3Headers

    package init(method: String, target: String, headers: S3Headers) {
        self.method = method
        self.target = target
        self.headers = headers
    }

    package init(method: String, target: String, headers: [(name: String, value: String)]) {
        self.init(method: method, target: target, headers: S3Headers(headers))
    }
}

/// Header fields in their order; names are lower case.
package struct S3Headers: Sendable, Sequence, CustomStringConvertible {
    package private(set) var fields: [(name: String, value: String)]

    /// Names must be lower case already.
    package init(_ fields: [(name: String, value: String)] = []) { self.fields = fields }

    /// The first value of that name.
    package subscript(_ name: String) -> String? {
        for field in fields where field.name == name { return field.value }
        return nil
    }

    /// Whether there is a field of that name.
    package func has(_ name: String) -> Bool { self[name] != nil }

    package mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

    /// Removes what is there of that name, then adds.
    package mutating func set(_ name: String, _ value: String) {
        fields.removeAll { $0.name == name }
        fields.append((name, value))
    }

    /// All of a prefix, without it: `x-amz-meta-`.
    package func with(prefix: String) -> [(name: String, value: String)] {
        fields.compactMap { field in
            field.name.hasPrefix(prefix) ? (String(field.name.dropFirst(prefix.count)), field.value) : nil
        }
    }

    package func makeIterator() -> IndexingIterator<[(name: String, value: String)]> { fields.makeIterator() }

    /// Names only: values may be secret.
    package var description: String { fields.map(\.name).joined(separator: ", ") }
}

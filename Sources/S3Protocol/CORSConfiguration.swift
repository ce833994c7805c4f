// SPDX-License-Identifier: Apache-2.0

extension S3Documents {
    /// What other origins' pages may do with a bucket (user guide, "Using cross-origin resource sharing").
    package struct CORSConfiguration: Sendable, Hashable {
        package struct Rule: Sendable, Hashable {
            package var id: String?
            package var origins: [String]
            package var methods: [String]
            package var headers: [String]
            package var exposedHeaders: [String]
            /// Seconds.
            package var maximumAge: Int64?
        }

        /// Rules of a bucket, at most.
        package static let maximumRules = 100
        private static let methods: Set<String> = ["GET", "PUT", "HEAD", "POST", "DELETE"]

        package var rules: [Rule]

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(xml, "CORSConfiguration")
            try root.allow(["CORSRule"])
            guard !root.children.isEmpty, root.children.count <= Self.maximumRules else {
                throw .malformedXML("a configuration has 1 to \(Self.maximumRules) rules, not \(root.children.count)")
            }
            rules = []
            for element in root.children {
                try element.allow([
                    "ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds",
                ])
                let rule = Rule(
                    id: element["ID"], origins: element.children("AllowedOrigin").map(\.text),
                    methods: element.children("AllowedMethod").map(\.text),
                    headers: element.children("AllowedHeader").map { $0.text.lowercased() },
                    exposedHeaders: element.children("ExposeHeader").map(\.text),
                    maximumAge: try element.integer("MaxAgeSeconds", 0...Int64(Int32.max)))
                guard !rule.origins.isEmpty, !rule.methods.isEmpty else {
                    throw .malformedXML("a rule has at least one <AllowedOrigin> and one <AllowedMethod>")
                }
                for method in rule.methods where !Self.methods.contains(method) {
                    throw S3Error(
                        .invalidRequest,
                        "Found unsupported HTTP method in CORS config. Unsupported method is \(method.prefix(32))")
                }
                for origin in rule.origins + rule.headers
                where origin.utf8.filter({ $0 == UInt8(ascii: "*") }).count > 1 {
                    throw S3Error(
                        .invalidRequest,
                        "AllowedOrigin or AllowedHeader \"\(origin.prefix(128))\" can not have more than one wildcard.")
                }
                rules.append(rule)
            }
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("CORSConfiguration", namespace: XMLWriter.namespace) { writer in
                for rule in rules {
                    writer.element("CORSRule") { writer in
                        writer.text("ID", rule.id)
                        for origin in rule.origins { writer.text("AllowedOrigin", origin) }
                        for method in rule.methods { writer.text("AllowedMethod", method) }
                        for header in rule.headers { writer.text("AllowedHeader", header) }
                        for header in rule.exposedHeaders { writer.text("ExposeHeader", header) }
                        if let age = rule.maximumAge { writer.number("MaxAgeSeconds", age) }
                    }
                }
            }
            return writer.bytes
        }

        /// The headers that the first rule for a request adds to its answer; nil where no rule allows it.
        ///
        /// - `method`: of the request or, before it, of `Access-Control-Request-Method`.
        /// - `requestHeaders`: of `Access-Control-Request-Headers`; nil for the request itself.
        package func answer(
            origin: String, method: String, requestHeaders: [String]?
        ) -> [(name: String, value: String)]? {
            for rule in rules {
                guard let allowed = rule.origins.first(where: { Self.matches($0, origin) }),
                    rule.methods.contains(method)
                else { continue }
                let asked = (requestHeaders ?? []).map { $0.lowercased() }
                guard asked.allSatisfy({ header in rule.headers.contains { Self.matches($0, header) } }) else {
                    continue
                }
                var fields: [(name: String, value: String)] = []
                fields.append(("access-control-allow-origin", allowed == "*" ? "*" : origin))
                fields.append(("access-control-allow-methods", rule.methods.joined(separator: ", ")))
                if !asked.isEmpty { fields.append(("access-control-allow-headers", asked.joined(separator: ", "))) }
                if !rule.exposedHeaders.isEmpty {
                    fields.append(("access-control-expose-headers", rule.exposedHeaders.joined(separator: ", ")))
                }
                if let age = rule.maximumAge { fields.append(("access-control-max-age", String(age))) }
                if allowed != "*" { fields.append(("access-control-allow-credentials", "true")) }
                fields.append(("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"))
                return fields
            }
            return nil
        }

        /// A text with at most one `*`.
        private static func matches(_ pattern: String, _ value: String) -> Bool {
            guard let star = pattern.firstIndex(of: "*") else { return pattern == value }
            let before = pattern[..<star]
            let after = pattern[pattern.index(after: star)...]
            return value.utf8.count >= before.utf8.count + after.utf8.count && value.hasPrefix(before)
                && value.hasSuffix(after)
        }
    }
}

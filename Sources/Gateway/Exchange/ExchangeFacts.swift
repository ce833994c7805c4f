// SPDX-License-Identifier: Apache-2.0
import GatewayRules

/// A request as the table of routes sees it.
struct ExchangeFacts: RequestFacts {
    let host: String
    let path: String
    let query: String
    private(set) var method: String
    let isGRPC: Bool
    private var fields: HeaderFields

    init(_ head: RequestHead) {
        host = Authority.host(head.authority)
        let target = head.target
        if let mark = target.utf8.firstIndex(of: 0x3F) {
            path = String(target[..<mark])
            query = String(target[target.index(after: mark)...])
        } else {
            path = target
            query = ""
        }
        method = head.method
        isGRPC = head.method == "POST" && (head.fields.first(.contentType)?.hasPrefix("application/grpc") ?? false)
        fields = head.fields
    }

    /// Keeps only what the path, the query and the method are.
    mutating func dropFields() { fields = HeaderFields() }

    func header(_ name: String) -> String? { fields.first(name) }

    /// The same with another method.
    func asking(_ method: String) -> Self {
        var facts = self
        facts.method = method
        return facts
    }

    /// Whether servers could read the path in two ways: `.` and `..` as elements, written in percent too.
    var isAmbiguous: Bool {
        guard path.utf8.contains(0x2E) || path.utf8.contains(0x25) else { return false }
        return path.split(separator: "/", omittingEmptySubsequences: true).contains { element in
            guard element.utf8.count <= 6 else { return false }
            let plain = element.lowercased().split(separator: "%2e", omittingEmptySubsequences: false).joined(
                separator: ".")
            return plain == "." || plain == ".."
        }
    }
}

/// What a cookie header says.
enum CookieText {
    static func value(_ name: String, in header: String) -> Substring? {
        for pair in header.split(separator: ";") {
            let parts = pair.trimmed.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, parts[0] == name { return parts[1] }
        }
        return nil
    }
}

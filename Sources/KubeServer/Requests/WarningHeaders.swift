// SPDX-License-Identifier: Apache-2.0
import KubeAPI

/// `Warning` headers (RFC 7234, code 299): no control characters, at most 4 KiB.
enum WarningHeaders {
    /// The most bytes of all warnings together; clients bound the size of headers.
    private static let longestWarnings = 4096
    /// The most bytes of one warning when all together are too long, as upstream.
    private static let longestOfMany = 256

    static func make(_ warnings: [String]) -> [(name: String, value: String)] {
        let total = warnings.reduce(0) { $0 + $1.utf8.count }
        let longest = total > longestWarnings ? longestOfMany : longestWarnings
        var left = longestWarnings
        var headers: [(name: String, value: String)] = []
        var seen: Set<String> = []
        for warning in warnings where seen.insert(warning).inserted {
            var text = ""
            for scalar in warning.unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7F {
                guard text.utf8.count < longest else { break }
                if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
                text.unicodeScalars.append(scalar)
            }
            left -= text.utf8.count
            guard left >= 0 else { break }
            headers.append(("Warning", "299 - \"\(text)\""))
        }
        return headers
    }
}

extension KubeResponse {
    /// The same answer with warnings added.
    func warning(_ warnings: [String]) -> KubeResponse {
        guard !warnings.isEmpty else { return self }
        var response = self
        response.headers += WarningHeaders.make(warnings)
        return response
    }
}

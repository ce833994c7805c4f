// SPDX-License-Identifier: Apache-2.0

/// `$(NAME)` references in commands, arguments and environment values.
///
/// Source: Kubernetes "Define Dependent Environment Variables": `$$` stands for `$`, and a reference to an unknown
/// name is left as it is.
package enum VariableExpansion {
    /// Replaces the references of `text`.
    package static func expand(_ text: String, _ values: [String: String]) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            switch rest.first {
            case "$":
                result += "$"
                rest = rest.dropFirst()
            case "(":
                guard let close = rest.firstIndex(of: ")") else {
                    result += "$("
                    rest = rest.dropFirst()
                    continue
                }
                let name = String(rest[rest.index(after: rest.startIndex)..<close])
                result += values[name] ?? "$(\(name))"
                rest = rest[rest.index(after: close)...]
            default:
                result += "$"
            }
        }
        return result + rest
    }
}

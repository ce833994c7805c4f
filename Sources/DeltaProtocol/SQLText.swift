// SPDX-License-Identifier: Apache-2.0

/// Names and texts in SQL.
package enum SQLText {
    /// A quoted identifier.
    package static func name(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// A string literal.
    package static func text(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }
}

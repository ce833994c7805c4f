// SPDX-License-Identifier: Apache-2.0
import CRE2

/// A regular expression in RE2's syntax (that of Go's `regexp`): matching takes time linear in the text, so patterns
/// from outside are safe to run.
///
/// Source: https://github.com/google/re2/wiki/Syntax.
package final class LinearRegex: Sendable {
    /// Why a pattern is not a regular expression.
    package struct InvalidPattern: Error, Equatable, CustomStringConvertible {
        /// What RE2 says, for example `missing ): (a`.
        package let reason: String
        package var description: String { reason }
    }

    /// The most memory in bytes that one compiled expression may take.
    private static let memoryLimit = 1 << 20

    // RE2's matching is const and safe from many threads; the pointer never changes.
    private nonisolated(unsafe) let expression: OpaquePointer

    /// Compiles a pattern.
    ///
    /// - Throws: when it is not a regular expression, or is one that takes more than 1 MiB.
    package init(_ pattern: String) throws(InvalidPattern) {
        var message = [CChar](repeating: 0, count: 256)
        var pattern = pattern
        let compiled = pattern.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                cre2_compile($0.baseAddress, $0.count, Self.memoryLimit, &message, message.count)
            }
        }
        guard let compiled else {
            let reason = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw InvalidPattern(reason: String(decoding: reason, as: UTF8.self))
        }
        expression = compiled
    }

    deinit { cre2_free(expression) }

    /// Whether the expression matches anywhere in the text; anchor it with `^` and `$` to match all of it.
    package func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { cre2_matches(expression, $0.baseAddress, $0.count) }
        }
    }

    /// The parts of a text that match, from the left, none in another.
    ///
    /// As in Go, an empty match right after another match does not count.
    ///
    /// - Parameters:
    ///   - text: where to look.
    ///   - limit: how many to find at most.
    /// - Returns: the parts.
    package func find(in text: String, limit: Int) -> [String] {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                var found: [String] = []
                var (position, previousEnd) = (0, -1)
                var (start, length) = (0, 0)
                while found.count < limit, position <= bytes.count,
                    cre2_find(expression, characters.baseAddress, bytes.count, position, &start, &length)
                {
                    if length > 0 || start != previousEnd {
                        found.append(String(decoding: bytes[start..<start + length], as: UTF8.self))
                    }
                    previousEnd = start + length
                    position = previousEnd
                    guard length == 0 else { continue }
                    // To the next code point.
                    position += 1
                    while position < bytes.count, bytes[position] & 0xC0 == 0x80 { position += 1 }
                }
                return found
            }
        }
    }
}

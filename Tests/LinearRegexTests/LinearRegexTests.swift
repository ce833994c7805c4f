// SPDX-License-Identifier: Apache-2.0
import LinearRegex
import Testing

@Suite struct LinearRegexTests {
    @Test(arguments: [
        ("^[a-z]+$", "abc", true), ("^[a-z]+$", "abc1", false), ("b", "abc", true), ("", "", true),
        ("^\\p{Greek}+$", "αβγ", true), ("(?i)HELLO", "say hello", true), ("^.$", "é", true), ("a\\z", "ba", true),
    ])
    func matches(pattern: String, text: String, isMatch: Bool) throws {
        #expect(try LinearRegex(pattern).matches(text) == isMatch)
    }

    @Test(arguments: ["(a", "a**", "(?=a)", "\\1", "[z-a]", "a{1001}", "(((a{100}){100}){100}){100}"])
    func refuses(pattern: String) {
        #expect(throws: LinearRegex.InvalidPattern.self) { try LinearRegex(pattern) }
    }

    /// A backtracking matcher would need 2^50 steps.
    @Test func takesLinearTime() throws {
        #expect(try !LinearRegex("^(a+)+$").matches(String(repeating: "a", count: 50_000) + "b"))
    }
}

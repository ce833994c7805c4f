// SPDX-License-Identifier: Apache-2.0

/// A version of https://semver.org/spec/v2.0.0.html.
package struct CELSemver: Hashable, Comparable, Sendable {
    let major: UInt64
    let minor: UInt64
    let patch: UInt64
    let prerelease: [String]
    let build: [String]

    /// Parses a version.
    ///
    /// - Parameters:
    ///   - text: the version.
    ///   - isTolerant: whether a leading `v`, leading zeros and missing parts are allowed.
    init?(_ text: String, isTolerant: Bool = false) {
        guard text.utf8.count <= 256 else { return nil }
        var rest = Substring(text)
        if isTolerant, rest.first == "v" { rest.removeFirst() }
        var (prerelease, build): ([Substring], [Substring]) = ([], [])
        if let plus = rest.firstIndex(of: "+") {
            build = rest[rest.index(after: plus)...].split(separator: ".", omittingEmptySubsequences: false)
            rest = rest[..<plus]
        }
        if let dash = rest.firstIndex(of: "-") {
            prerelease = rest[rest.index(after: dash)...].split(separator: ".", omittingEmptySubsequences: false)
            rest = rest[..<dash]
        }
        var parts = rest.split(separator: ".", omittingEmptySubsequences: false)
        while isTolerant, parts.count < 3, prerelease.isEmpty, build.isEmpty { parts.append("0") }
        guard parts.count == 3 else { return nil }
        var numbers: [UInt64] = []
        for part in parts {
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(part),
                isTolerant || part == "0" || part.first != "0"
            else { return nil }
            numbers.append(number)
        }
        let isValid = (prerelease + build).allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { CELNames.isWord($0) && $0 != 0x5F || $0 == UInt8(ascii: "-") }
        }
        let hasLeadingZero = prerelease.contains { $0.count > 1 && $0.first == "0" && UInt64($0) != nil }
        guard isValid, !hasLeadingZero else { return nil }
        (major, minor, patch) = (numbers[0], numbers[1], numbers[2])
        self.prerelease = prerelease.map(String.init)
        self.build = build.map(String.init)
    }

    var text: String {
        "\(major).\(minor).\(patch)" + (prerelease.isEmpty ? "" : "-" + prerelease.joined(separator: "."))
            + (build.isEmpty ? "" : "+" + build.joined(separator: "."))
    }

    package static func < (left: CELSemver, right: CELSemver) -> Bool {
        let (a, b) = ((left.major, left.minor, left.patch), (right.major, right.minor, right.patch))
        guard a == b else { return a < b }
        if left.prerelease.isEmpty || right.prerelease.isEmpty {
            return !left.prerelease.isEmpty && right.prerelease.isEmpty
        }
        for (one, other) in zip(left.prerelease, right.prerelease) where one != other {
            switch (UInt64(one), UInt64(other)) {
            case (let one?, let other?): return one < other
            case (.some, nil): return true
            case (nil, .some): return false
            case (nil, nil): return CELText.isLess(one, other)
            }
        }
        return left.prerelease.count < right.prerelease.count
    }
}

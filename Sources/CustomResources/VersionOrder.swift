// SPDX-License-Identifier: Apache-2.0

/// The order in which versions are preferred: `v10`, `v2`, `v1`, `v11beta2`, `v3beta1`, `v1alpha1`, then the rest by name.
///
/// Source: Kubernetes "Versions in CustomResourceDefinitions", "Version priority".
package enum VersionOrder {
    private enum Stability: Int, Comparable {
        case other, alpha, beta, stable

        static func < (left: Stability, right: Stability) -> Bool { left.rawValue < right.rawValue }
    }

    /// Whether one version comes before another.
    package static func isBefore(_ left: String, _ right: String) -> Bool {
        let (first, second) = (parts(left), parts(right))
        if first.stability != second.stability { return first.stability > second.stability }
        if first.stability == .other { return left < right }
        if first.major != second.major { return first.major > second.major }
        return first.minor > second.minor
    }

    private static func parts(_ version: String) -> (stability: Stability, major: Int, minor: Int) {
        let other = (Stability.other, 0, 0)
        guard version.first == "v" else { return other }
        let digits = version.dropFirst().prefix(while: \.isNumber)
        guard let major = Int(digits), digits.first != "0" else { return other }
        let rest = version.dropFirst(1 + digits.count)
        if rest.isEmpty { return (.stable, major, 0) }
        for (word, stability) in [("alpha", Stability.alpha), ("beta", .beta)] where rest.hasPrefix(word) {
            let number = rest.dropFirst(word.count)
            guard let minor = Int(number), number.first != "0", number.first != "+", number.first != "-" else {
                return other
            }
            return (stability, major, minor)
        }
        return other
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Paths as Python's `posixpath` treats them.
package enum PosixPath {
    /// The path without `.`, without what `..` takes back, and without slashes that say nothing.
    package static func normal(_ path: String) -> String {
        guard !path.isEmpty else { return "." }
        var slashes = path.hasPrefix("/") ? 1 : 0
        // POSIX leaves the meaning of exactly two to the system.
        if path.hasPrefix("//") && !path.hasPrefix("///") { slashes = 2 }
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part != ".." || (slashes == 0 && parts.isEmpty) || parts.last == ".." {
                parts.append(part)
            } else if !parts.isEmpty {
                parts.removeLast()
            }
        }
        let result = String(repeating: "/", count: slashes) + parts.joined(separator: "/")
        return result.isEmpty ? "." : result
    }
}

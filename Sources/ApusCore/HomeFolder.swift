// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The user's home folder.
package enum HomeFolder {
    /// `$HOME`, as shells and kubectl have it; `/` where it is not set.
    package static var path: String { getenv("HOME").map { String(cString: $0) } ?? "/" }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// A bearer token in a small file that is renewed from time to time; read at most once a minute.
final class TokenFile: Sendable {
    private static let age = Duration.seconds(60)

    private let path: String
    private let known = Mutex<(token: String, at: ContinuousClock.Instant)?>(nil)

    init(_ path: String) { self.path = path }

    /// The token; the last known while the file cannot be read, nil when it never could.
    func token(now: ContinuousClock.Instant = .now) -> String? {
        known.withLock { known in
            if let known, now - known.at < Self.age { return known.token }
            if let data = FileManager.default.contents(atPath: path) {
                let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
                known = (text, now)
            }
            return known?.token
        }
    }
}

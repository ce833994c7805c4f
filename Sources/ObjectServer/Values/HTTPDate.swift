// SPDX-License-Identifier: Apache-2.0
import S3Protocol
import Synchronization

/// The date of answers, made once a second.
enum HTTPDate {
    private static let last = Mutex<(seconds: Int64, text: String)>((-1, ""))

    /// The date of that second since 1970, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func text(_ seconds: Int64) -> String {
        last.withLock { last in
            if last.seconds != seconds { last = (seconds, S3Time.http(seconds: seconds)) }
            return last.text
        }
    }
}

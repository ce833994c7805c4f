// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation

/// Page tokens that count what was given out, as MLflow writes them: base64 of `{"offset": N}`.
package enum OffsetToken {
    package static func text(_ offset: Int) -> String { Data("{\"offset\": \(offset)}".utf8).base64EncodedString() }

    /// How many were given out; 0 for an empty token.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package static func offset(_ token: String) throws(TrackingError) -> Int {
        guard !token.isEmpty else { return 0 }
        guard token.utf8.count <= 1000, let data = Data(base64Encoded: token, options: .ignoreUnknownCharacters) else {
            throw .invalid("Invalid page token, could not base64-decode")
        }
        let text = String(decoding: data, as: UTF8.self)
        guard let json = try? JSONParser.parse(text) else {
            throw .invalid("Invalid page token, decoded value=b\(PythonText.repr(text))")
        }
        let value = json["offset"]
        guard let number = value.int ?? value.string.flatMap({ PythonText.integer($0) }).map({ Int($0) }), number > 0
        else {
            throw .invalid("Invalid page token, parsed value=\(String(decoding: json.encoded, as: UTF8.self))")
        }
        return number
    }
}

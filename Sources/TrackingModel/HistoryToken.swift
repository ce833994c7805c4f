// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation

/// Where a page of a metric's history begins: base64 of `{"after": [TIME, STEP, "VALUE"], "offset": N}`.
///
/// MLflow's own tokens have the offset only, and are read too.
package struct HistoryToken: Sendable, Hashable {
    /// The last point that was given out, of any key; nil where the token does not know it.
    package let last: Metric?
    /// How many points were given out.
    package let offset: Int

    /// Before the first page.
    package static let start = HistoryToken(last: nil, offset: 0)

    package init(last: Metric?, offset: Int) {
        self.last = last
        self.offset = offset
    }

    package var text: String {
        var json: [String: JSONValue] = ["offset": .int(Int64(offset))]
        if let last { json["after"] = [.int(last.timestamp), .int(last.step), .string("\(last.value)")] }
        return Data(JSONValue.object(json).encoded).base64EncodedString()
    }

    /// Reads a token; an empty one is the start.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package init(_ token: String) throws(TrackingError) {
        guard !token.isEmpty else {
            self = .start
            return
        }
        guard token.utf8.count <= 1000, let data = Data(base64Encoded: token, options: .ignoreUnknownCharacters) else {
            throw .invalid("Invalid page token, could not base64-decode")
        }
        let text = String(decoding: data, as: UTF8.self)
        guard let json = try? JSONParser.parse(text) else {
            throw .invalid("Invalid page token, decoded value=b\(PythonText.repr(text))")
        }
        let (value, after) = (json["offset"], json["after"])
        let number = value.int ?? value.string.flatMap { PythonText.integer($0) }.map { Int($0) } ?? 0
        let last = Self.point(after)
        guard number > 0, after.isNull || last != nil else {
            throw .invalid("Invalid page token, parsed value=\(String(decoding: json.encoded, as: UTF8.self))")
        }
        self.init(last: last, offset: number)
    }

    private static func point(_ json: JSONValue) -> Metric? {
        guard json.elements.count == 3, let time = json[0].int, let step = json[1].int,
            let value = json[2].string.flatMap({ Double($0) })
        else { return nil }
        return Metric(key: "", value: value, timestamp: Int64(time), step: Int64(step))
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Labels and fields as they are stored: a JSON object of strings.
enum StringMap {
    /// The JSON text of a dictionary.
    static func encode(_ map: [String: String]) -> String { map.isEmpty ? "{}" : JSONValue(map).text }

    /// The dictionary of a JSON text; nil when it is anything else.
    static func decode(_ text: String) -> [String: String]? {
        if text == "{}" { return [:] }
        guard let members = try? JSONParser.parse(text).object else { return nil }
        let strings = members.compactMapValues(\.string)
        return strings.count == members.count ? strings : nil
    }
}

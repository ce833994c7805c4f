// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a file's rows have in common (protocol, "Per-file Statistics").
package struct FileStatistics: Sendable, Equatable {
    package var numRecords: Int64?
    /// Whether least and greatest values are of the rows that count; false when rows may have been deleted since.
    package var tightBounds: Bool?
    /// Objects, nested as the columns are.
    package var minValues: JSONValue
    package var maxValues: JSONValue
    package var nullCount: JSONValue

    package init(
        numRecords: Int64, minValues: JSONValue = [:], maxValues: JSONValue = [:], nullCount: JSONValue = [:]
    ) {
        self.numRecords = numRecords
        self.minValues = minValues
        self.maxValues = maxValues
        self.nullCount = nullCount
    }

    /// Nil when there are none, or they cannot be read: statistics only help, so damaged ones are as good as none.
    package init?(text: String?) {
        guard let text, let json = try? JSONParser.parse(text), json.object != nil else { return nil }
        numRecords = json["numRecords"].int.map(Int64.init)
        tightBounds = json["tightBounds"].bool
        minValues = json["minValues"]
        maxValues = json["maxValues"]
        nullCount = json["nullCount"]
    }

    package var text: String {
        let json: JSONValue = [
            "numRecords": JSONFields.json(numRecords), "tightBounds": tightBounds.map { .bool($0) } ?? .null,
            "minValues": minValues.isNull ? .object([:]) : minValues,
            "maxValues": maxValues.isNull ? .object([:]) : maxValues,
            "nullCount": nullCount.isNull ? .object([:]) : nullCount,
        ]
        return json.text
    }

    /// The longest text that statistics keep, in characters.
    package static let maximumText = 32

    /// A text that no value that starts with `value`'s first characters is less than.
    package static func lower(_ value: String) -> String { String(value.unicodeScalars.prefix(maximumText)) }

    /// A text that is not less than `value`; nil when there is none that short.
    package static func upper(_ value: String) -> String? {
        let scalars = Array(value.unicodeScalars)
        guard scalars.count > maximumText else { return value }
        var kept = Array(scalars.prefix(maximumText))
        while let last = kept.popLast() {
            // The next character, past the range of surrogates, which are none.
            let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
            guard let scalar = Unicode.Scalar(next) else { continue }
            kept.append(scalar)
            var text = String.UnicodeScalarView()
            text.append(contentsOf: kept)
            return String(text)
        }
        return nil
    }
}

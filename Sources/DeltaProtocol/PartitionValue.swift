// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Values of partition columns, which the log has as texts (protocol, "Partition Value Serialization").
package enum PartitionValue {
    /// Whether rows can be parted by a column of this type.
    package static func canPartition(by type: DeltaType) -> Bool { type.isPrimitive && type != .binary }

    /// SQL whose value is a column's value as the log has it: null stays null, and so does the empty text.
    package static func sqlText(of expression: String, type: DeltaType) -> String {
        switch type {
        case .timestamp:
            "strftime((\(expression)) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
        case .timestampNtz: "strftime(\(expression), '%Y-%m-%d %H:%M:%S.%f')"
        case .date: "strftime(\(expression), '%Y-%m-%d')"
        default: "nullif(CAST(\(expression) AS VARCHAR), '')"
        }
    }

    /// SQL for the value that a text of the log stands for.
    /// - Throws: `corruptLog` when the text cannot be one of this type.
    package static func sqlValue(of text: String?, column: String, type: DeltaType) throws(DeltaError) -> String {
        guard let text, !text.isEmpty else { return "CAST(NULL AS \(type.sql()))" }
        switch type {
        case .boolean:
            guard ["true", "false"].contains(text.lowercased()) else { throw bad(text, column, type) }
        case .long, .integer, .short, .byte:
            guard Int64(text) != nil else { throw bad(text, column, type) }
        case .float, .double:
            guard Double(text) != nil else { throw bad(text, column, type) }
        case .binary: return "encode(\(SQLText.text(text)))"
        case .timestamp where !text.hasSuffix("Z") && !text.contains("+"):
            // Without a zone it would be that of the writer; here all are UTC.
            return "CAST(\(SQLText.text(text + "+00")) AS TIMESTAMPTZ)"
        default: break
        }
        return "CAST(\(SQLText.text(text)) AS \(type.sql()))"
    }

    private static func bad(_ text: String, _ column: String, _ type: DeltaType) -> DeltaError {
        DeltaError(
            .corruptLog, "a file's value of the partition column \(column), \"\(text.prefix(64))\", is no \(type.sql())"
        )
    }

    /// The folder for files of a partition, as other writers name them; empty when that would be too long a name.
    package static func folder(_ values: [(column: String, text: String?)]) -> String {
        var folder = ""
        for (column, text) in values {
            let name =
                PercentEncoding.encode(column) + "="
                + (text.map(PercentEncoding.encode) ?? "__HIVE_DEFAULT_PARTITION__")
            guard name.utf8.count <= 200 else { return "" }
            folder += name + "/"
        }
        return folder.utf8.count <= 600 ? folder : ""
    }
}

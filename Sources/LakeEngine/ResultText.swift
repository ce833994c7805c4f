// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ArrowFormat

/// Results as people and other programs read them.
package enum ResultText {
    /// A table with lines around its cells: numbers to the right, NULL in words, long texts cut with an ellipsis.
    package static func table(_ schema: ArrowSchemaInfo, _ rows: [[ArrowValue]], maximumWidth: Int = 60) -> String {
        let names = schema.fields.map { clean($0.name, maximumWidth) }
        let cells = rows.map { row in row.map { clean($0.isNull ? "NULL" : $0.text, maximumWidth) } }
        var widths = names.map(width)
        for row in cells {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], width(cell)) }
        }
        let right = schema.fields.map { $0.type.isNumber }
        func rule(_ left: String, _ middle: String, _ end: String) -> String {
            left + widths.map { String(repeating: "─", count: $0 + 2) }.joined(separator: middle) + end
        }
        func line(_ cells: [String], aligned: Bool) -> String {
            let padded = cells.enumerated().map { index, cell in
                let blanks = String(repeating: " ", count: widths[index] - width(cell))
                return aligned && right[index] ? " \(blanks)\(cell) " : " \(cell)\(blanks) "
            }
            return "│" + padded.joined(separator: "│") + "│"
        }
        var lines = [rule("┌", "┬", "┐"), line(names, aligned: true), rule("├", "┼", "┤")]
        lines += cells.map { line($0, aligned: true) }
        lines.append(rule("└", "┴", "┘"))
        return lines.joined(separator: "\n")
    }

    /// A line of CSV (RFC 4180): NULL is empty, an empty text is quoted.
    package static func csv(_ values: [ArrowValue]) -> String {
        values.map { $0.isNull ? "" : quoted($0.text) }.joined(separator: ",") + "\r\n"
    }

    /// The line of CSV with the columns' names.
    package static func csv(header schema: ArrowSchemaInfo) -> String {
        schema.fields.map { quoted($0.name) }.joined(separator: ",") + "\r\n"
    }

    /// A line of tab-separated values: NULL is `\\N`, and tabs, ends of lines and backslashes have a backslash before them.
    package static func tsv(_ values: [ArrowValue]) -> String {
        values.map { $0.isNull ? "\\N" : escaped($0.text) }.joined(separator: "\t") + "\n"
    }

    /// The line of tab-separated values with the columns' names.
    package static func tsv(header schema: ArrowSchemaInfo) -> String {
        schema.fields.map { escaped($0.name) }.joined(separator: "\t") + "\n"
    }

    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x5C }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\t": result += "\\t"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\0": result += "\\0"
            case "\\": result += "\\\\"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Rows as JSON objects, members in the columns' order, with an end of the line, or what `separator` says, between
    /// and after them.
    package static func json(_ batch: ArrowBatch, separator: String = "\n") -> [UInt8] {
        var writer = JSONWriter()
        for row in 0..<batch.rowCount {
            for (index, field) in batch.schema.fields.enumerated() {
                writer.append(raw: index == 0 ? "{" : ",")
                writer.append(string: field.name)
                writer.append(raw: ":")
                writer.append(batch.column(index).value(row).json)
            }
            writer.append(raw: (batch.columns.isEmpty ? "{}" : "}") + separator)
        }
        return writer.bytes
    }

    private static func quoted(_ text: String) -> String {
        let special = text.isEmpty || text.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
        guard special else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// One line without control characters, cut where it is too wide.
    private static func clean(_ text: String, _ maximum: Int) -> String {
        var result = ""
        var used = 0
        for character in text {
            let shown: String
            switch character {
            case "\n", "\r\n": shown = "↵"
            case "\t": shown = "→"
            default:
                let isControl = character.unicodeScalars.contains {
                    $0.value < 0x20 || (0x7F...0x9F).contains($0.value)
                }
                shown = isControl ? "·" : String(character)
            }
            let size = width(shown)
            guard used + size <= maximum else { return result + "…" }
            result += shown
            used += size
        }
        return result
    }

    /// Columns on a terminal: two for East Asian wide characters and emoji.
    static func width(_ text: String) -> Int {
        text.reduce(0) { sum, character in
            guard let scalar = character.unicodeScalars.first else { return sum }
            switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
                0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
                return sum + 2
            default: return sum + (scalar.properties.generalCategory == .nonspacingMark ? 0 : 1)
            }
        }
    }
}

extension ArrowType {
    /// Shown to the right of its column.
    fileprivate var isNumber: Bool {
        switch self {
        case .int, .float, .decimal: true
        default: false
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a row has to satisfy, as far as it can be judged from a file's statistics and partition values: comparisons of
/// a column with a constant, and AND and OR of them. Everything else may hold for any row.
package indirect enum FilePredicate: Sendable, Equatable {
    /// May hold.
    case unknown
    /// Holds for no row.
    case never
    case and([FilePredicate])
    case or([FilePredicate])
    case atLeast(String, Constant)
    case atMost(String, Constant)
    case isNull(String)
    case isNotNull(String)

    /// A constant that a column is compared with. A text is of the column's type: the engine converts it.
    package enum Constant: Sendable, Equatable {
        case integer(Int64)
        case text(String)
        /// Years 0000 to 9999, as `2026-01-31`, whose order is that of its characters.
        case date(String)
        case moment(Timestamp)
    }

    /// A text that stands for a date; nil for forms whose order is not that of their characters.
    static func date(_ text: String) -> Constant? { ColumnValue.date(text).map { .date($0) } }

    /// A text that stands for a time; nil for forms that are not known here.
    static func moment(_ text: String) -> Constant? { ColumnValue.moment(text).map { .moment($0) } }

    /// Whether a file may have a row that it holds for.
    package func mayHold(in file: DeltaAddFile, of snapshot: DeltaSnapshot) -> Bool {
        var facts = FileFacts(file, snapshot)
        return mayHold(&facts)
    }

    private func mayHold(_ facts: inout FileFacts) -> Bool {
        switch self {
        case .unknown: return true
        case .never: return false
        case .and(let parts):
            for part in parts where !part.mayHold(&facts) { return false }
            return true
        case .or(let parts):
            for part in parts where part.mayHold(&facts) { return true }
            return false
        case .atLeast(let column, let constant):
            guard let column = facts.column(column) else { return true }
            if column.isAllNull { return false }
            guard let greatest = column.greatest, let bound = ColumnValue(constant, column.type) else { return true }
            // Never by equality: times are counted in a range that ends.
            return greatest.isLess(than: bound) != true
        case .atMost(let column, let constant):
            guard let column = facts.column(column) else { return true }
            if column.isAllNull { return false }
            guard let least = column.least, let bound = ColumnValue(constant, column.type) else { return true }
            return bound.isLess(than: least) != true
        case .isNull(let column): return facts.column(column).map { $0.nulls != 0 } ?? true
        case .isNotNull(let column): return facts.column(column).map { !$0.isAllNull } ?? true
        }
    }
}

/// A value that can be compared with others of its kind.
private enum ColumnValue {
    case integer(Int64)
    /// By its bytes, as the engine compares.
    case text(String)
    case moment(Timestamp)

    /// A constant as a value of a column's type; nil where the engine would compare in another way.
    init?(_ constant: FilePredicate.Constant, _ type: DeltaType) {
        switch (type, constant) {
        case (.long, .integer(let number)), (.integer, .integer(let number)), (.short, .integer(let number)),
            (.byte, .integer(let number)):
            self = .integer(number)
        case (.string, .text(let text)): self = .text(text)
        case (.date, .date(let text)): self = .text(text)
        case (.date, .text(let text)):
            guard let date = Self.date(text) else { return nil }
            self = .text(date)
        case (.timestamp, .moment(let moment)), (.timestampNtz, .moment(let moment)): self = .moment(moment)
        case (.timestamp, .date(let text)), (.timestamp, .text(let text)), (.timestampNtz, .date(let text)),
            (.timestampNtz, .text(let text)):
            guard let moment = Self.moment(text) else { return nil }
            self = .moment(moment)
        default: return nil
        }
    }

    /// A value as statistics have it.
    init?(statistic value: JSONValue, _ type: DeltaType) {
        switch (type, value) {
        case (.long, .int(let number)), (.integer, .int(let number)), (.short, .int(let number)),
            (.byte, .int(let number)):
            self = .integer(number)
        case (.string, .string(let text)): self = .text(text)
        case (.date, .string(let text)):
            guard let date = Self.date(text) else { return nil }
            self = .text(date)
        case (.timestamp, .string(let text)):
            // Without a zone it may be that of the writer.
            guard let moment = Timestamp(rfc3339: text) else { return nil }
            self = .moment(moment)
        case (.timestampNtz, .string(let text)):
            guard let moment = Self.moment(text) else { return nil }
            self = .moment(moment)
        default: return nil
        }
    }

    /// A partition's value, as the log has it.
    init?(partition text: String, _ type: DeltaType) {
        switch type {
        case .long, .integer, .short, .byte:
            guard let number = Int64(text) else { return nil }
            self = .integer(number)
        case .string: self = .text(text)
        case .timestamp:
            // As the value is read: UTC without a zone.
            guard let moment = Self.moment(text) else { return nil }
            self = .moment(moment)
        default: self.init(statistic: .string(text), type)
        }
    }

    /// nil for values of different kinds.
    func isLess(than other: ColumnValue) -> Bool? {
        switch (self, other) {
        case (.integer(let one), .integer(let two)): one < two
        case (.text(let one), .text(let two)): one.utf8.lexicographicallyPrecedes(two.utf8)
        case (.moment(let one), .moment(let two)): one < two
        default: nil
        }
    }

    static func date(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return nil }
        for (index, byte) in bytes.enumerated() where index != 4 && index != 7 {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        }
        return text
    }

    /// A date or a time; without a zone it is UTC, as for the engine.
    static func moment(_ text: String) -> Timestamp? {
        if date(text) != nil { return Timestamp(rfc3339: text + "T00:00:00Z") }
        if text.hasSuffix("+00") { return Timestamp(rfc3339: text + ":00") }
        return Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "Z")
    }
}

/// What is known of a file's columns.
private struct FileFacts {
    struct Column {
        let type: DeltaType
        var least: ColumnValue?
        var greatest: ColumnValue?
        /// nil where it is not known.
        var nulls: Int64?
        var rows: Int64?

        var isAllNull: Bool {
            guard let nulls, let rows else { return false }
            return rows > 0 && nulls == rows
        }
    }

    private let file: DeltaAddFile
    private let snapshot: DeltaSnapshot
    private lazy var statistics = FileStatistics(text: file.stats)
    private lazy var isMapped =
        snapshot.protocolVersions.minReaderVersion == 2
        || snapshot.protocolVersions.readerFeatures?.contains("columnMapping") ?? false

    init(_ file: DeltaAddFile, _ snapshot: DeltaSnapshot) {
        self.file = file
        self.snapshot = snapshot
    }

    mutating func column(_ name: String) -> Column? {
        guard let field = snapshot.schema[name] else { return nil }
        let key = isMapped && snapshot.properties.columnMapping != "none" ? field.physicalName : field.name
        if snapshot.metadata.partitionColumns.contains(field.name) {
            guard let value = file.partitionValues[key] ?? file.partitionValues[field.name] else { return nil }
            // The empty text is null.
            guard let value, !value.isEmpty else { return Column(type: field.type, nulls: 1, rows: 1) }
            let only = ColumnValue(partition: value, field.type)
            return Column(type: field.type, least: only, greatest: only, nulls: 0, rows: 1)
        }
        guard let statistics else { return nil }
        var greatest = ColumnValue(statistic: statistics.maxValues[key], field.type)
        // Times of statistics are cut to milliseconds.
        if case .moment(let moment) = greatest { greatest = .moment(moment + .milliseconds(1)) }
        return Column(
            type: field.type, least: ColumnValue(statistic: statistics.minValues[key], field.type), greatest: greatest,
            nulls: statistics.nullCount[key].int.map(Int64.init), rows: statistics.numRecords)
    }
}

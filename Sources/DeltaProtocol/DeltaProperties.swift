// SPDX-License-Identifier: Apache-2.0

/// What a table's `delta.…` properties say.
package struct DeltaProperties: Sendable {
    private let configuration: [String: String]

    package init(_ configuration: [String: String]) { self.configuration = configuration }

    /// Properties that are honoured, or that ask nothing of a writer that copies files on write.
    private static let known: Set<String> = [
        "delta.appendOnly", "delta.checkpointInterval", "delta.deletedFileRetentionDuration",
        "delta.logRetentionDuration", "delta.enableExpiredLogCleanup", "delta.dataSkippingNumIndexedCols",
        "delta.dataSkippingStatsColumns", "delta.checkpoint.writeStatsAsJson", "delta.checkpoint.writeStatsAsStruct",
        "delta.checkpointPolicy", "delta.targetFileSize", "delta.tuneFileSizesForRewrites", "delta.isolationLevel",
        "delta.columnMapping.mode", "delta.columnMapping.maxColumnId", "delta.enableChangeDataFeed",
        "delta.enableDeletionVectors", "delta.enableInCommitTimestamps",
        "delta.inCommitTimestampEnablementVersion", "delta.inCommitTimestampEnablementTimestamp",
        "delta.minReaderVersion", "delta.minWriterVersion", "delta.setTransactionRetentionDuration",
        "delta.randomizeFilePrefixes", "delta.randomPrefixLength", "delta.autoOptimize",
        "delta.autoOptimize.autoCompact", "delta.autoOptimize.optimizeWrite",
        "delta.compatibility.symlinkFormatManifest.enabled",
    ]
    private static let knownPrefixes = ["delta.constraints.", "delta.feature.", "delta.universalFormat."]

    /// - Throws: `unsupportedWriterFeature` with the property that is not known, or has a value that cannot be honoured.
    package static func check(_ configuration: [String: String]) throws(DeltaError) {
        for (key, value) in configuration.sorted(by: { $0.key < $1.key }) where key.hasPrefix("delta.") {
            guard known.contains(key) || knownPrefixes.contains(where: key.hasPrefix) else {
                throw DeltaError(
                    .unsupportedWriterFeature,
                    "the table's property \(key.prefix(128)) is not known here: nothing is written")
            }
            let isOff = value.lowercased() == "false" || value.isEmpty
            let refused = ["delta.compatibility.symlinkFormatManifest.enabled"]
            if refused.contains(key) && !isOff || key.hasPrefix("delta.universalFormat.") && !value.isEmpty {
                throw DeltaError(
                    .unsupportedWriterFeature,
                    "the table's property \(key) = \(value.prefix(64)) cannot be honoured here")
            }
        }
        let properties = DeltaProperties(configuration)
        // Every change here is serialisable, which is as strict as any level that a table can ask for.
        let levels = ["Serializable", "WriteSerializable", "SnapshotIsolation"]
        if let level = configuration["delta.isolationLevel"], !levels.contains(level) {
            throw DeltaError(
                .unsupportedWriterFeature,
                "the table's property delta.isolationLevel = \(level.prefix(64)) is not known here: nothing is written")
        }
        _ = try properties.checkpointInterval()
        _ = try properties.deletedFileRetention()
        _ = try properties.logRetention()
        _ = try properties.indexedColumns()
    }

    private func flag(_ name: String, _ fallback: Bool = false) -> Bool {
        configuration[name].map { $0.lowercased() == "true" } ?? fallback
    }

    /// Whether rows may only be added.
    package var isAppendOnly: Bool { flag("delta.appendOnly") }
    /// Whether every commit has a time that is later than that of the one before.
    package var hasInCommitTimestamps: Bool { flag("delta.enableInCommitTimestamps") }
    /// Whether changed rows must be written once more for readers of changes.
    package var hasChangeDataFeed: Bool { flag("delta.enableChangeDataFeed") }
    /// Whether checkpoints have the files' statistics as JSON.
    package var checkpointsHaveJSONStatistics: Bool { flag("delta.checkpoint.writeStatsAsJson", true) }
    /// Whether checkpoints of the first kind satisfy the table.
    package var wantsClassicCheckpoints: Bool {
        !flag("delta.checkpoint.writeStatsAsStruct")
            && configuration["delta.checkpointPolicy"] ?? "classic" == "classic"
    }
    /// Whether log files that nobody needs any more are deleted.
    package var cleansLog: Bool { flag("delta.enableExpiredLogCleanup", true) }
    /// How names of columns are found in files: `none`, `name` or `id`.
    package var columnMapping: String { configuration["delta.columnMapping.mode"] ?? "none" }

    /// Commits from one checkpoint to the next; 10 when the table does not say.
    package func checkpointInterval() throws(DeltaError) -> Int {
        try number("delta.checkpointInterval", 10, 1...1_000_000)
    }

    /// How many columns, counted from the first, have statistics; -1 is all of them.
    package func indexedColumns() throws(DeltaError) -> Int {
        try number("delta.dataSkippingNumIndexedCols", 32, -1...100_000)
    }

    /// The columns that have statistics, when the table names them.
    package var statisticsColumns: [String]? {
        configuration["delta.dataSkippingStatsColumns"].map { text in
            text.split(separator: ",").map { part in
                String(part).trimmed.replacingBackticks
            }
        }
    }

    /// The size that files should have, in bytes.
    package func targetFileSize() -> Int64 {
        guard let text = configuration["delta.targetFileSize"]?.lowercased() else { return 256 << 20 }
        let digits = text.prefix { $0.isNumber }
        let unit = text.dropFirst(digits.count).trimmed
        let factors: [String: Int64] = [
            "": 1, "b": 1, "kb": 1 << 10, "k": 1 << 10, "mb": 1 << 20, "m": 1 << 20, "gb": 1 << 30, "g": 1 << 30,
        ]
        guard let number = Int64(digits), let factor = factors[unit], number > 0, number <= Int64.max / factor else {
            return 256 << 20
        }
        return max(number * factor, 1 << 20)
    }

    /// How long files that are out of the table stay in the store, milliseconds; a week when the table does not say.
    package func deletedFileRetention() throws(DeltaError) -> Int64 {
        try interval("delta.deletedFileRetentionDuration", 7 * 86_400_000)
    }

    /// How long the log is kept, milliseconds; 30 days when the table does not say.
    package func logRetention() throws(DeltaError) -> Int64 {
        try interval("delta.logRetentionDuration", 30 * 86_400_000)
    }

    private func number(_ name: String, _ fallback: Int, _ range: ClosedRange<Int>) throws(DeltaError) -> Int {
        guard let text = configuration[name] else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            throw DeltaError(
                .unsupportedWriterFeature, "the table's property \(name) = \(text.prefix(64)) is no number in \(range)")
        }
        return number
    }

    private func interval(_ name: String, _ fallback: Int64) throws(DeltaError) -> Int64 {
        guard let text = configuration[name] else { return fallback }
        guard let milliseconds = Self.milliseconds(text) else {
            throw DeltaError(
                .unsupportedWriterFeature,
                "the table's property \(name) = \(text.prefix(64)) is no time like \"interval 7 days\"")
        }
        return milliseconds
    }

    /// `interval 1 week 2 days` in milliseconds; nil for months and years, which have no fixed length, and for others.
    package static func milliseconds(_ text: String) -> Int64? {
        let units: [String: Int64] = [
            "millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000,
            "week": 604_800_000,
        ]
        var words = text.lowercased().split { $0 == " " }[...]
        if words.first == "interval" { words = words.dropFirst() }
        guard !words.isEmpty, words.count % 2 == 0 else { return nil }
        var total: Int64 = 0
        while let count = words.popFirst(), let unit = words.popFirst() {
            let name = unit.hasSuffix("s") ? String(unit.dropLast()) : String(unit)
            guard let number = Int64(count), number >= 0, let factor = units[name] else { return nil }
            let (product, isOver) = number.multipliedReportingOverflow(by: factor)
            let (sum, isOverToo) = total.addingReportingOverflow(product)
            guard !isOver, !isOverToo else { return nil }
            total = sum
        }
        return total
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        String(String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
    }

    fileprivate var replacingBackticks: String { String(filter { $0 != "`" }) }
}

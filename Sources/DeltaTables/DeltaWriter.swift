// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DeltaProtocol

/// Has the engine write rows as a table's Parquet files, and finds out what the log says of them.
struct DeltaWriter {
    let table: DeltaTable
    let schema: DeltaSchema
    let partitionColumns: [String]
    let properties: DeltaProperties
    /// Bytes that a file should have at most.
    var targetSize: Int64

    /// The most partitions that one change writes to.
    static let maximumPartitions = 10_000

    init(_ table: DeltaTable, _ snapshot: DeltaSnapshot, schema: DeltaSchema? = nil) {
        self.table = table
        self.schema = schema ?? snapshot.schema
        partitionColumns = snapshot.metadata.partitionColumns
        properties = snapshot.properties
        targetSize = snapshot.properties.targetFileSize()
    }

    /// What was written.
    struct Written {
        var files: [DeltaAddFile] = []
        var rows: Int64 = 0
    }

    /// Writes a query's rows; its columns are the schema's, in order.
    /// - Throws: `notAllowed` for a null in a column that has none. Files are deleted then.
    func write(_ query: String, dataChange: Bool = true) async throws(DeltaError) -> Written {
        var written = Written()
        var paths: [String] = []
        do throws(DeltaError) {
            if partitionColumns.isEmpty {
                try await file(query, partition: [], dataChange, into: &written, &paths)
            } else {
                try await partitions(query, dataChange, into: &written, &paths)
            }
        } catch {
            try? await table.storage.delete(paths)
            throw error
        }
        return written
    }

    private func partitions(
        _ query: String, _ dataChange: Bool, into written: inout Written, _ paths: inout [String]
    ) async throws(DeltaError) {
        let staged = "\(DeltaTable.stagingFolder)/\(RandomID.uuid()).parquet"
        let local = SQLText.text(try await table.storage.target(staged))
        do throws(DeltaError) {
            _ = try await table.engine.texts("COPY (\(query)) TO \(local) (FORMAT parquet, COMPRESSION snappy)")
            let from = "read_parquet(\(local), hive_partitioning = false)"
            let texts = partitionColumns.map { column in
                let type = schema[column]?.type ?? .string
                return PartitionValue.sqlText(of: SQLText.name(column), type: type)
            }
            let found = try await table.engine.texts(
                "SELECT DISTINCT \(texts.joined(separator: ", ")) FROM \(from) ORDER BY ALL LIMIT \(Self.maximumPartitions + 1)"
            )
            guard found.count <= Self.maximumPartitions else {
                throw DeltaError(
                    .tooLarge, "the rows are of more than \(Self.maximumPartitions) partitions: write them in parts")
            }
            for values in found {
                let conditions = zip(texts, values).map { text, value in
                    value.map { "\(text) = \(SQLText.text($0))" } ?? "\(text) IS NULL"
                }
                try await file(
                    "SELECT * FROM \(from) WHERE \(conditions.joined(separator: " AND "))",
                    partition: Array(zip(partitionColumns, values)), dataChange, into: &written, &paths)
            }
        } catch {
            try? await table.storage.delete([staged])
            throw error
        }
        try await table.storage.delete([staged])
    }

    private func file(
        _ query: String, partition: [(String, String?)], _ dataChange: Bool, into written: inout Written,
        _ paths: inout [String]
    ) async throws(DeltaError) {
        let folder = PartitionValue.folder(partition.map { (column: $0.0, text: $0.1) })
        let path = "\(folder)part-00000-\(RandomID.uuid())-c000.snappy.parquet"
        let fields = schema.fields.filter { !partitionColumns.contains($0.name) }
        let columns = fields.map { SQLText.name($0.name) }.joined(separator: ", ")
        let target = try await table.storage.target(path)
        paths.append(path)
        let local = SQLText.text(target)
        _ = try await table.engine.texts(
            "COPY (SELECT \(columns) FROM (\(query))) TO \(local) (FORMAT parquet, COMPRESSION snappy)")
        guard try await size(local) > targetSize + targetSize / 4 else {
            return try await add(path, as: path, fields, partition, dataChange, into: &written)
        }
        let before = written.rows
        let parts = try await split(local)
        paths += parts
        for (index, part) in parts.enumerated() {
            let number = String(index)
            let place =
                "\(folder)part-\(String(repeating: "0", count: max(0, 5 - number.count)))\(number)-\(RandomID.uuid())-c000.snappy.parquet"
            paths.append(place)
            try await add(part, as: place, fields, partition, dataChange, into: &written)
        }
        let whole = try await table.engine.texts("SELECT CAST(count(*) AS VARCHAR) FROM read_parquet(\(local))")
        guard whole.first?.first == "\(written.rows - before)" else {
            throw DeltaError(.engine, "the engine wrote other rows when it put them into several files")
        }
        try await table.storage.delete([path])
    }

    /// Bytes of a file's columns.
    private func size(_ local: String) async throws(DeltaError) -> Int64 {
        let answer = try await table.engine.texts(
            "SELECT CAST(sum(total_compressed_size) AS VARCHAR) FROM parquet_metadata(\(local))")
        return answer.first?.first?.flatMap { Int64($0) } ?? 0
    }

    /// Writes a file's rows as several, of about the size that files should have; their paths.
    private func split(_ local: String) async throws(DeltaError) -> [String] {
        let name = RandomID.uuid()
        let folder = try await table.storage.target("\(DeltaTable.stagingFolder)/\(name)").dropLast(name.utf8.count + 1)
        // A row for each file.
        let files = try await table.engine.texts(
            """
            COPY (SELECT * FROM read_parquet(\(local), hive_partitioning = false)) TO \(SQLText.text(String(folder))) \
            (FORMAT parquet, COMPRESSION snappy, FILE_SIZE_BYTES \(targetSize), FILENAME_PATTERN '\(name)-{i}', \
            OVERWRITE_OR_IGNORE, RETURN_STATS)
            """)
        return try files.map { row throws(DeltaError) in
            guard let file = (row.first ?? nil)?.split(separator: "/").last else {
                throw DeltaError(.engine, "the engine does not say which files it wrote")
            }
            return "\(DeltaTable.stagingFolder)/\(file)"
        }
    }

    /// Makes a written file one of the table's, with what is to be said of it; a file without rows is deleted.
    private func add(
        _ written: String, as path: String, _ fields: [DeltaField], _ partition: [(String, String?)],
        _ dataChange: Bool,
        into all: inout Written
    ) async throws(DeltaError) {
        let local = SQLText.text(try await table.storage.target(written))
        let statistics = StatisticsQuery(fields, properties: properties)
        let answer = try await table.engine.texts(
            try statistics.sql(from: "read_parquet(\(local), hive_partitioning = false)"))
        guard let row = answer.first else {
            throw DeltaError(.engine, "the engine gave no statistics of \(path)")
        }
        let found = try statistics.read(row)
        for field in schema.fields where !field.nullable {
            let isNull =
                partition.first { $0.0 == field.name }.map { $0.1 == nil }
                ?? (found.nulls[field.name].map { $0 > 0 } ?? false)
            guard !isNull else {
                throw DeltaError(.notAllowed, "the column \(field.name) may not be null, and a new row has none in it")
            }
        }
        guard found.rows > 0 else {
            try await table.storage.delete([written])
            return
        }
        let stored = try await table.storage.publish(written, as: path)
        all.rows += found.rows
        all.files.append(
            try DeltaAddFile(
                path: DeltaPath.encode(path), partitionValues: Dictionary(partition) { first, _ in first },
                size: stored.size, modificationTime: stored.modified, dataChange: dataChange, stats: found.text))
    }
}

/// Asks a file for its statistics, and reads the answer.
struct StatisticsQuery {
    private struct Column {
        var path: [String]
        var type: DeltaType
        var isIndexed: Bool
    }

    private var columns: [Column] = []

    init(_ fields: [DeltaField], properties: DeltaProperties) {
        let limit = (try? properties.indexedColumns()) ?? 32
        let named = properties.statisticsColumns
        for field in fields { add([field.name], field) }
        for index in columns.indices {
            let name = columns[index].path.joined(separator: ".")
            columns[index].isIndexed =
                named.map { $0.contains { name == $0 || name.hasPrefix($0 + ".") } } ?? (limit < 0 || index < limit)
        }
        // Columns that may not be null are counted in any case.
        let needed = Set(fields.filter { !$0.nullable }.map(\.name))
        columns.removeAll { !$0.isIndexed && !($0.path.count == 1 && needed.contains($0.path[0])) }
    }

    private mutating func add(_ path: [String], _ field: DeltaField) {
        if case .structure(let inner) = field.type {
            if !field.nullable, path.count == 1 {
                columns.append(Column(path: path, type: field.type, isIndexed: true))
            }
            for member in inner { add(path + [member.name], member) }
            return
        }
        columns.append(Column(path: path, type: field.type, isIndexed: true))
    }

    func sql(from: String) throws(DeltaError) -> String {
        var parts = ["CAST(count(*) AS VARCHAR)"]
        for column in columns {
            let name = column.path.map(SQLText.name).joined(separator: ".")
            parts.append("CAST(count(\(name)) AS VARCHAR)")
            parts.append(Self.text("min(\(name))", column.type, isUpper: false))
            parts.append(Self.text("max(\(name))", column.type, isUpper: true))
        }
        return "SELECT \(parts.joined(separator: ", ")) FROM \(from)"
    }

    private static func text(_ value: String, _ type: DeltaType, isUpper: Bool) -> String {
        switch type {
        case .string, .long, .integer, .short, .byte, .float, .double, .decimal: "CAST(\(value) AS VARCHAR)"
        case .date: "strftime(\(value), '%Y-%m-%d')"
        // Milliseconds, so the greatest is rounded up.
        case .timestamp:
            "strftime((\(value)\(isUpper ? " + INTERVAL 999 MICROSECONDS" : "")) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')"
        case .timestampNtz:
            "strftime(\(value)\(isUpper ? " + INTERVAL 999 MICROSECONDS" : ""), '%Y-%m-%dT%H:%M:%S.%g')"
        case .boolean, .binary, .structure, .array, .map: "CAST(NULL AS VARCHAR)"
        }
    }

    /// - Returns: rows, nulls by top column, and the statistics' text.
    func read(_ row: [String?]) throws(DeltaError) -> (rows: Int64, nulls: [String: Int64], text: String) {
        guard row.count == 1 + columns.count * 3, let rows = row[0].flatMap({ Int64($0) }) else {
            throw DeltaError(.engine, "the engine gave \(row.count) values for statistics of \(columns.count) columns")
        }
        var statistics = FileStatistics(numRecords: rows)
        var nulls: [String: Int64] = [:]
        for (index, column) in columns.enumerated() {
            let count = row[1 + index * 3].flatMap { Int64($0) } ?? rows
            if column.path.count == 1 { nulls[column.path[0]] = rows - count }
            guard column.isIndexed, column.type.isPrimitive else { continue }
            Self.set(&statistics.nullCount, column.path[...], .int(rows - count))
            guard let low = row[2 + index * 3].flatMap({ Self.value($0, column.type, isUpper: false) }),
                let high = row[3 + index * 3].flatMap({ Self.value($0, column.type, isUpper: true) })
            else { continue }
            Self.set(&statistics.minValues, column.path[...], low)
            Self.set(&statistics.maxValues, column.path[...], high)
        }
        return (rows, nulls, statistics.text)
    }

    private static func set(_ object: inout JSONValue, _ path: ArraySlice<String>, _ value: JSONValue) {
        guard let name = path.first else { return }
        if path.count == 1 {
            object[name] = value
        } else {
            set(&object[name], path.dropFirst(), value)
        }
    }

    /// Nil for what JSON cannot have exactly.
    private static func value(_ text: String, _ type: DeltaType, isUpper: Bool) -> JSONValue? {
        switch type {
        case .long, .integer, .short, .byte: Int64(text).map { .int($0) }
        case .float, .double: Double(text).flatMap { $0.isFinite ? .double($0) : nil }
        case .decimal:
            if let whole = Int64(text) {
                .int(whole)
            } else if text.filter(\.isNumber).count <= 15, let number = Double(text) {
                .double(number)
            } else {
                nil
            }
        case .string: isUpper ? FileStatistics.upper(text).map { .string($0) } : .string(FileStatistics.lower(text))
        default: .string(text)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol

extension DeltaTable {
    /// Files that are on their way to a partition; vacuum takes away what is left of them.
    static let stagingFolder = "_apus_staging"

    /// Adds rows. Columns are found by name; those that are missing are null, and those that the table has not are added
    /// to it when it `evolves`, and refused otherwise. The application is who appends, and the number of this append:
    /// one that is in the table already, or is older than one that is, is not made again.
    @discardableResult
    package func append(
        _ rows: DeltaRows, evolves: Bool = false, application: DeltaAppTransaction? = nil
    ) async throws(DeltaError) -> DeltaOutcome {
        try await change(application: application) { (snapshot) async throws(DeltaError) -> Draft? in
            try await self.added(rows, snapshot, evolves: evolves, isWorthACommit: application != nil)
        }
    }

    /// Adds rows of a source with several parts (the partitions of a topic), and says in the same commit how far each part
    /// has been taken in. The rows are those between the one and the other, so that whoever reads on from what the table
    /// says loses and doubles nothing. Without rows only the progress is committed; what the table says already is not
    /// committed again.
    /// - Throws: `conflict`, changing nothing, when the table does not say what the progress starts from: somebody else
    ///   has taken some of the rows in.
    @discardableResult
    package func append(_ rows: DeltaRows?, progress: DeltaProgress) async throws(DeltaError) -> DeltaOutcome {
        try await change { (snapshot) async throws(DeltaError) -> Draft? in
            let known = snapshot.transactions.mapValues(\.version)
            let isMoving = progress.next.contains { progress.start[$0.key] != $0.value }
            if isMoving || rows == nil, progress.next.allSatisfy({ known[$0.key] == $0.value }) { return nil }
            for application in progress.next.keys.sorted() where known[application] != progress.start[application] {
                func text(_ number: Int64?) -> String { number.map { "\($0)" } ?? "nothing" }
                throw DeltaError(
                    .conflict,
                    "\(self.storage.location) has \(text(known[application])) of \(application), the rows go on from "
                        + text(progress.start[application]))
            }
            var draft =
                if let rows {
                    try await self.added(rows, snapshot, evolves: false, isWorthACommit: true)
                } else { Self.draft([], snapshot, DeltaWriter.Written()) }
            for (application, version) in progress.next.sorted(by: { $0.key < $1.key }) {
                draft?.transaction.actions.append(
                    .transaction(DeltaAppTransaction(appID: application, version: version, lastUpdated: self.clock())))
            }
            return draft
        }
    }

    private func added(
        _ rows: DeltaRows, _ snapshot: DeltaSnapshot, evolves: Bool, isWorthACommit: Bool
    ) async throws(DeltaError) -> Draft? {
        let (query, schema, staged) = try await incoming(rows, snapshot, evolves: evolves)
        let written = try await clearing(staged) { () async throws(DeltaError) in
            try await DeltaWriter(self, snapshot, schema: schema).write(query)
        }
        if written.files.isEmpty, !isWorthACommit, schema == snapshot.schema { return nil }
        var actions: [DeltaAction] = []
        if schema != snapshot.schema { actions.append(.metadata(Self.metadata(snapshot, schema))) }
        return Self.draft(actions + written.files.map { .add($0) }, snapshot, written)
    }

    private static func draft(
        _ actions: [DeltaAction], _ snapshot: DeltaSnapshot, _ written: DeltaWriter.Written
    ) -> Draft {
        Draft(
            transaction: DeltaTransaction(readVersion: snapshot.version, reads: .nothing, actions: actions),
            operation: "WRITE",
            parameters: ["mode": "Append", "partitionBy": JSONValue(snapshot.metadata.partitionColumns).text],
            metrics: ["numFiles": "\(written.files.count)", "numOutputRows": "\(written.rows)"],
            outcome: outcome(snapshot, added: written))
    }

    /// Puts rows in the place of all rows, or of those that a predicate holds for.
    /// - Throws: `notAllowed` when a predicate is given and does not hold for a new row.
    @discardableResult
    package func overwrite(
        _ rows: DeltaRows, where predicate: String? = nil, evolves: Bool = false,
        application: DeltaAppTransaction? = nil
    ) async throws(DeltaError) -> DeltaOutcome {
        try await change(application: application) { (snapshot) async throws(DeltaError) -> Draft? in
            let (incoming, schema, staged) = try await self.incoming(rows, snapshot, evolves: evolves)
            return try await self.clearing(staged) { () async throws(DeltaError) in
                if let predicate {
                    let outside = try await self.count("SELECT 1 FROM (\(incoming)) WHERE (\(predicate)) IS NOT TRUE")
                    guard outside == 0 else {
                        throw DeltaError(
                            .notAllowed, "the predicate \(predicate) does not hold for \(outside) of the new rows")
                    }
                }
                let taken =
                    if let predicate {
                        try await self.rewrite(snapshot, where: predicate)
                    } else { Rewrite(removed: snapshot.sortedFiles, rowsRemoved: snapshot.rowCount ?? 0) }
                let kept = try await DeltaWriter(self, snapshot, schema: schema).writeAll([taken.kept, incoming])
                var actions: [DeltaAction] = []
                if schema != snapshot.schema { actions.append(.metadata(Self.metadata(snapshot, schema))) }
                let now = self.clock()
                for file in taken.removed { actions.append(.remove(try file.removal(at: now, dataChange: true))) }
                actions += kept.files.map { .add($0) }
                var parameters = [
                    "mode": "Overwrite", "partitionBy": JSONValue(snapshot.metadata.partitionColumns).text,
                ]
                if let predicate { parameters["predicate"] = predicate }
                return Draft(
                    transaction: DeltaTransaction(
                        readVersion: snapshot.version, reads: .everything, readFiles: Set(snapshot.files.keys),
                        actions: actions),
                    operation: "WRITE", parameters: parameters,
                    metrics: ["numFiles": "\(kept.files.count)", "numOutputRows": "\(kept.rows)"],
                    outcome: Self.outcome(snapshot, added: kept, taken))
            }
        }
    }

    /// Takes out the rows that a predicate holds for; all rows without one.
    @discardableResult
    package func delete(where predicate: String? = nil) async throws(DeltaError) -> DeltaOutcome {
        try await change { (snapshot) async throws(DeltaError) -> Draft? in
            let taken =
                if let predicate {
                    try await self.rewrite(snapshot, where: predicate)
                } else { Rewrite(removed: snapshot.sortedFiles, rowsRemoved: snapshot.rowCount ?? 0) }
            if taken.removed.isEmpty { return nil }
            let written = try await DeltaWriter(self, snapshot).writeAll([taken.kept])
            return try self.draft(
                "DELETE", ["predicate": JSONValue(predicate.map { [$0] } ?? []).text], snapshot, taken, written)
        }
    }

    /// Gives columns new values, SQL expressions over the row as it was, in the rows that a predicate holds for.
    @discardableResult
    package func update(_ values: [String: String], where predicate: String? = nil) async throws(DeltaError)
        -> DeltaOutcome
    {
        try await change { (snapshot) async throws(DeltaError) -> Draft? in
            let assignments = try Self.assignments(values, snapshot.schema)
            let condition = predicate ?? "true"
            var taken = try await self.rewrite(snapshot, where: condition, keepsWholeFiles: true)
            if taken.removed.isEmpty { return nil }
            let columns = snapshot.schema.fields.map { field in
                let name = SQLText.name(field.name)
                guard let value = assignments[field.name] else { return name }
                return
                    "CAST(CASE WHEN (\(condition)) THEN (\(value)) ELSE \(name) END AS \(field.type.sql())) AS \(name)"
            }
            let rows = try DeltaRelation(snapshot).sql(taken.sources)
            taken.kept = "SELECT \(columns.joined(separator: ", ")) FROM (\(rows))"
            let written = try await DeltaWriter(self, snapshot).writeAll([taken.kept])
            return try self.draft("UPDATE", ["predicate": condition], snapshot, taken, written)
        }
    }

    func draft(
        _ operation: String, _ parameters: [String: String], _ snapshot: DeltaSnapshot, _ taken: Rewrite,
        _ written: DeltaWriter.Written
    ) throws(DeltaError) -> Draft {
        let now = clock()
        var actions: [DeltaAction] = []
        for file in taken.removed { actions.append(.remove(try file.removal(at: now, dataChange: true))) }
        actions += written.files.map { .add($0) }
        return Draft(
            transaction: DeltaTransaction(
                readVersion: snapshot.version, reads: .everything, readFiles: Set(snapshot.files.keys), actions: actions
            ),
            operation: operation, parameters: parameters,
            metrics: [
                "numRemovedFiles": "\(taken.removed.count)", "numAddedFiles": "\(written.files.count)",
                "numAffectedRows": "\(taken.rowsRemoved)",
            ],
            outcome: Self.outcome(snapshot, added: written, taken))
    }

    static func outcome(
        _ snapshot: DeltaSnapshot, added: DeltaWriter.Written, _ taken: Rewrite = Rewrite()
    ) -> DeltaOutcome {
        DeltaOutcome(
            version: snapshot.version, isCommitted: false, rowsAdded: added.rows, rowsRemoved: taken.rowsRemoved,
            filesAdded: added.files.count, filesRemoved: taken.removed.count)
    }

    static func metadata(_ snapshot: DeltaSnapshot, _ schema: DeltaSchema) -> DeltaMetadata {
        var metadata = snapshot.metadata
        metadata.schemaString = schema.text
        return metadata
    }

    // MARK: Rows that come

    /// New rows as a query with the schema's columns; a staged file that has to go afterwards.
    private func incoming(_ rows: DeltaRows, _ snapshot: DeltaSnapshot, evolves: Bool) async throws(DeltaError)
        -> (query: String, schema: DeltaSchema, staged: String?)
    {
        let schema = snapshot.schema
        switch rows {
        case .jsonLines(let bytes):
            let path = "\(Self.stagingFolder)/\(RandomID.uuid()).json"
            let local = try await storage.stage(path, bytes)
            let types = schema.fields.map { "\(SQLText.name($0.name)): \(SQLText.text($0.type.sql()))" }
            return (
                """
                SELECT * FROM read_json(\(SQLText.text(local)), format = 'newline_delimited', \
                maximum_object_size = \(bytes.longestLine), hive_partitioning = false, columns = {\(types.joined(separator: ", "))})
                """, schema, path
            )
        case .query(let query):
            let given = try await described(query)
            var target = schema
            let added = given.fields.filter { schema[$0.name] == nil }
            if evolves {
                target = try schema.merged(with: given)
                if target != schema {
                    try DeltaFeatures.checkWrite(snapshot.protocolVersions, snapshot.metadata, target)
                }
            } else if let first = added.first {
                throw DeltaError(
                    .notAllowed,
                    "the new rows have a column \(first.name), the table has not: allow the schema to evolve, or leave "
                        + "it out")
            }
            let columns = target.fields.map { field in
                let value = given[field.name].map { SQLText.name($0.name) } ?? "NULL"
                return "CAST(\(value) AS \(field.type.sql())) AS \(SQLText.name(field.name))"
            }
            return ("SELECT \(columns.joined(separator: ", ")) FROM (\(query))", target, nil)
        }
    }

    /// The columns that a query has.
    package func described(_ query: String) async throws(DeltaError) -> DeltaSchema {
        var fields: [DeltaField] = []
        for row in try await engine.texts("SELECT column_name, column_type FROM (DESCRIBE \(query))") {
            guard row.count == 2, let name = row[0], let type = row[1] else { continue }
            fields.append(DeltaField(name, try EngineType.parse(type, column: name)))
        }
        return DeltaSchema(fields)
    }

    private func clearing<T>(_ staged: String?, _ work: () async throws(DeltaError) -> T) async throws(DeltaError) -> T
    {
        do throws(DeltaError) {
            let value = try await work()
            if let staged { try await storage.delete([staged]) }
            return value
        } catch {
            if let staged { try? await storage.delete([staged]) }
            throw error
        }
    }

    func count(_ query: String) async throws(DeltaError) -> Int64 {
        let rows = try await engine.texts("SELECT CAST(count(*) AS VARCHAR) FROM (\(query))")
        return rows.first?.first?.flatMap { Int64($0) } ?? 0
    }

    /// By the columns' real names.
    static func assignments(_ values: [String: String], _ schema: DeltaSchema) throws(DeltaError) -> [String: String] {
        var assignments: [String: String] = [:]
        for (name, value) in values {
            guard let field = schema[name] else {
                throw DeltaError(.invalidArgument, "the table has no column \(name)")
            }
            assignments[field.name] = value
        }
        guard !assignments.isEmpty else { throw DeltaError(.invalidArgument, "no column is given a value") }
        return assignments
    }

    // MARK: Rows that go

    /// Files that are taken out, and the rows of them that stay.
    struct Rewrite {
        var removed: [DeltaAddFile] = []
        var sources: [DeltaRelation.Source] = []
        var rowsRemoved: Int64 = 0
        /// A query; nil when no row stays.
        var kept: String?
    }

    /// The files that have rows which a predicate holds for; with `keepsWholeFiles`, files only.
    func rewrite(
        _ snapshot: DeltaSnapshot, where predicate: String, keepsWholeFiles: Bool = false
    ) async throws(DeltaError) -> Rewrite {
        let candidates = await files(snapshot, where: predicate)
        guard !candidates.isEmpty else { return Rewrite() }
        let relation = try DeltaRelation(snapshot)
        let all = try await sources(candidates)
        let file = DeltaRelation.fileColumn
        let hits = try await engine.texts(
            """
            SELECT \(file), CAST(count(*) AS VARCHAR), CAST(count(*) FILTER (WHERE (\(predicate))) AS VARCHAR) \
            FROM (\(try relation.sql(all, withPlaces: true))) GROUP BY \(file)
            """)
        var counts: [String: (all: Int64, hit: Int64)] = [:]
        for row in hits {
            guard row.count == 3, let name = row[0], let all = row[1].flatMap({ Int64($0) }),
                let hit = row[2].flatMap({ Int64($0) }), hit > 0
            else { continue }
            counts[name] = (all, hit)
        }
        var rewrite = Rewrite()
        var partly: [DeltaRelation.Source] = []
        for source in all {
            guard let count = counts[source.local] else { continue }
            rewrite.removed.append(source.file)
            rewrite.sources.append(source)
            rewrite.rowsRemoved += count.hit
            if count.hit < count.all { partly.append(source) }
        }
        if !partly.isEmpty, !keepsWholeFiles {
            rewrite.kept = "SELECT * FROM (\(try relation.sql(partly))) WHERE (\(predicate)) IS NOT TRUE"
        }
        return rewrite
    }
}

extension DeltaWriter {
    /// Writes what several queries give, one after the other, each with the columns that it has.
    func writeAll(_ queries: [String?]) async throws(DeltaError) -> Written {
        let queries = queries.compactMap { $0 }
        guard !queries.isEmpty else { return Written() }
        guard queries.count > 1 else { return try await write(queries[0]) }
        return try await write(queries.map { "SELECT * FROM (\($0))" }.joined(separator: " UNION ALL BY NAME "))
    }
}

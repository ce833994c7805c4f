// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol

/// What a merge does with rows that match and with those that do not.
package struct DeltaMerge: Sendable {
    /// A thing done with a row, when `condition` holds; the first clause whose condition holds is taken.
    package struct Clause: Sendable {
        package enum Action: Sendable {
            /// SQL expressions by column, over `target` and `source`.
            case update([String: String])
            /// Every column gets the source's value of that name.
            case updateAll
            case delete
        }

        package var condition: String?
        package var action: Action

        package init(_ action: Action, when condition: String? = nil) {
            self.action = action
            self.condition = condition
        }
    }

    /// A row put into the table for a source's row that matches none.
    package struct Insert: Sendable {
        package var condition: String?
        /// SQL expressions by column over `source`; nil takes every column by its name.
        package var values: [String: String]?

        package init(_ values: [String: String]? = nil, when condition: String? = nil) {
            self.values = values
            self.condition = condition
        }
    }

    /// A query.
    package var source: String
    /// SQL over `target` and `source`.
    package var condition: String
    package var matched: [Clause]
    package var inserts: [Insert]

    package init(source: String, on condition: String, matched: [Clause] = [], inserts: [Insert] = []) {
        self.source = source
        self.condition = condition
        self.matched = matched
        self.inserts = inserts
    }
}

extension DeltaTable {
    /// Changes rows that match a source's, and puts in the source's rows that match none.
    /// - Throws: `notAllowed` when a row of the table matches more than one of the source.
    @discardableResult
    package func merge(_ merge: DeltaMerge, application: DeltaAppTransaction? = nil) async throws(DeltaError)
        -> DeltaOutcome
    {
        // The source is looked at more than once, and has to stay the same.
        let staged = "\(Self.stagingFolder)/\(RandomID.uuid()).parquet"
        let local = SQLText.text(try await storage.target(staged))
        do throws(DeltaError) {
            _ = try await engine.texts("COPY (\(merge.source)) TO \(local) (FORMAT parquet, COMPRESSION snappy)")
            let source = "(SELECT *, true AS __apus_is_source FROM read_parquet(\(local), hive_partitioning = false))"
            let columns = try await described(merge.source)
            let outcome = try await change(application: application) { (snapshot) async throws(DeltaError) -> Draft? in
                try await self.merged(merge, source, columns, snapshot, keepsEmpty: application != nil)
            }
            try await storage.delete([staged])
            return outcome
        } catch {
            try? await storage.delete([staged])
            throw error
        }
    }

    private func merged(
        _ merge: DeltaMerge, _ source: String, _ columns: DeltaSchema, _ snapshot: DeltaSnapshot, keepsEmpty: Bool
    ) async throws(DeltaError) -> Draft? {
        let relation = try DeltaRelation(snapshot)
        let all = try await sources(await files(snapshot, matching: merge.condition, source, columns))
        let target = try relation.sql(all, withPlaces: true)
        let file = DeltaRelation.fileColumn
        let row = DeltaRelation.rowColumn
        var taken = Rewrite()
        var queries: [String] = []
        if !merge.matched.isEmpty, !all.isEmpty {
            let any = merge.matched.map { "(\($0.condition ?? "true"))" }.joined(separator: " OR ")
            let hits = try await engine.texts(
                """
                SELECT f, CAST(count(*) AS VARCHAR), CAST(max(n) AS VARCHAR) FROM (\
                SELECT target.\(file) AS f, target.\(row) AS r, count(*) AS n FROM (\(target)) target \
                JOIN \(source) source ON (\(merge.condition)) WHERE \(any) GROUP BY ALL) GROUP BY f
                """)
            var touched: Set<String> = []
            for hit in hits {
                guard hit.count == 3, let name = hit[0] else { continue }
                guard hit[2] == "1" else {
                    throw DeltaError(
                        .notAllowed,
                        "the merge is not clear: a row of the table matches more than one row of the source")
                }
                touched.insert(name)
                taken.rowsRemoved += hit[1].flatMap { Int64($0) } ?? 0
            }
            taken.sources = all.filter { touched.contains($0.local) }
            taken.removed = taken.sources.map(\.file)
            if !taken.sources.isEmpty {
                queries.append(try changed(merge, source, columns, snapshot, relation.sql(taken.sources)))
            }
        }
        for (index, insert) in merge.inserts.enumerated() {
            let conditions =
                merge.inserts[..<index].map { "(\($0.condition ?? "true")) IS NOT TRUE" } + [
                    "(\(insert.condition ?? "true"))"
                ]
            queries.append(
                """
                SELECT \(try Self.inserted(insert, columns, snapshot.schema)) FROM \(source) source WHERE \
                \(conditions.joined(separator: " AND ")) AND NOT EXISTS (SELECT 1 FROM (\(target)) target \
                WHERE (\(merge.condition)))
                """)
        }
        let written = try await DeltaWriter(self, snapshot).writeAll(queries)
        if taken.removed.isEmpty, written.files.isEmpty, !keepsEmpty { return nil }
        return try draft("MERGE", ["predicate": merge.condition], snapshot, taken, written)
    }

    /// Rows of the files that are taken out, as the clauses leave them.
    private func changed(
        _ merge: DeltaMerge, _ source: String, _ columns: DeltaSchema, _ snapshot: DeltaSnapshot, _ target: String
    ) throws(DeltaError) -> String {
        let isMatched = "source.__apus_is_source IS TRUE"
        var clauses: [(when: String, values: [String: String]?)] = []
        for clause in merge.matched {
            let when = "\(isMatched) AND (\(clause.condition ?? "true"))"
            switch clause.action {
            case .delete: clauses.append((when, nil))
            case .update(let values): clauses.append((when, try Self.assignments(values, snapshot.schema)))
            case .updateAll: clauses.append((when, Self.byName(columns, snapshot.schema)))
            }
        }
        let values = snapshot.schema.fields.map { field in
            let name = SQLText.name(field.name)
            let cases = clauses.map { "WHEN \($0.when) THEN (\($0.values?[field.name] ?? "target.\(name)"))" }
            return
                "CAST(CASE \(cases.joined(separator: " ")) ELSE target.\(name) END AS \(field.type.sql())) AS \(name)"
        }
        // Number of the clause that is taken; a row whose clause deletes it is left out.
        let number = clauses.enumerated().map { "WHEN \($1.when) THEN \($0)" }.joined(separator: " ")
        let deleting = clauses.enumerated().filter { $1.values == nil }.map { "\($0.offset)" }
        let condition =
            deleting.isEmpty
            ? "true" : "(CASE \(number) ELSE -1 END) NOT IN (\(deleting.joined(separator: ", ")))"
        // A row that no clause applies to may match several of the source's, and is there once all the same.
        let any = clauses.map { "(\($0.when))" }.joined(separator: " OR ")
        return """
            SELECT \(values.joined(separator: ", ")) FROM (SELECT *, row_number() OVER () AS __apus_row FROM (\(target))) target \
            LEFT JOIN \(source) source ON (\(merge.condition)) WHERE \(condition) \
            QUALIFY row_number() OVER (PARTITION BY target.__apus_row ORDER BY (\(any)) DESC NULLS LAST) = 1
            """
    }

    private static func byName(_ columns: DeltaSchema, _ schema: DeltaSchema) -> [String: String] {
        var values: [String: String] = [:]
        for field in schema.fields {
            if let column = columns[field.name] { values[field.name] = "source.\(SQLText.name(column.name))" }
        }
        return values
    }

    private static func inserted(_ insert: DeltaMerge.Insert, _ columns: DeltaSchema, _ schema: DeltaSchema)
        throws(DeltaError) -> String
    {
        let values = if let given = insert.values { try assignments(given, schema) } else { byName(columns, schema) }
        return schema.fields.map { field in
            "CAST(\(values[field.name].map { "(\($0))" } ?? "NULL") AS \(field.type.sql())) AS \(SQLText.name(field.name))"
        }.joined(separator: ", ")
    }
}

// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import TrackingModel

/// The registry's rows in one transaction.
struct RegistryRows {
    let session: any SQLSession

    /// The columns that ``version(_:_:)`` reads.
    static let versionColumns =
        "v.model, v.version, v.created, v.updated, v.description, v.stage, v.source, v.run_id, v.run_link"

    /// A registered model's own row.
    struct Model {
        let id: Int64
        let name: String
        let created: Int64
        let updated: Int64
        let description: String?

        init(_ row: SQLRow) {
            id = row.integer(0)
            name = row.text(1)
            created = row.integer(2)
            updated = row.integer(3)
            description = row.textIfAny(4)
        }
    }

    /// - Returns: nil where there is no model of that name.
    func find(_ name: String) throws -> Model? {
        try session.row(
            "SELECT id, name, created, updated, description FROM registered_models WHERE name = ?", [.text(name)]
        )
        .map(Model.init)
    }

    /// - Throws: ``TrackingError`` where the name is none, or no model has it.
    func model(_ name: String) throws -> Model {
        try RegistryRules.checkModelName(name)
        guard let model = try find(name) else {
            throw TrackingError.missing("Registered Model with name=\(name) not found")
        }
        return model
    }

    /// Models with their tags, aliases and newest versions, in the order given.
    func whole(_ models: [Model]) throws -> [RegisteredModel] {
        let ids = models.map(\.id)
        let tags = try tags("registered_model_tags", ids)
        var aliases: [Int64: [RegisteredModel.Alias]] = [:]
        for part in ids.parts {
            for row in try session.rows(
                "SELECT model, alias, version FROM registered_model_aliases WHERE model IN (\(part.marks)) ORDER BY alias",
                part.values)
            {
                aliases[row.integer(0), default: []].append(.init(row.text(1), row.integer(2)))
            }
        }
        let names = Dictionary(models.map { ($0.id, $0.name) }) { first, _ in first }
        let latest = try latestVersions(names)
        return models.map {
            RegisteredModel(
                name: $0.name, created: $0.created, updated: $0.updated, description: $0.description,
                tags: tags[$0.id] ?? [], aliases: aliases[$0.id] ?? [], latestVersions: latest[$0.id] ?? [])
        }
    }

    /// The tags of models (registered or logged), by their inner numbers.
    func tags(_ table: String, _ ids: [Int64]) throws -> [Int64: [Tag]] {
        var result: [Int64: [Tag]] = [:]
        for part in ids.parts {
            for row in try session.rows(
                "SELECT model, key, value FROM \(table) WHERE model IN (\(part.marks)) ORDER BY key", part.values)
            {
                result[row.integer(0), default: []].append(Tag(row.text(1), row.text(2)))
            }
        }
        return result
    }

    /// The newest version of every stage; the stage that came first is first.
    func latestVersions(_ names: [Int64: String]) throws -> [Int64: [ModelVersion]] {
        var numbers: [(Int64, Int64)] = []
        for part in Array(names.keys).parts {
            for row in try session.rows(
                """
                SELECT model, MAX(version), MIN(version) FROM model_versions
                WHERE model IN (\(part.marks)) AND stage <> ? GROUP BY model, stage ORDER BY 3
                """, part.values + [.text(ModelStage.deleted)])
            {
                numbers.append((row.integer(0), row.integer(1)))
            }
        }
        let found = try versions(numbers, names)
        return Dictionary(grouping: found, by: \.model).mapValues { $0.map(\.version) }
    }

    /// Versions by their numbers, in the order given, with their tags; what is not there is left out.
    func versions(
        _ numbers: [(model: Int64, version: Int64)], _ names: [Int64: String]
    ) throws -> [(model: Int64, version: ModelVersion)] {
        var found: [Pair: ModelVersion] = [:]
        for part in numbers.pairParts {
            for row in try session.rows(
                "SELECT \(Self.versionColumns) FROM model_versions v WHERE (v.model, v.version) IN (VALUES \(part.marks))",
                part.values)
            {
                found[Pair(row)] = version(row, names[row.integer(0)] ?? "")
            }
            for row in try session.rows(
                """
                SELECT model, version, key, value FROM model_version_tags
                WHERE (model, version) IN (VALUES \(part.marks)) ORDER BY key
                """, part.values)
            {
                found[Pair(row)]?.tags.append(Tag(row.text(2), row.text(3)))
            }
        }
        return numbers.compactMap { number in
            found[Pair(model: number.model, version: number.version)].map { (number.model, $0) }
        }
    }

    /// One version with tags and aliases.
    /// - Throws: RESOURCE_DOES_NOT_EXIST where it is not there or was deleted.
    func version(_ name: String, _ number: Int64) throws -> (model: Model, version: ModelVersion) {
        try RegistryRules.checkModelName(name)
        guard let model = try find(name),
            var version = try versions([(model.id, number)], [model.id: name]).first?.version,
            version.stage != ModelStage.deleted
        else { throw TrackingError.missing("Model Version (name=\(name), version=\(number)) not found") }
        version.aliases = try aliases(model.id, number)
        return (model, version)
    }

    func aliases(_ model: Int64, _ version: Int64) throws -> [String] {
        try session.rows(
            "SELECT alias FROM registered_model_aliases WHERE model = ? AND version = ? ORDER BY alias",
            [.integer(model), .integer(version)]
        ).map { $0.text(0) }
    }

    func hasPromptTag(_ model: Int64) throws -> Bool {
        try session.row(
            "SELECT 1 FROM registered_model_tags WHERE model = ? AND key = ?",
            [.integer(model), .text(RegistryRules.promptTag)]) != nil
    }

    func setTags(_ table: String, _ model: Int64, _ tags: [Tag]) throws {
        for tag in tags {
            try session.run(
                """
                INSERT INTO \(table) (model, key, value) VALUES (?, ?, ?)
                ON CONFLICT (model, key) DO UPDATE SET value = excluded.value
                """, [.integer(model), .text(tag.key), .text(tag.value)])
        }
    }

    func touch(_ model: Int64, _ now: Int64) throws {
        try session.run("UPDATE registered_models SET updated = ? WHERE id = ?", [.integer(now), .integer(model)])
    }

    private func version(_ row: SQLRow, _ name: String) -> ModelVersion {
        ModelVersion(
            name: name, version: row.integer(1), created: row.integer(2), updated: row.integer(3),
            description: row.textIfAny(4), stage: row.text(5), source: row.text(6), runID: row.textIfAny(7),
            runLink: row.textIfAny(8))
    }

    private struct Pair: Hashable {
        let model: Int64
        let version: Int64

        init(model: Int64, version: Int64) {
            self.model = model
            self.version = version
        }

        init(_ row: SQLRow) { self.init(model: row.integer(0), version: row.integer(1)) }
    }
}

/// A part of a list for one statement.
struct SQLPart {
    /// As many `?` as there are values, or `(?, ?)` as there are pairs.
    let marks: String
    let values: [SQLValue]
}

private let partSize = 400

extension [Int64] {
    /// Parts of a bounded size, for `IN (…)`.
    var parts: [SQLPart] {
        stride(from: 0, to: count, by: partSize).map { start in
            let part = self[start..<Swift.min(start + partSize, count)]
            return SQLPart(
                marks: part.map { _ in "?" }.joined(separator: ", "), values: part.map { SQLValue.integer($0) })
        }
    }
}

extension [(model: Int64, version: Int64)] {
    /// Parts of a bounded size, for `IN (VALUES …)`.
    var pairParts: [SQLPart] {
        stride(from: 0, to: count, by: partSize).map { start in
            let part = self[start..<Swift.min(start + partSize, count)]
            return SQLPart(
                marks: part.map { _ in "(?, ?)" }.joined(separator: ", "),
                values: part.flatMap { [SQLValue.integer($0.model), .integer($0.version)] })
        }
    }
}

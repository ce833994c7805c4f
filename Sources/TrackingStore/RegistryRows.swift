// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import TrackingModel

/// The registry's rows in one transaction.
struct RegistryRows {
    let session: any SQLSession

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
        try session.each(ids) { values, marks in
            for row in try session.rows(
                "SELECT model, alias, version FROM registered_model_aliases WHERE model IN (\(marks)) ORDER BY alias",
                values)
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
        try session.each(ids) { values, marks in
            for row in try session.rows(
                "SELECT model, key, value FROM \(table) WHERE model IN (\(marks)) ORDER BY key", values)
            {
                result[row.integer(0), default: []].append(Tag(row.text(1), row.text(2)))
            }
        }
        return result
    }

    /// The newest version of every stage; the stage that came first is first.
    func latestVersions(_ names: [Int64: String]) throws -> [Int64: [ModelVersion]] {
        var numbers: [Number] = []
        try session.each(names.keys.sorted()) { values, marks in
            for row in try session.rows(
                """
                SELECT model, MAX(version), MIN(version) FROM model_versions
                WHERE model IN (\(marks)) AND stage <> ? GROUP BY model, stage ORDER BY 3
                """, values + [.text(ModelStage.deleted)])
            {
                numbers.append(Number(row))
            }
        }
        return Dictionary(grouping: try versions(numbers, names), by: \.model).mapValues { $0.map(\.version) }
    }

    /// Versions by their numbers, in the order given, with their tags; what is not there is left out.
    func versions(_ numbers: [Number], _ names: [Int64: String]) throws -> [(model: Int64, version: ModelVersion)] {
        var found: [Number: ModelVersion] = [:]
        try session.each(numbers) { values, marks in
            for row in try session.rows(
                """
                SELECT model, version, created, updated, description, stage, source, run_id, run_link
                FROM model_versions WHERE (model, version) IN (VALUES \(marks))
                """, values)
            {
                found[Number(row)] = version(row, names[row.integer(0)] ?? "")
            }
            for row in try session.rows(
                """
                SELECT model, version, key, value FROM model_version_tags
                WHERE (model, version) IN (VALUES \(marks)) ORDER BY key
                """, values)
            {
                found[Number(row)]?.tags.append(Tag(row.text(2), row.text(3)))
            }
        }
        return numbers.compactMap { number in found[number].map { (number.model, $0) } }
    }

    /// One version with tags and aliases.
    /// - Throws: RESOURCE_DOES_NOT_EXIST where it is not there or was deleted.
    func version(_ name: String, _ number: Int64) throws -> (model: Model, version: ModelVersion) {
        try RegistryRules.checkModelName(name)
        guard let model = try find(name),
            var version = try versions([Number(model.id, number)], [model.id: name]).first?.version,
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

    /// A model's number inside, and the number of one of its versions.
    struct Number: Hashable {
        let model: Int64
        let version: Int64

        init(_ model: Int64, _ version: Int64) {
            self.model = model
            self.version = version
        }

        /// The first two columns.
        init(_ row: SQLRow) { self.init(row.integer(0), row.integer(1)) }
    }
}

extension SQLSession {
    /// Calls with pairs in portions and as many marks; the last portion is filled up with its last pair.
    fileprivate func each(_ pairs: [RegistryRows.Number], _ body: ([SQLValue], _ marks: String) throws -> Void) throws {
        for start in stride(from: 0, to: pairs.count, by: 256) {
            var portion = Array(pairs[start..<min(start + 256, pairs.count)])
            let size = [1, 16].first { portion.count <= $0 } ?? 256
            portion += [RegistryRows.Number](repeating: portion[portion.count - 1], count: size - portion.count)
            let marks = [String](repeating: "(?, ?)", count: size).joined(separator: ", ")
            try body(portion.flatMap { [.integer($0.model), .integer($0.version)] }, marks)
        }
    }
}

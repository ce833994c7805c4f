// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol

extension DeltaTable {
    /// A state's files, without those that statistics or partition values say have no row that a condition holds for. The
    /// engine's parser reads the condition; what it cannot read, or what is not simple, leaves all files in.
    func files(_ snapshot: DeltaSnapshot, where condition: String?) async -> [DeltaAddFile] {
        let all = snapshot.sortedFiles
        guard let condition, let tree = await tree(condition) else { return all }
        return Self.files(all, snapshot, FilePredicate(tree: tree))
    }

    /// The files with rows that may match a merge's source: where both have to be equal in a column, its values are not
    /// less than the source's least and not greater than its greatest.
    func files(
        _ snapshot: DeltaSnapshot, matching condition: String, _ source: String, _ columns: DeltaSchema
    ) async -> [DeltaAddFile] {
        let all = snapshot.sortedFiles
        guard let tree = await tree(condition) else { return all }
        var parts = [FilePredicate(tree: tree, alias: "target")]
        for (name, other) in FilePredicate.equalities(tree: tree, alias: "target", other: "source") {
            guard let field = snapshot.schema[name], let given = columns[other], Self.isAlike(field.type, given.type)
            else { continue }
            let value = SQLText.name(given.name)
            let query = "SELECT CAST(min(\(value)) AS VARCHAR), CAST(max(\(value)) AS VARCHAR) FROM \(source) source"
            guard let row = try? await engine.texts(query).first, row.count == 2 else { continue }
            guard let least = row[0], let greatest = row[1] else {
                // No value at all: equal to nothing.
                parts.append(.never)
                continue
            }
            let bounds: [FilePredicate.Constant] =
                if field.type == .string || field.type == .date {
                    [.text(least), .text(greatest)]
                } else { [least, greatest].compactMap { text in Int64(text).map { .integer($0) } } }
            guard bounds.count == 2 else { continue }
            parts.append(.atLeast(name, bounds[0]))
            parts.append(.atMost(name, bounds[1]))
        }
        return Self.files(all, snapshot, .and(parts))
    }

    private static func files(_ all: [DeltaAddFile], _ snapshot: DeltaSnapshot, _ predicate: FilePredicate)
        -> [DeltaAddFile]
    {
        all.filter { predicate.mayHold(in: $0, of: snapshot) }
    }

    /// Whether the engine compares values of both as they are.
    private static func isAlike(_ one: DeltaType, _ other: DeltaType) -> Bool {
        let integers: [DeltaType] = [.long, .integer, .short, .byte]
        return integers.contains(one) && integers.contains(other)
            || one == other && (one == .string || one == .date)
    }

    /// A condition's tree; nil where the engine has none.
    private func tree(_ condition: String) async -> JSONValue? {
        let query = SQLText.text("SELECT 1 FROM t WHERE (\(condition))")
        guard let text = try? await engine.texts("SELECT CAST(json_serialize_sql(\(query)) AS VARCHAR)").first?.first,
            let text, text.utf8.count < 4 << 20, let tree = try? JSONParser.parse(text, maxDepth: 512),
            tree["error"].bool == false
        else { return nil }
        return tree
    }

    /// A query for the rows of a state that a condition holds for, to be put in parentheses after FROM.
    package func query(_ snapshot: DeltaSnapshot, where condition: String) async throws(DeltaError) -> String {
        let rows = try DeltaRelation(snapshot).sql(try await sources(await files(snapshot, where: condition)))
        return "SELECT * FROM (\(rows)) WHERE (\(condition))"
    }
}

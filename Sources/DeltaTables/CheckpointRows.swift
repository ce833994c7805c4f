// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
package import DeltaProtocol
import LakeEngine

/// Which columns of a checkpoint's file are read, and as which members of which actions.
struct CheckpointPlan: Sendable {
    /// An action's kind, and where its members are among the query's columns.
    struct Kind: Sendable {
        let name: String
        let members: [ActionMember]
        /// Place of the first member's column.
        let start: Int
    }

    let kinds: [Kind]
    /// Each column is one member of one kind of action.
    let query: String

    /// Takes from a file's columns those that are known: not the parsed forms of statistics and partition values, which
    /// say what their texts say already. `source` is what stands after FROM.
    /// - Throws: `corruptLog` for a file that is no checkpoint's.
    init(_ schema: ArrowSchemaInfo, path: String, source: String) throws(DeltaError) {
        var kinds: [Kind] = []
        var columns: [String] = []
        for column in CheckpointColumns.all {
            guard let field = schema.fields.first(where: { $0.name == column.name }) else { continue }
            guard case .structure(let fields) = field.type else {
                throw DeltaError(
                    .corruptLog, "the checkpoint \(path): the column \(column.name) is \(field.type), not a structure")
            }
            let present = Set(fields.map(\.name))
            let members = column.members.filter { present.contains($0.text) }
            kinds.append(Kind(name: column.name, members: members, start: columns.count))
            columns += members.map { "struct_extract(t.\(SQLText.name(column.name)), \(SQLText.text($0.text)))" }
        }
        guard !columns.isEmpty else {
            throw DeltaError(.corruptLog, "the checkpoint \(path) has none of the columns that checkpoints have")
        }
        self.kinds = kinds
        query = "SELECT \(columns.joined(separator: ", ")) FROM \(source) t"
    }

    /// The actions of some rows, each at most one; a row without any value that is known is of a kind that is not.
    func actions(_ batch: ArrowBatch, into actions: inout [DeltaAction]) throws(DeltaError) {
        let kinds = kinds.map { kind in
            (kind, ColumnFields.Columns(kind.members, batch.columns[kind.start..<kind.start + kind.members.count]))
        }
        for row in 0..<batch.rowCount {
            var found: ColumnFields?
            for (kind, columns) in kinds where columns.hasValue(row) {
                if let found {
                    throw DeltaError(
                        .corruptLog, "an action must have one member, not \([found.action, kind.name].sorted())")
                }
                found = ColumnFields(action: kind.name, columns: columns, row: row)
            }
            if let found { actions.append(try DeltaAction(found)) }
        }
    }
}

/// The members of an action in a row of typed columns.
struct ColumnFields: ActionFields {
    /// Columns by member.
    struct Columns {
        private let byMember: [ArrowColumn?]
        private let all: [ArrowColumn]

        init(_ members: [ActionMember], _ columns: some Sequence<ArrowColumn>) {
            var byMember = [ArrowColumn?](repeating: nil, count: ActionMember.allCases.count)
            for (member, column) in zip(members, columns) { byMember[member.rawValue] = column }
            self.byMember = byMember
            all = Array(columns)
        }

        subscript(member: ActionMember) -> ArrowColumn? { byMember[member.rawValue] }

        func hasValue(_ row: Int) -> Bool { all.contains { !$0.isNull(row) } }
    }

    let action: String
    let columns: Columns
    let row: Int

    /// The column of a member that is there in this row.
    private func column(_ member: ActionMember) -> ArrowColumn? {
        guard let column = columns[member], !column.isNull(row) else { return nil }
        return column
    }

    func optionalString(_ member: ActionMember) throws(DeltaError) -> String? {
        guard let column = column(member) else { return nil }
        guard let text = column.string(row) else { throw wrong(member, "a string", "\(column.type)") }
        return text
    }

    func optionalInteger(_ member: ActionMember) throws(DeltaError) -> Int64? {
        guard let column = column(member) else { return nil }
        guard case .int = column.type, let number = column.int64(row) else {
            throw wrong(member, "an integer", "\(column.type)")
        }
        return number
    }

    func optionalBool(_ member: ActionMember) throws(DeltaError) -> Bool? {
        guard let column = column(member) else { return nil }
        guard let flag = column.bool(row) else { throw wrong(member, "true or false", "\(column.type)") }
        return flag
    }

    func optionalArray(_ member: ActionMember) throws(DeltaError) -> [String]? {
        guard let column = column(member) else { return nil }
        guard case .list = column.type, let list = column.list(row) else {
            throw wrong(member, "an array of strings", "\(column.type)")
        }
        var texts: [String] = []
        for element in 0..<list.count {
            guard let text = list.string(element) else {
                throw wrong(member, "an array of strings", list.isNull(element) ? "null" : "\(list.type)")
            }
            texts.append(text)
        }
        return texts
    }

    func nullableStrings(_ member: ActionMember) throws(DeltaError) -> [String: String?]? {
        guard let column = column(member) else { return nil }
        guard case .map = column.type, let entries = column.list(row) else {
            throw wrong(member, "a map of strings", "\(column.type)")
        }
        guard entries.count > 0, let keys = entries.member(0), let values = entries.member(1) else { return [:] }
        var texts: [String: String?] = [:]
        for entry in 0..<entries.count {
            guard let key = keys.string(entry) else { throw wrong(member, "a map of strings", "\(column.type)") }
            let value = values.string(entry)
            guard value != nil || values.isNull(entry) else {
                throw wrong(member, "a map of strings", "\(column.type)")
            }
            texts.updateValue(value, forKey: key)
        }
        return texts
    }

    func optionalFields(_ member: ActionMember) throws(DeltaError) -> ColumnFields? {
        guard let column = column(member) else { return nil }
        guard case .structure(let fields) = column.type else {
            throw wrong(member, "an object", "\(column.type)")
        }
        var members: [ActionMember] = []
        var parts: [ArrowColumn] = []
        for (index, field) in fields.enumerated() {
            guard let known = ActionMember(text: field.name), let part = column.member(index) else { continue }
            members.append(known)
            parts.append(part)
        }
        return ColumnFields(action: "\(action).\(member.text)", columns: Columns(members, parts), row: row)
    }
}

extension DuckDBParquet {
    package func checkpoint(_ path: String, local: String) async throws(DeltaError) -> [DeltaAction] {
        let source = "read_parquet(\(SQLText.text(local)))"
        let schema = try await run("SELECT * FROM \(source) LIMIT 0") { result in result.schema }
        let plan = try CheckpointPlan(schema, path: path, source: source)
        let outcome = try await run(plan.query) {
            (result) async throws(LakeError) -> Result<[DeltaAction], DeltaError> in
            var actions: [DeltaAction] = []
            while let batch = try await result.next() {
                do throws(DeltaError) {
                    try plan.actions(batch, into: &actions)
                } catch {
                    return .failure(DeltaError(error.code, "the checkpoint \(path): \(error)"))
                }
            }
            return .success(actions)
        }
        return try outcome.get()
    }
}

// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import DeltaProtocol
import DeltaTables
import Foundation

/// `apus lake append`.
struct LakeAppendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "append", abstract: "Add rows: those of a query, or JSON objects from standard input.",
        discussion: """
            With --application, appends are numbered, and one whose number the table has already is not made again: a \
            sender that does not know whether its rows came through sends them again. With --batch, standard input is \
            cut into appends of that many lines, numbered from --number on.
            """)
    @OptionGroup var options: TableOptions
    @Option(parsing: .unconditional, help: "SQL whose rows are added. (default: JSON lines from standard input)")
    var query: String?
    @Flag(help: "Put the rows in the place of all that are there.") var overwrite = false
    @Option(parsing: .unconditional, help: "With --overwrite: replace only rows that this holds for.") var `where`:
        String?
    @Flag(help: "Add columns that the table has not.") var evolve = false
    @Option(help: "Who appends.") var application: String?
    @Option(help: "The number of the first append.") var number: Int64 = 0
    @Option(help: "Lines of an append. (default: all)") var batch: Int?

    func validate() throws {
        if batch != nil, query != nil || overwrite { throw ValidationError("--batch is for lines that are added") }
        if let batch, batch < 1 { throw ValidationError("--batch must be 1 at least") }
        if `where` != nil, !overwrite { throw ValidationError("--where needs --overwrite") }
    }

    private func transaction(_ number: Int64) -> DeltaAppTransaction? {
        application.map { DeltaAppTransaction(appID: $0, version: number) }
    }

    func run() async throws {
        try await options.run { table in
            if let query {
                LakeCommand.report(try await change(table, .query(query), number))
            } else if let batch {
                var next = number
                var lines: [UInt8] = []
                var count = 0
                while let line = readLine(strippingNewline: false) {
                    lines += Array(line.utf8)
                    count += 1
                    if count < batch { continue }
                    LakeCommand.report(try await change(table, .jsonLines(lines), next))
                    fflush(nil)
                    next += 1
                    lines = []
                    count = 0
                }
                if count > 0 { LakeCommand.report(try await change(table, .jsonLines(lines), next)) }
            } else {
                let lines = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
                LakeCommand.report(try await change(table, .jsonLines(lines), number))
            }
        }
    }

    private func change(_ table: DeltaTable, _ rows: DeltaRows, _ number: Int64) async throws -> DeltaOutcome {
        guard overwrite else {
            return try await table.append(rows, evolves: evolve, application: transaction(number))
        }
        return try await table.overwrite(rows, where: `where`, evolves: evolve, application: transaction(number))
    }
}

/// `apus lake delete`.
struct LakeDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Take rows out of a table.")
    @OptionGroup var options: TableOptions
    @Option(parsing: .unconditional, help: "SQL that holds for the rows to take out.") var `where`: String?
    @Flag(help: "Take out all rows.") var all = false

    func validate() throws {
        if all == (`where` != nil) { throw ValidationError("give either --where or --all") }
    }

    func run() async throws {
        try await options.run { LakeCommand.report(try await $0.delete(where: `where`)) }
    }
}

/// NAME=EXPRESSION, by name.
private func assignments(_ texts: [String]) throws -> [String: String] {
    var values: [String: String] = [:]
    for text in texts {
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
            throw ValidationError("--set must be COLUMN=EXPRESSION, not '\(text)'")
        }
        values[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    return values
}

/// `apus lake update`.
struct LakeUpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "update", abstract: "Give columns new values.")
    @OptionGroup var options: TableOptions
    @Option(parsing: .unconditionalSingleValue, help: "COLUMN=EXPRESSION.") var set: [String]
    @Option(parsing: .unconditional, help: "SQL that holds for the rows to change. (default: all)") var `where`: String?

    func run() async throws {
        let values = try assignments(set)
        try await options.run { LakeCommand.report(try await $0.update(values, where: `where`)) }
    }
}

/// `apus lake merge`.
struct LakeMergeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Change rows that match a query's, and add those that match none.",
        discussion: "In conditions the table's row is \"target\" and the query's row is \"source\".")
    @OptionGroup var options: TableOptions
    @Option(parsing: .unconditional, help: "SQL whose rows are merged.") var source: String
    @Option(parsing: .unconditional, help: "When a row matches, as \"target.id = source.id\".") var on: String
    @Flag(help: "Rows that match get the source's values.") var updateAll = false
    @Option(parsing: .unconditionalSingleValue, help: "Rows that match get COLUMN=EXPRESSION.") var set: [String] = []
    @Option(parsing: .unconditional, help: "Rows that match and hold for this are taken out.") var deleteWhen: String?
    @Flag(help: "The source's rows that match none are added.") var insertAll = false

    func run() async throws {
        var matched: [DeltaMerge.Clause] = []
        if let deleteWhen { matched.append(.init(.delete, when: deleteWhen)) }
        if !set.isEmpty { matched.append(.init(.update(try assignments(set)))) }
        if updateAll { matched.append(.init(.updateAll)) }
        let merge = DeltaMerge(source: source, on: on, matched: matched, inserts: insertAll ? [.init()] : [])
        try await options.run { LakeCommand.report(try await $0.merge(merge)) }
    }
}

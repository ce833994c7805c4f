// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DeltaProtocol
import Testing

@Suite("Files that a condition rules out")
struct FilePredicateTests {
    private func snapshot() throws -> DeltaSnapshot {
        let schema = DeltaSchema([
            DeltaField("id", .long), DeltaField("name", .string), DeltaField("day", .date),
            DeltaField("at", .timestamp), DeltaField("f", .double), DeltaField("p", .string), DeltaField("late", .long),
        ])
        var replay = DeltaReplay()
        try replay.apply(
            DeltaCommit(
                version: 0,
                actions: [
                    .protocolVersions(DeltaProtocolVersions()),
                    .metadata(
                        DeltaMetadata(
                            id: "t", name: nil, description: nil, schemaString: schema.text, partitionColumns: ["p"],
                            configuration: [:], createdTime: 0)),
                ]))
        return try replay.snapshot()
    }

    private func file(_ stats: String?, p: String? = "x") throws -> DeltaAddFile {
        try DeltaAddFile(
            path: "a.parquet", partitionValues: ["p": p], size: 1, modificationTime: 1, dataChange: true, stats: stats)
    }

    private let stats = """
        {"numRecords":4,"minValues":{"id":10,"name":"b","day":"2026-01-02","at":"2026-01-02T03:04:05.678Z","f":1.5},\
        "maxValues":{"id":20,"name":"d","day":"2026-01-09","at":"2026-01-02T05:00:00.000Z","f":2.5},\
        "nullCount":{"id":0,"name":1,"day":0,"at":0,"f":4}}
        """

    private func moment(_ text: String) throws -> FilePredicate.Constant {
        .moment(try #require(Timestamp(rfc3339: text)))
    }

    @Test("Bounds, nulls and partitions")
    func bounds() throws {
        let snapshot = try snapshot()
        let file = try file(stats)
        let cases: [(FilePredicate, Bool)] = [
            (.atLeast("id", .integer(20)), true), (.atLeast("id", .integer(21)), false),
            (.atMost("id", .integer(10)), true), (.atMost("ID", .integer(9)), false),
            (.atLeast("name", .text("d")), true), (.atLeast("name", .text("da")), false),
            (.atMost("name", .text("azzz")), false), (.atLeast("name", .integer(99)), true),
            (.atLeast("day", .date("2026-01-10")), false), (.atLeast("day", .text("2026-01-10")), false),
            (.atLeast("day", .text("2026-1-10")), true), (.atMost("day", .date("2026-01-01")), false),
            // Times of statistics are cut: what is greatest may be a millisecond later.
            (.atLeast("at", try moment("2026-01-02T05:00:00.000999Z")), true),
            (.atLeast("at", try moment("2026-01-02T05:00:00.001001Z")), false),
            (.atMost("at", .text("2026-01-02 03:04:05")), false), (.atMost("at", .date("2026-01-02")), false),
            (.atMost("at", .text("2026-01-02 03:04:06+00")), true), (.atMost("at", .text("yesterday")), true),
            // Not judged: the engine has values greater than all numbers.
            (.atLeast("f", .integer(9)), false), (.isNotNull("f"), false), (.isNull("f"), true),
            (.isNull("id"), false), (.isNull("name"), true), (.isNotNull("id"), true),
            (.atLeast("p", .text("x")), true), (.atLeast("p", .text("y")), false), (.isNull("p"), false),
            (.isNull("late"), true), (.isNotNull("late"), true), (.atLeast("late", .integer(5)), true),
            (.atLeast("none", .integer(5)), true), (.unknown, true), (.never, false), (.and([]), true),
            (.and([.unknown, .atLeast("id", .integer(21))]), false),
            (.or([.never, .atMost("id", .integer(9))]), false),
            (.or([.unknown, .never]), true),
        ]
        for (predicate, mayHold) in cases {
            #expect(predicate.mayHold(in: file, of: snapshot) == mayHold, "\(predicate)")
        }
        let none = try self.file(nil, p: nil)
        #expect(FilePredicate.atLeast("id", .integer(21)).mayHold(in: none, of: snapshot))
        #expect(!FilePredicate.atLeast("p", .text("")).mayHold(in: none, of: snapshot))
        #expect(!FilePredicate.isNotNull("p").mayHold(in: none, of: snapshot))
        let zoneless = try self.file(
            "{\"numRecords\":1,\"maxValues\":{\"at\":\"2026-01-02T05:00:00.000\"},\"nullCount\":{}}")
        #expect(FilePredicate.atLeast("at", .date("2026-02-01")).mayHold(in: zoneless, of: snapshot))
        let damaged = try self.file("{\"minValues\":7,\"maxValues\":{\"id\":\"20\"},\"nullCount\":[]}")
        #expect(FilePredicate.atLeast("id", .integer(21)).mayHold(in: damaged, of: snapshot))
    }

    @Test("A value that is not a number is greater than all of them, so doubles are not judged")
    func doubles() throws {
        let file = try file(
            "{\"numRecords\":2,\"minValues\":{\"f\":1.0},\"maxValues\":{\"f\":2.0},\"nullCount\":{\"f\":0}}")
        #expect(FilePredicate.atLeast("f", .integer(9)).mayHold(in: file, of: try snapshot()))
    }

    private func tree(_ condition: String) throws -> JSONValue {
        try JSONParser.parse(
            "{\"error\":false,\"statements\":[{\"node\":{\"type\":\"SELECT_NODE\",\"where_clause\":\(condition)}}]}")
    }

    private func column(_ names: String...) -> String {
        "{\"type\":\"COLUMN_REF\",\"column_names\":[\(names.map { "\"\($0)\"" }.joined(separator: ","))]}"
    }

    private func constant(_ type: String, _ value: String, isNull: Bool = false) -> String {
        "{\"type\":\"VALUE_CONSTANT\",\"value\":{\"type\":{\"id\":\"\(type)\"},\"is_null\":\(isNull),\"value\":\(value)}}"
    }

    @Test("The parser's trees")
    func trees() throws {
        func compare(_ type: String, _ left: String, _ right: String) throws -> FilePredicate {
            FilePredicate(tree: try tree("{\"type\":\"\(type)\",\"left\":\(left),\"right\":\(right)}"), alias: "target")
        }
        let five = constant("INTEGER", "5")
        #expect(try compare("COMPARE_GREATERTHAN", column("id"), five) == .atLeast("id", .integer(5)))
        #expect(try compare("COMPARE_GREATERTHAN", five, column("target", "id")) == .atMost("id", .integer(5)))
        #expect(try compare("COMPARE_NOTEQUAL", column("id"), five) == .unknown)
        #expect(try compare("COMPARE_EQUAL", column("source", "id"), five) == .unknown)
        #expect(try compare("COMPARE_EQUAL", column("id"), constant("INTEGER", "null", isNull: true)) == .unknown)
        #expect(try compare("COMPARE_EQUAL", column("id"), constant("DECIMAL", "15")) == .unknown)
        let cast =
            "{\"type\":\"OPERATOR_CAST\",\"try_cast\":false,\"cast_type\":{\"id\":\"DATE\"},\"child\":\(constant("VARCHAR", "\"2026-01-02\""))}"
        #expect(try compare("COMPARE_LESSTHAN", column("day"), cast) == .atMost("day", .date("2026-01-02")))
        let attempt = cast.split(separator: "false").joined(separator: "true")
        #expect(
            try compare("COMPARE_LESSTHAN", column("day"), attempt).mayHold(in: try file(stats), of: try snapshot()))
        let either =
            "{\"type\":\"CONJUNCTION_OR\",\"children\":[{\"type\":\"OPERATOR_NOT\"},{\"type\":\"OPERATOR_IS_NULL\",\"children\":[\(column("id"))]}]}"
        #expect(FilePredicate(tree: try tree(either)) == .unknown)
        let on = try tree(
            "{\"type\":\"CONJUNCTION_AND\",\"children\":[{\"type\":\"COMPARE_EQUAL\",\"left\":\(column("source", "k")),\"right\":\(column("Target", "id"))},{\"type\":\"CONJUNCTION_OR\",\"children\":[]}]}"
        )
        let found = FilePredicate.equalities(tree: on, alias: "target", other: "source")
        #expect(found.map { "\($0.column)=\($0.other)" } == ["id=k"])
        #expect(FilePredicate(tree: [:]) == .unknown)
        #expect(FilePredicate(tree: ["statements": [["node": ["type": "SET_OPERATION_NODE"]]]]) == .unknown)
    }

    @Test("A deep tree is not followed to its end")
    func deep() throws {
        var text = "{\"type\":\"OPERATOR_IS_NULL\",\"children\":[\(column("id"))]}"
        for _ in 0..<40 { text = "{\"type\":\"CONJUNCTION_AND\",\"children\":[\(text)]}" }
        #expect(FilePredicate(tree: try tree(text)).mayHold(in: try file(stats), of: try snapshot()))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TrackingModel

/// A filter as one line: `metric x > 1.0; parameter y = 'z'`; a fault as its words.
private func read(_ text: String, _ kind: SearchKind) -> String {
    do throws(TrackingError) {
        let filter = try SearchFilter.parse(text, kind)
        return filter.conditions.map { condition in
            let value =
                switch condition.value {
                case .none: ""
                case .integer(let number): " \(number)"
                case .real(let number): " \(number)"
                case .text(let text): " '\(text)'"
                case .texts(let texts): " \(texts)"
                case .integers(let numbers): " \(numbers)"
                }
            return "\(condition.entity.rawValue) \(condition.key) \(condition.comparator.rawValue)\(value)"
        }.joined(separator: "; ")
    } catch {
        return error.code == .invalidParameterValue ? "! " + error.description : "? \(error)"
    }
}

/// Every line was given to MLflow 3.17's own parser first.
@Suite struct SearchFilterTests {
    @Test(arguments: [
        ("metrics.x > 1 AND params.y = 'z'", "metric x > 1.0; parameter y = 'z'"),
        (" metrics.x > 1 ", "metric x > 1.0"),
        ("metrics.x > 1 params.y = 'b'", "metric x > 1.0; parameter y = 'b'"),
        ("and", ""),
        ("metrics.x > 1 AND AND metrics.y < 2", "metric x > 1.0; metric y < 2.0"),
        ("\n metrics.x\n>\n1\n", "metric x > 1.0"),
        ("metrics. x > 1", "metric  x > 1.0"),
        ("metrics.x>-1", "metric x > -1.0"),
        ("metrics.x > 1e5", "metric x > 100000.0"),
        ("metrics.x > 1e-2", "metric x > 0.01"),
        ("metrics.x > 1.", "metric x > 1.0"),
        ("metrics.x >= .5", "metric x >= 0.5"),
        ("metrics.a.b.c = 1", "metric a.b.c = 1.0"),
        ("metrics.1x > 1", "metric 1x > 1.0"),
        ("metrics._x > 1", "metric _x > 1.0"),
        ("metrics.é > 1", "metric é > 1.0"),
        ("metrics.key > 1", "metric key > 1.0"),
        ("metrics.`key`>1", "metric key > 1.0"),
        ("`metrics`.x > 1", "metric x > 1.0"),
        ("metric.x != 3", "metric x != 3.0"),
        ("tags.`a b` LIKE '%x'", "tag a b LIKE '%x'"),
        ("tags.\"a.b\" != \"c\"", "tag a.b != 'c'"),
        ("tags.'a' = 'x'", "tag a = 'x'"),
        ("tags.a.b.c = 'x'", "tag a.b.c = 'x'"),
        ("tags.mlflow.user ilike 'ME'", "tag mlflow.user ILIKE 'ME'"),
        ("tags.`` = 'x'", "tag  = 'x'"),
        ("tags.a='b'and tags.c='d'", "tag a = 'b'; tag c = 'd'"),
        ("tags.a='b'AND tags.c LIKE'd'", "tag a = 'b'; tag c LIKE 'd'"),
        ("tags.x IS NOT NULL and params.y is null", "tag x IS NOT NULL; parameter y IS NULL"),
        ("tags.x IS\nNULL", "tag x IS NULL"),
        ("params.\"a\" = \"b\"", "parameter a = 'b'"),
        ("parameters.a = 'b'", "parameter a = 'b'"),
        ("param.a = 'it''s'", "parameter a = 'it''s'"),
        ("param.a = 'it\\'s'", "parameter a = 'it\\'s'"),
        ("param.a = 'a\\'", "parameter a = 'a\\'"),
        ("run_id IN ('a','b')", "attribute run_id IN [\"a\", \"b\"]"),
        ("run_id IN ('a',)", "attribute run_id IN [\"a\"]"),
        ("run_id IN ('a' 'b')", "attribute run_id IN [\"ab\"]"),
        ("run_id in (\"a\", 'b\\n')", "attribute run_id IN [\"a\", \"b\\n\"]"),
        ("attributes.run_id not in ('x')", "attribute run_id NOT IN [\"x\"]"),
        ("run.status = 'RUNNING'", "attribute status = 'RUNNING'"),
        ("attr.`run name` = 'a'", "attribute run_name = 'a'"),
        ("`Run Name` = 'x'", "attribute run_name = 'x'"),
        ("created > 5", "attribute start_time > 5"),
        ("start_time > 1.5", "attribute start_time > 1.5"),
        ("end_time <= 12345678901234567890", "attribute end_time <= 1.2345678901234567e+19"),
        ("datasets.name in ('a','b')", "dataset name IN [\"a\", \"b\"]"),
        ("dataset.digest='x' AND dataset.context LIKE 't%'", "dataset digest = 'x'; dataset context LIKE 't%'"),
        ("artifact_uri LIKE '%s3%'", "attribute artifact_uri LIKE '%s3%'"),
    ])
    func acceptsForRuns(_ text: String, _ expected: String) {
        #expect(read(text, .runs) == expected)
    }

    @Test(
        arguments: [
            ("  ", "Invalid filter '  '. Could not be parsed."),
            ("metrics.x > 1;", "Invalid clause(s) in filter string: ';'"),
            (
                "metrics.x > 1; metrics.y > 2",
                "Search filter contained multiple expression 'metrics.x > 1; metrics.y > 2'. "
                    + "Provide AND-ed expression list."
            ),
            (
                "metrics .x > 1",
                "Invalid entity type 'metrics '. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
            ),
            (
                "METRICS.x > 1",
                "Invalid entity type 'METRICS'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
            ),
            ("metrics.x = 'a'", "Expected numeric value type for metric. Found 'a'"),
            ("metrics.x > null", "Expected numeric value type for metric. Found null"),
            ("metrics.x>1and metrics.y>1", "Expected numeric value type for metric. Found 1and"),
            ("run_id IN (1)", nil), ("run_id IN (a)", nil), ("run_id IN ['a']", nil),
            (
                "run_id IN ()",
                "While parsing a list in the query, expected a non-empty list of string values, but got empty list"
            ),
            (
                "status IN ('a')",
                "Only ['run_id'] attributes support comparison with a list of quoted string values."
            ),
            ("run_id IN ('a'", nil), ("tags.a = 'x' -- c", nil), ("metrics.from > 1", nil), ("metrics.in > 1", nil),
            ("metrics.x$y > 1", nil), ("metrics.12x > 1", nil), ("metrics.1 > 1", nil), ("metrics.1e5 > 1", nil),
            ("metrics.x > 0x1F", nil), ("metrics.x > 1e+5", nil), ("metrics.x > +1", nil), ("metrics.x > nan", nil),
            ("\"metrics\".x > 1", nil), ("tags.x is not  null", nil), ("tags.x NOT LIKE 'a'", nil),
            (
                "start_time = '5'",
                "Expected numeric value type for numeric attribute: start_time. Found '5'"
            ),
            (
                "datasets.foo = 'x'",
                "Invalid dataset key 'foo' specified. Valid keys are '{'name', 'digest', 'context'}'"
            ),
            ("params.a = 1", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1"),
            ("tags.x = null", "Expected a quoted string value for tag (e.g. 'my-value'). Got value null"),
            (
                "params.a = b.c",
                "Parameter value is either not quoted or unidentified quote types used for string value b.c. "
                    + "Use either single or double quotes."
            ),
            ("status = 'RUNNING' or status='X'", "Invalid clause(s) in filter string: 'or'"),
            ("not status = 'X'", "Invalid clause(s) in filter string: 'not'"),
            (
                "a.b.c = 'x'",
                "Invalid entity type 'a'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
            ),
            ("name = 'x'", nil), ("foo = 'x'", nil), ("Run Name = 'x'", nil), ("tags.`a = 'x'", nil),
            ("status='a", nil),
            ("tags.x is 'a'", nil), ("metrics.x == 1", nil), ("metrics.x <> 1", nil), ("metrics.x LIKE 1", nil),
            ("params.x > 'a'", nil), ("tags.x IN ('a')", nil), ("3 > metrics.x", nil), ("metrics.x > 1 > 2", nil),
            ("(metrics.x > 1)", nil), ("metrics.x", nil), ("metrics.x >", nil), ("= 1", nil), ("metrics.x > 1 OR", nil),
            ("run_name IN ('a')", nil), ("artifact_uri > 'a'", nil), ("start_time LIKE 1", nil), ("timestamp > 1", nil),
            (
                "metrics.x IS NULL",
                "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'x'"
            ),
            (
                "metrics.a-b > 1",
                "Invalid comparison clause. Expected 'Identifier' found 'metrics.a-b'"
            ),
        ] as [(String, String?)])
    func refusesForRuns(_ text: String, _ expected: String?) {
        let found = read(text, .runs)
        #expect(found.hasPrefix("! "), "\(text) is read as \(found)")
        if let expected { #expect(found == "! " + expected) }
    }

    @Test(arguments: [
        (SearchKind.experiments, "name LIKE 'a%' AND tags.k = 'v'", "attribute name LIKE 'a%'; tag k = 'v'"),
        (.experiments, "attribute.name = \"x\"", "attribute name = 'x'"),
        (
            .experiments, "creation_time > 5 AND last_update_time <= 6",
            "attribute creation_time > 5; attribute last_update_time <= 6"
        ),
        (.experiments, "experiment_id = '7'", "attribute experiment_id = 7"),
        (.experiments, "experiment_id NOT IN ('7', '8')", "attribute experiment_id NOT IN [7, 8]"),
        (.experiments, "tag.x IS NULL", "tag x IS NULL"),
        (.registeredModels, "name ilike 'A%' and tags.`x y` != 'z'", "attribute name ILIKE 'A%'; tag x y != 'z'"),
        (.registeredModels, "name IN ('a', 'b')", "attribute name IN [\"a\", \"b\"]"),
        (.modelVersions, "name='m' AND version_number >= 2", "attribute name = 'm'; attribute version_number >= 2"),
        (.modelVersions, "version_number = '2'", "attribute version_number = 2"),
        (
            .modelVersions, "run_id IN ('a') and source_path like 's3%'",
            "attribute run_id IN [\"a\"]; attribute source_path LIKE 's3%'"
        ),
        (.loggedModels, "metrics.loss > 0.1 AND params.lr = 0.01", "metric loss > 0.1; parameter lr = '0.01'"),
        (
            .loggedModels, "name = foo AND creation_time < 5",
            "attribute name = 'foo'; attribute creation_timestamp_ms < 5.0"
        ),
        (.loggedModels, "tags.`a b` ilike '%X'", "tag a b ILIKE '%X'"),
        (.loggedModels, "attributes.model_id in ('m-1')", "attribute model_id IN [\"m-1\"]"),
        (.traces, "timestamp > 5 AND status = 'OK'", "attribute timestamp_ms > 5; attribute status = 'OK'"),
        (.traces, "trace.execution_time <= 7.5", "attribute execution_time_ms <= 7.5"),
        (.traces, "name = 'f'", "tag mlflow.traceName = 'f'"),
        (.traces, "run_id = 'r'", "request_metadata mlflow.sourceRun = 'r'"),
        (.traces, "prompt = 'p/1'", "tag mlflow.linkedPrompts = 'p/1'"),
        (.traces, "trace.text LIKE '%x%'", "span content LIKE '%x%'"),
        (.traces, "span.attributes.a.b RLIKE '^x'", "span attributes.a.b RLIKE '^x'"),
        (.traces, "span.name IN ('a', 'b')", "span name IN [\"a\", \"b\"]"),
        (.traces, "feedback.ok = 'true' AND expectation.n > 0.5", "feedback ok = 'true'; expectation n > 0.5"),
        (.traces, "feedback.ok IS NOT NULL", "feedback ok IS NOT NULL"),
        (.traces, "metadata.`mlflow.trace.session` rlike 'a'", "request_metadata mlflow.trace.session RLIKE 'a'"),
        (.traces, "issue.id = 'i'", "issue id = 'i'"),
        (.traces, "client_request_id in ('a')", "attribute client_request_id IN [\"a\"]"),
    ])
    func acceptsForOthers(_ kind: SearchKind, _ text: String, _ expected: String) {
        #expect(read(text, kind) == expected)
    }

    @Test(arguments: [
        (SearchKind.experiments, "name like 'a'"), (.experiments, "metrics.a > 1"),
        (.experiments, "attributes.name = 'a'"),
        (.experiments, "experiment_id in ('1')"), (.experiments, "experiment_id = 'x'"),
        (.experiments, "name IN ('a')"),
        (.experiments, "creation_time = 1.5"), (.experiments, "creation_time LIKE 1"), (.experiments, "name IS NULL"),
        (.experiments, "tags.a > 'b'"), (.experiments, "name > 'a'"), (.experiments, "experiment_id > '1'"),
        (.registeredModels, "tags.x IS NULL"), (.registeredModels, "run_id = 'x'"), (.registeredModels, "name > 'a'"),
        (.registeredModels, "`name` = 'a'"), (.registeredModels, "name = 1"), (.registeredModels, "params.x = 'a'"),
        (.modelVersions, "version_number = 1.5"), (.modelVersions, "version_number LIKE '1'"),
        (.modelVersions, "name = 1"),
        (.modelVersions, "source_path IN ('a')"), (.modelVersions, "creation_timestamp > 1"),
        (.modelVersions, "version_number = 'x'"),
        (.loggedModels, "metric.x > 1"), (.loggedModels, "metrics.x LIKE 1"), (.loggedModels, "params.x > 1"),
        (.loggedModels, "metrics.x = 'a'"), (.loggedModels, "tags.x IS NULL"), (.loggedModels, "foo = 'a'"),
        (.loggedModels, "name = 'a' OR name = 'b'"), (.loggedModels, "name IN (1)"),
        (.traces, "timestamp > 1.5"), (.traces, "timestamp LIKE 1"), (.traces, "metrics.x > 1"),
        (.traces, "text LIKE 'a'"),
        (.traces, "span.name like 'a'"), (.traces, "span.foo = 'a'"), (.traces, "span.content = 'a'"),
        (.traces, "prompt LIKE 'a'"),
        (.traces, "prompt = 'a'"), (.traces, "run_id IN ('a')"), (.traces, "feedback.x > 'a'"),
        (.traces, "feedback.x = 1"),
        (.traces, "issue.foo = 'a'"), (.traces, "issue.id != 'a'"), (.traces, "status > 'a'"), (.traces, "status = 1"),
        (.traces, "span.attributes. = 'a'"), (.traces, "tags.x > 'a'"),
    ])
    func refusesForOthers(_ kind: SearchKind, _ text: String) {
        #expect(read(text, kind).hasPrefix("! "), "\(text) is read as \(read(text, kind))")
    }

    @Test func isBounded() {
        let many = Array(repeating: "metrics.x > 1", count: SearchFilter.maximumConditions + 1).joined(
            separator: " AND ")
        #expect(read(many, .runs).hasPrefix("! The filter has 101 conditions"))
        #expect(read(String(repeating: "(", count: 200_000), .runs).hasPrefix("! "))
        #expect(
            read("tags.x = '" + String(repeating: "a", count: SearchFilter.maximumLength) + "'", .runs).hasPrefix("! "))
        let values = Array(repeating: "'a'", count: SearchFilter.maximumValues + 1).joined(separator: ",")
        #expect(read("run_id IN (\(values))", .runs).hasPrefix("! The filter has 10001 values"))
    }

    /// No text ends it, whatever it is made of.
    @Test func takesAnyText() {
        let pieces = [
            "metrics", "params", "tags", ".", " ", "x", "`", "'", "\"", "\\", "(", ")", ",", "=", ">", "<", "!", "LIKE",
            "IN", "NOT", "IS", "NULL", "AND", "OR", "1", "-", "1.5", "e", ";", "--", "/*", "é", "\u{0}", "🙂", "\n",
            "run_id", "timestamp", "ASC", "DESC", "#", "$", "[", "]", "%", "span.attributes.a", "\u{301}",
        ]
        var random = SeededGenerator(seed: 7)
        var accepted = 0
        for _ in 0..<4000 {
            let count = Int.random(in: 1...14, using: &random)
            let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            for kind in SearchKind.allCases {
                let found = read(text, kind)
                #expect(!found.hasPrefix("? "))
                if !found.hasPrefix("! ") { accepted += 1 }
                _ = try? SearchOrder.parse([text], kind)
                _ = try? PageToken.decode(text, for: [], count: 1)
            }
        }
        #expect(accepted > 0)
    }
}

/// A generator that gives the same numbers for the same seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

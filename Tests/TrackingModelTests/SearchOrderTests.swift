// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TrackingModel

private func read(_ clauses: [String], _ kind: SearchKind) -> String {
    do throws(TrackingError) {
        return try SearchOrder.parse(clauses, kind)
            .map { "\($0.entity.rawValue) \($0.key) \($0.isAscending ? "up" : "down")" }.joined(separator: "; ")
    } catch {
        return "! \(error.code.rawValue) \(error.description)"
    }
}

/// Every line was given to MLflow 3.17's own parser first.
@Suite struct SearchOrderTests {
    @Test(arguments: [
        (SearchKind.runs, "metrics.a", "metric a up"), (.runs, "metrics.a desc", "metric a down"),
        (.runs, "metrics.a  DESC", "metric a down"), (.runs, "metrics.`a b` ASC", "metric a b up"),
        (.runs, "metrics.\"a b\" desc", "metric a b down"), (.runs, "metrics.a\ndesc", "metric a down"),
        (.runs, "created", "attribute start_time up"), (.runs, "Created DESC", "attribute start_time down"),
        (.runs, "`start_time` DESC", "attribute start_time down"), (.runs, "metrics.'a' desc", "metric a down"),
        (.runs, "attributes.run_name", "attribute run_name up"), (.runs, "tags.`a'b`", "tag a'b up"),
        (.runs, "metrics.1x", "metric 1x up"), (.runs, "metrics.key DESC", "metric key down"),
        (.experiments, "name DESC", "attribute name down"), (.experiments, "attribute.name", "attribute name up"),
        (.registeredModels, "timestamp desc", "attribute last_updated_timestamp down"),
        (.registeredModels, "name", "attribute name up"),
        (.modelVersions, "version_number DESC", "attribute version_number down"),
        (.traces, "timestamp", "attribute timestamp_ms up"), (.traces, "name", "tag mlflow.traceName up"),
        (.traces, "run_id DESC", "request_metadata mlflow.sourceRun down"),
        (.traces, "experiment_id", "attribute experiment_id up"), (.traces, "tags.x", "tag x up"),
    ])
    func accepts(_ kind: SearchKind, _ clause: String, _ expected: String) {
        #expect(read([clause], kind) == expected)
    }

    @Test(arguments: [
        (SearchKind.runs, " metrics.a"), (.runs, "metrics.a "), (.runs, "metrics.a-b"), (.runs, "metrics.a foo desc"),
        (.runs, ""), (.runs, "  "), (.runs, "timestamp"), (.runs, "foo"), (.runs, "a.b"), (.runs, "params.x asc asc"),
        (.runs, "metrics. x"), (.runs, "metrics. x DESC"), (.runs, "`start_time`DESC"), (.runs, "metrics.a, metrics.b"),
        (.runs, "metrics.a ASC NULLS LAST"), (.runs, "'a'"), (.runs, "1"),
        (.runs, "datasets.name"), (.runs, "name"), (.runs, "metrics.a;"), (.runs, "`run name`"),
        (.experiments, "tags.x"), (.experiments, "foo"), (.registeredModels, "version_number"),
        (.registeredModels, "tags.x"), (.modelVersions, "run_id"), (.modelVersions, "tags.x"),
        (.traces, "last_updated_timestamp"), (.traces, "span.name"),
    ])
    func refuses(_ kind: SearchKind, _ clause: String) {
        #expect(read([clause], kind).hasPrefix("! INVALID_PARAMETER_VALUE "), "\(clause)")
    }

    @Test func saysWhatIsWrong() {
        #expect(
            read(["metrics.a foo"], .runs)
                == "! INVALID_PARAMETER_VALUE Invalid ordering key in order_by clause 'metrics.a foo'.")
        #expect(
            read(["metrics.a, b"], .runs)
                == "! INVALID_PARAMETER_VALUE Invalid order_by clause 'metrics.a, b'. Could not be parsed.")
        #expect(
            read(["metrics.a", "metric.a DESC"], .runs)
                == "! INTERNAL_ERROR `order_by` contains duplicate fields: ['metrics.a', 'metric.a DESC']")
        #expect(read(["name", "name DESC"], .experiments) == "attribute name up")
    }
}

@Suite struct PageTokenTests {
    let values: [PageToken.Value] = [.null, .integer(-7), .real(.infinity), .real(0.1), .text("é'\n")]

    @Test func comesBack() throws {
        let text = PageToken(values).encoded(for: ["runs", "1"])
        #expect(try PageToken.decode(text, for: ["runs", "1"], count: 5)?.values == values)
        #expect(try PageToken.decode("", for: ["runs"], count: 5) == nil)
    }

    @Test func isOfOneSearch() {
        let text = PageToken(values).encoded(for: ["runs", "1"])
        for (search, count) in [(["runs", "2"], 5), (["runs1"], 5), (["runs", "1"], 4)] {
            #expect(throws: TrackingError.self) { try PageToken.decode(text, for: search, count: count) }
        }
        for forged in ["!", "x", "e30=", "WyJhIl0=", String(text.dropLast(5)), "eyJvZmZzZXQiOiAxMDB9"] {
            #expect(throws: TrackingError.self, "\(forged)") {
                try PageToken.decode(forged, for: ["runs", "1"], count: 5)
            }
        }
    }
}

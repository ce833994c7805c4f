// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import TrackingModel

private func span(_ attributes: [Attribute]) -> OTLPSpan {
    var span = OTLPSpan()
    span.traceID = [UInt8](repeating: 1, count: 16)
    span.spanID = [0, 0, 0, 0, 0, 0, 0, 2]
    span.name = "a \"name\""
    span.attributes = attributes
    return span
}

struct SpanTests {
    @Test func contentIsAsPythonWritesIt() throws {
        let intake = try SpanIntake(
            span([
                Attribute("n", .int(3)), Attribute("text", .string("é\n")), Attribute("none", .none),
                // What was written twice stays as it is.
                Attribute("twice", .string(#"{"b": 1, "a": [1,2]}"#)), Attribute("mlflow.traceRequestId", .string("x")),
            ]), resource: [])
        #expect(
            intake.record.content == #"""
                {"name": "a \"name\"", "events": [], "status": {"code": "STATUS_CODE_UNSET", "message": ""}, \#
                "links": [], "attributes": {"n": "3", "text": "\"é\\n\"", "none": "null", \#
                "twice": "{\"b\": 1, \"a\": [1,2]}"}}
                """#)
        #expect(intake.record.traceID == "tr-01010101010101010101010101010101")
        #expect(SpanRecord.text(intake.record.spanID) == "0000000000000002")
    }

    @Test func answersHaveTheTracesID() throws {
        let empty = try SpanIntake(span([]), resource: []).record
        let file = try JSONParser.parse(empty.fileText)
        #expect(file["attributes"] == ["mlflow.traceRequestId": "\"tr-01010101010101010101010101010101\""])
        #expect(file["span_id"] == "AAAAAAAAAAI=" && file["parent_span_id"].isNull)
        let full = try SpanIntake(
            span([Attribute("m", .map([Attribute("z", .double(.nan)), Attribute("a", .none)]))]), resource: []
        ).record
        let attributes = full.otlpJSON["attributes"].elements
        #expect(attributes.map { $0["key"].string } == ["m", "mlflow.traceRequestId"])
        let members = attributes[0]["value"]["kvlist_value"]["values"].elements
        #expect(members.map { $0["key"].string } == ["z", "a"] && members[0]["value"]["double_value"] == "NaN")
    }

    @Test func idsHaveToBeThere() {
        var nameless = span([])
        nameless.traceID = []
        #expect(throws: OTLPError.self) { try SpanIntake(nameless, resource: []) }
        nameless.traceID = [UInt8](repeating: 1, count: 17)
        #expect(throws: OTLPError.self) { try SpanIntake(nameless, resource: []) }
    }

    @Test func othersConventionsAreTranslated() throws {
        let intake = try SpanIntake(
            span([
                Attribute("gen_ai.operation.name", .string("chat")), Attribute("gen_ai.usage.input_tokens", .int(3)),
                Attribute("gen_ai.usage.output_tokens", .int(4)), Attribute("gen_ai.request.model", .string("m1")),
                Attribute("input.value", .string("hi")),
            ]), resource: [])
        #expect(intake.record.type == "CHAT_MODEL")
        #expect(intake.value("mlflow.spanInputs") == .string("hi"))
        #expect(intake.value("mlflow.llm.model") == .string("m1"))
        #expect(
            intake.value("mlflow.chat.tokenUsage")
                == .map([
                    Attribute("input_tokens", .int(3)), Attribute("output_tokens", .int(4)),
                    Attribute("total_tokens", .int(7)),
                ]))
        // What a span says itself stays.
        let own = try SpanIntake(
            span([
                Attribute("mlflow.spanType", .string("TOOL")), Attribute("gen_ai.operation.name", .string("chat")),
            ]), resource: [])
        #expect(own.record.type == "TOOL")
    }

    @Test func sumsCountNothingTwice() {
        func usage(_ id: Int64, _ parent: Int64?, _ tokens: Int64?) -> SpanUsage {
            SpanUsage(
                spanID: id, parentID: parent, value: tokens.map { .map([Attribute("input_tokens", .int($0))]) })
        }
        let spans = [usage(1, nil, nil), usage(2, 1, 10), usage(3, 2, 4), usage(4, 1, 5), usage(5, 99, 1)]
        #expect(SpanUsage.sum(spans, keys: ["input_tokens"]) == ["input_tokens": 16])
        #expect(SpanUsage.sum([usage(1, nil, nil)], keys: ["input_tokens"]) == nil)
        // Two that are each other's parents are no roots, and no endless walk.
        #expect(SpanUsage.sum([usage(1, 2, 1), usage(2, 1, 1)], keys: ["input_tokens"]) == nil)
    }

    @Test(arguments: [
        (#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#, "a"),
        (#"{"choices": [{"message": {"role": "user", "content": [{"type": "text", "text": "t"}]}}]}"#, "t"),
        (#"{"request": {"input": [{"role": "x", "content": "deep"}]}}"#, "deep"), (#"{"q": 1}"#, #"{"q": 1}"#),
        ("no json", "no json"),
    ])
    func previewsShowWhatWasSaid(text: String, preview: String) {
        #expect(TracePreview.of(text, role: "user") == preview)
    }

    @Test func previewsAreCut() {
        #expect(TracePreview.of(String(repeating: "x", count: 2000), role: "user").count == 1000)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z", "0s"), (1_500, "1970-01-01T00:00:01.500Z", "1.500s"),
        (-1, "1969-12-31T23:59:59.999Z", "-0.001s"),
    ])
    func timesAreProtobufs(milliseconds: Int64, moment: String, duration: String) {
        #expect(ProtoTime.moment(milliseconds) == moment && ProtoTime.duration(milliseconds) == duration)
        #expect(ProtoTime.milliseconds(moment: moment) == milliseconds)
        #expect(ProtoTime.milliseconds(duration: duration) == milliseconds)
    }

    @Test(arguments: ["", "1", "xs", "1.s", "1.2.3s", "99999999999999s"])
    func otherDurationsAreNone(text: String) { #expect(ProtoTime.milliseconds(duration: text) == nil) }

    @Test(arguments: [
        #"{"a": [1, 2.5, NaN, -Infinity, null, true], "b": {"z": "\u00e9", "a": ""}}"#, "[]", "{}", "\"\"", "-3",
    ])
    func pythonsJSONIsReadAndWritten(text: String) throws {
        let value = try #require(AttributeValue(text: text))
        let written = AttributeText.of(value)
        let again = try #require(AttributeValue(text: written))
        #expect(AttributeText.of(again) == written)
    }

    @Test(arguments: ["", "{", "[1,]", "{\"a\" 1}", "nul", "01", "\"", "1 2", "{1: 2}"])
    func otherTextsAreNoJSON(text: String) { #expect(AttributeValue(text: text) == nil) }

    @Test func depthIsBounded() {
        #expect(AttributeValue(text: String(repeating: "[", count: 5000)) == nil)
        let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(AttributeValue(text: deep) == nil)
    }

    @Test func assessmentsGoThereAndBack() throws {
        let feedback = try Assessment([
            "assessment_name": "q", "feedback": ["value": 5, "error": ["error_code": "E", "stack_trace": "s"]],
            "source": ["source_type": "HUMAN", "source_id": "me"], "create_time": "2025-01-01T00:00:00.250Z",
            "metadata": ["a": "b"], "rationale": "why",
        ])
        #expect(feedback.value == "5.0" && feedback.aggregate == (5, true))
        #expect(feedback.json["feedback"]["error"]["stack_trace"] == "s" && feedback.created % 1000 == 250)
        let expectation = try Assessment([
            "expectation": ["serialized_value": ["serialization_format": "JSON_FORMAT", "value": "{\"b\":1, \"a\":2}"]]
        ])
        #expect(expectation.value == "{\"b\": 1, \"a\": 2}")
        #expect(expectation.json["expectation"]["serialized_value"]["value"] == "{\"b\": 1, \"a\": 2}")
        #expect(throws: TrackingError.invalid("Unknown assessment type: None")) { try Assessment([:]) }
    }
}

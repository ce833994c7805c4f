# SPDX-License-Identifier: Apache-2.0
"""Traces with mlflow itself, over both databases; OpenTelemetry's protocol as other producers speak it; what the real
`mlflow server` answers to the same requests."""
import gzip
import json
import time
import zlib

import pytest

from tracking_fixture import mlflow_at, with_tracking

TRACES = "/api/3.0/mlflow/traces"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request):
    yield from with_tracking(request, request.param)


@pytest.fixture
def tracked(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
    with mlflow_at(server.url) as mlflow:
        experiment = mlflow.set_experiment(f"traces-{time.time_ns()}")
        yield mlflow, experiment.experiment_id


def flow(mlflow):
    """Logs one trace of two spans; gives its id and the run's."""
    @mlflow.trace(span_type="TOOL")
    def inner(x):
        return {"b": x, "a": [1, 2.5, None]}

    @mlflow.trace
    def outer(q):
        mlflow.update_current_trace(
            tags={"topic": "x", "long": "y" * 5000}, metadata={"mlflow.trace.session": "s1", "k": "v"})
        span = mlflow.get_current_active_span()
        span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7})
        return inner(q)

    with mlflow.start_run() as run:
        outer("hello")
    mlflow.flush_trace_async_logging()
    return mlflow.get_last_active_trace_id(), run.info.run_id


def test_decorated_functions(tracked):
    mlflow, _ = tracked
    id, run = flow(mlflow)
    trace = mlflow.get_trace(id)
    assert [(span.name, span.span_type, span.inputs) for span in trace.data.spans] == [
        ("outer", "UNKNOWN", {"q": "hello"}), ("inner", "TOOL", {"x": "hello"})]
    root, child = trace.data.spans
    assert child.parent_id == root.span_id and root.parent_id is None
    assert list(child.outputs.items()) == [("b", "hello"), ("a", [1, 2.5, None])]
    info = trace.info
    assert info.state.value == "OK" and info.tags["topic"] == "x" and info.trace_metadata["k"] == "v"
    assert info.tags["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert info.trace_metadata["mlflow.sourceRun"] == run
    assert info.token_usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert json.loads(info.request_preview) == {"q": "hello"}


def test_an_error_is_kept(tracked):
    mlflow, _ = tracked

    @mlflow.trace
    def broken():
        raise ValueError("no luck")

    with pytest.raises(ValueError):
        broken()
    mlflow.flush_trace_async_logging()
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    assert trace.info.state.value == "ERROR"
    span = trace.data.spans[0]
    assert span.status.status_code.value == "ERROR" and "no luck" in span.status.description
    assert span.events[0].name == "exception" and span.events[0].attributes["exception.type"] == "ValueError"


def test_search(tracked):
    mlflow, experiment = tracked
    id, run = flow(mlflow)
    flow(mlflow)
    mlflow.log_feedback(trace_id=id, name="score", value=4.5)
    assert len(mlflow.search_traces(locations=[experiment])) == 2
    for text, count in {
            f"request_id = '{id}'": 1, "tags.topic = 'x'": 2, "tags.topic LIKE 'X'": 0, "tags.topic ILIKE 'X'": 2,
            "trace.status = 'OK'": 2, "trace.name = 'outer'": 2, f"trace.run_id = '{run}'": 1,
            "trace.timestamp_ms > 0 AND trace.execution_time < 1000000": 2, "span.name = 'inner'": 2,
            "span.type = 'TOOL' AND span.name = 'outer'": 0, "trace.text ILIKE '%HELLO%'": 2,
            "trace.text LIKE '%HELLO%'": 0, "feedback.score > 4": 1, "feedback.score > 5": 0,
            "metadata.k = 'v'": 2, "metadata.`mlflow.trace.session` = 's1'": 2, "tags.none IS NULL": 2,
            "tags.topic IS NOT NULL": 2, "metadata.`mlflow.trace.tokenUsage` IS NOT NULL": 2,
            "expectation.score IS NULL": 2}.items():
        found = mlflow.search_traces(locations=[experiment], filter_string=text, return_type="list")
        assert len(found) == count, text
    linked = mlflow.search_traces(run_id=run, locations=[experiment], return_type="list")
    assert [trace.info.trace_id for trace in linked] == [id] and len(linked[0].data.spans) == 2


def test_pages_and_deletion(server, tracked):
    mlflow, experiment = tracked
    client = server.client()

    @mlflow.trace
    def work(number):
        return number

    for number in range(12):
        work(number)
    mlflow.flush_trace_async_logging()
    for order in ([], ["timestamp ASC"], ["name DESC"], ["execution_time"]):
        found, token = [], None
        while True:
            page = client.search_traces(
                locations=[experiment], max_results=5, page_token=token, order_by=order, include_spans=False)
            found += [trace.info.trace_id for trace in page]
            token = page.token
            if not token:
                break
        assert len(found) == len(set(found)) == 12, order
    assert client.delete_traces(experiment, trace_ids=found[:2]) == 2
    assert client.delete_traces(experiment, max_timestamp_millis=time.time_ns() // 10**6, max_traces=3) == 3
    assert len(client.search_traces(locations=[experiment], include_spans=False)) == 7


def test_tags(server, tracked):
    mlflow, _ = tracked
    id, _ = flow(mlflow)
    mlflow.set_trace_tag(id, "a", "b")
    mlflow.set_trace_tag(id, "mlflow.traceName", "other")
    assert mlflow.get_trace(id).info.tags["a"] == "b"
    mlflow.delete_trace_tag(id, "a")
    tags = mlflow.get_trace(id).info.tags
    assert "a" not in tags and tags["mlflow.traceName"] == "other"
    status, code, _ = server.error(
        "PATCH", f"{TRACES}/{id}/tags", {"key": "mlflow.trace.spansLocation", "value": "x"})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")


def test_feedback_and_expectations(tracked):
    mlflow, _ = tracked
    from mlflow.entities import AssessmentSource, Feedback
    id, _ = flow(mlflow)
    source = AssessmentSource(source_type="HUMAN", source_id="me")
    feedback = mlflow.log_feedback(
        trace_id=id, name="good", value=True, rationale="why", source=source, metadata={"m": "n"})
    expected = mlflow.log_expectation(trace_id=id, name="answer", value={"b": [1, 2], "a": None})
    failed = mlflow.log_feedback(trace_id=id, name="judge", error=ValueError("no answer"))
    assert mlflow.get_assessment(id, feedback.assessment_id).value is True
    assert mlflow.get_assessment(id, expected.assessment_id).value == {"b": [1, 2], "a": None}
    assert mlflow.get_assessment(id, failed.assessment_id).error.error_message == "no answer"
    mlflow.update_assessment(id, feedback.assessment_id, Feedback(name="good", value=False, source=source))
    better = mlflow.override_feedback(trace_id=id, assessment_id=feedback.assessment_id, value="maybe")
    found = {one.assessment_id: one for one in mlflow.get_trace(id).info.assessments}
    assert found[feedback.assessment_id].value is False and found[feedback.assessment_id].valid is False
    assert found[better.assessment_id].value == "maybe" and found[better.assessment_id].overrides
    mlflow.delete_assessment(trace_id=id, assessment_id=better.assessment_id)
    assert mlflow.get_assessment(id, feedback.assessment_id).valid is True


def spans(trace="0123456789abcdef0123456789abcdef", **more):
    """A request of OTLP's exporter, in JSON."""
    span = {"traceId": trace, "spanId": "0123456789abcdef", "name": "root",
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001500000000",
            "attributes": [{"key": "n", "value": {"intValue": "3"}},
                           {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                           {"key": "gen_ai.usage.input_tokens", "value": {"intValue": 3}},
                           {"key": "session.id", "value": {"stringValue": "se"}}], **more}
    return {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"spans": [span]}]}]}


def export(server, body, experiment="0", kind="application/json", encoding=None):
    headers = {"content-type": kind, "x-mlflow-experiment-id": experiment}
    if encoding:
        headers["content-encoding"] = encoding
    status, _, content = server.raw("POST", "/v1/traces", body, headers)
    return status, content.decode(errors="replace")


def test_other_producers(server):
    """OpenTelemetry's own exporter, in protobuf."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as exporter
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter.OTLPSpanExporter(
        endpoint=server.url + "/v1/traces", headers={"x-mlflow-experiment-id": "0"},
        compression=exporter.Compression.Gzip, timeout=60)))
    with provider.get_tracer("t").start_as_current_span("work") as span:
        span.set_attribute("list", [1, 2])
        id = f"tr-{span.get_span_context().trace_id:032x}"
    trace = server.get(f"{TRACES}/get", trace_id=id)["trace"]
    assert trace["trace_info"]["tags"]["service.name"] == "shop" and trace["spans"][0]["name"] == "work"


def test_json_and_compressions(server):
    for number, (body, encoding) in enumerate([
            (json.dumps(spans("1" * 32)).encode(), None),
            (gzip.compress(json.dumps(spans("2" * 32)).encode()), "gzip"),
            (zlib.compress(json.dumps(spans("3" * 32)).encode()), "deflate"),
            (zlib.compress(json.dumps(spans("4" * 32)).encode(), wbits=-15), "deflate")], start=1):
        assert export(server, body, encoding=encoding) == (200, "")
        info = server.get(f"{TRACES}/tr-{str(number) * 32}")["trace"]["trace_info"]
        assert info["state"] == "OK" and info["execution_duration"] == "1.500s"


def test_bombs_are_refused(server):
    bomb = gzip.compress(b"\0" * (200 << 20))
    assert export(server, bomb, kind="application/x-protobuf", encoding="gzip") == (
        400, '{"detail":"Failed to decompress gzip payload"}')
    assert server.raw("GET", "/health")[0] == 200


def same(answer):
    """Without what differs from server to server."""
    if isinstance(answer, dict):
        return {key: same(value) for key, value in answer.items() if key not in ("sqlstate", "error_class")}
    return [same(one) for one in answer] if isinstance(answer, list) else answer


def start(id, **more):
    info = {"trace_id": id, "request_time": "2025-01-01T00:00:00.500Z", "execution_duration": "1.250s", "state": "OK",
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
            "tags": {"a": "b"}, "trace_metadata": {"m": "n", "mlflow.trace.tokenUsage": '{"input_tokens": 1}'}, **more}
    return {"trace": {"trace_info": info}}


@pytest.fixture(scope="module")
def both(server, real_mlflow):
    """This server and the real one, with the same trace; the real one has it only once for both databases."""
    for one in (server, real_mlflow):
        assert one.call("POST", TRACES, start("tr-same"))[0] == 200
        one.call("POST", f"{TRACES}/tr-same/assessments", {"assessment": {
            "assessment_id": "a-same", "assessment_name": "q", "feedback": {"value": 5},
            "source": {"source_type": "HUMAN"}, "create_time": "2025-01-01T00:00:00Z",
            "last_update_time": "2025-01-01T00:00:01Z"}})
    return server, real_mlflow


LOCATION = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]}
REQUESTS = [
    ("GET", "/tr-same", None), ("GET", "/tr-none", None), ("GET", "/get?trace_id=tr-none", None),
    ("GET", "/get?trace_id=tr-same", None), ("GET", "/get", None), ("GET", "/batchGet", None),
    ("GET", "/batchGet?trace_ids=tr-same", None), ("POST", "/batchGetInfos", {"trace_ids": ["tr-same", "x"]}),
    ("POST", "/batchGetInfos", {"trace_ids": "x"}), ("POST", "", {}),
    ("PATCH", "/tr-same/tags", {"value": "b"}), ("PATCH", "/tr-same/tags", {"key": "mlflow.trace.spansLocation"}),
    ("DELETE", "/tr-same/tags", {"key": "none"}), ("DELETE", "/tr-same/tags", {}),
    ("POST", "/tr-same/assessments", {}), ("POST", "/tr-same/assessments", {"assessment": {"assessment_name": "q"}}),
    ("POST", "/tr-none/assessments", {"assessment": {"assessment_name": "q", "feedback": {"value": 1}}}),
    ("POST", "/tr-same/assessments",
     {"assessment": {"assessment_name": "q", "overrides": "a-x", "feedback": {"value": 1}}}),
    ("GET", "/tr-same/assessments/a-same", None), ("GET", "/tr-same/assessments/a-none", None),
    ("GET", "/tr-none/assessments/a-same", None), ("DELETE", "/tr-none/assessments/a-none", None),
    ("PATCH", "/tr-same/assessments/a-same",
     {"assessment": {"expectation": {"value": 5}}, "update_mask": "expectation"}),
    ("PATCH", "/tr-same/assessments/a-same", {"assessment": {"feedback": {"value": 5}}}),
    ("POST", "/search", {}), ("POST", "/search", {**LOCATION, "max_results": 501}),
    ("POST", "/search", {**LOCATION, "max_results": 0}), ("POST", "/search", {**LOCATION, "page_token": "x"}),
    ("POST", "/search", {**LOCATION, "filter": "span.foo = '1'"}),
    ("POST", "/search", {**LOCATION, "filter": "foo ="}),
    ("POST", "/search", {**LOCATION, "filter": "prompt LIKE '1'"}),
    ("POST", "/search", {**LOCATION, "filter": "feedback.q = 5"}),
    ("POST", "/search", {**LOCATION, "filter": "request_id = 'tr-same' AND feedback.q > 4"}),
    ("POST", "/search", {**LOCATION, "filter": "request_id = 'tr-same' AND feedback.q > 5"}),
    ("POST", "/search", {**LOCATION, "order_by": ["tag.x", "tag.x"]}),
    ("POST", "/delete-traces", {"experiment_id": "0"}), ("POST", "/delete-traces", {"max_timestamp_millis": 4}),
    ("POST", "/delete-traces", {"experiment_id": "0", "request_ids": ["x"], "max_traces": 4}),
    ("POST", "/delete-traces", {"experiment_id": "0", "max_timestamp_millis": 4, "max_traces": 0}),
    ("POST", "", start("tr-x", trace_location={
        "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "9999"}})),
]


@pytest.mark.parametrize("method,path,body", REQUESTS, ids=lambda part: str(part)[:40])
def test_answers_are_the_real_servers(both, method, path, body):
    ours, theirs = (one.call(method, TRACES + path, body) for one in both)
    assert (ours[0], same(ours[1])) == (theirs[0], same(theirs[1]))


def test_a_trace_of_no_experiment(both):
    for body in ({"trace": 5}, {"trace": {"trace_info": {"trace_id": "tr-y"}}}):
        ours, theirs = (one.error("POST", TRACES, body) for one in both)
        assert ours[:2] == theirs[:2]


def test_old_clients(both):
    for method, path, body in [
            ("GET", "traces/tr-same/info", None), ("GET", "traces", None),
            ("PATCH", "traces/tr-none", {"timestamp_ms": 1, "status": "OK"}),
            ("PATCH", "traces/tr-same", {"timestamp_ms": "x"}), ("POST", "traces/link-to-run", {"trace_ids": ["x"]}),
            ("POST", "traces/link-prompts", {"trace_id": "x", "prompt_versions": [{"name": "p", "version": "1"}]})]:
        ours, theirs = (one.call(method, path, body) for one in both)
        assert (ours[0], same(ours[1])) == (theirs[0], same(theirs[1])), path
    server = both[0]
    made = server.post("traces", {
        "experiment_id": "0", "timestamp_ms": 5, "tags": [{"key": "a", "value": "b"}]})["trace_info"]
    assert made["status"] == "IN_PROGRESS" and made["timestamp_ms"] == 5
    ended = server.good("PATCH", f"traces/{made['request_id']}", {
        "timestamp_ms": 12, "status": "ERROR", "request_metadata": [{"key": "m", "value": "n"}]})["trace_info"]
    assert ended["status"] == "ERROR" and ended["execution_time_ms"] == 7


def test_spans_are_the_real_servers(both):
    """The same spans by OTLP: the same trace, and the same file for the UI."""
    body = json.dumps(spans("5" * 32, status={"code": 2, "message": "bad"}, events=[
        {"name": "ev", "timeUnixNano": "1700000000000000005",
         "attributes": [{"key": "z", "value": {"doubleValue": 1.5}}]}])).encode()
    answers = []
    for server in both:
        assert export(server, body) == (200, "")
        trace = server.get(f"{TRACES}/get", trace_id="tr-" + "5" * 32)["trace"]
        for span in trace["spans"]:
            span["attributes"].sort(key=lambda attribute: attribute["key"])
        file = server.call("GET", "/ajax-api/3.0/mlflow/get-trace-artifact", request_id="tr-" + "5" * 32)
        answers.append((trace, file))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("body,kind,encoding,experiment", [
    (b"{}", "application/json", None, "0"), (b"x", "text/plain", None, "0"),
    (b"x", "application/x-protobuf", None, "0"), (b"x", "application/x-protobuf", "gzip", "0"),
    (b"x", "application/x-protobuf", "br", "0"), (b"{", "application/json", None, "0"),
    (json.dumps(spans("6" * 32)).encode(), "application/json", None, "9999"),
    (json.dumps(spans("")).encode(), "application/json", None, "0")])
def test_wrong_spans(both, body, kind, encoding, experiment):
    ours, theirs = (export(one, body, experiment, kind, encoding) for one in both)
    assert (ours[0], same(json.loads(ours[1]))) == (theirs[0], same(json.loads(theirs[1])))


def test_sums(both):
    """Numbers for the UI's overview."""
    for server in both:
        for number in range(4):
            server.call("POST", TRACES, start(f"tr-sum{number}", execution_duration=f"{number}s", tags={
                "mlflow.traceName": f"name{number % 2}", "sum": "yes"}))
    question = {"experiment_ids": ["0"], "view_type": "TRACES", "filters": ["trace.tag.sum = 'yes'"]}
    for more in [
            {"metric_name": "trace_count", "aggregations": [{"aggregation_type": "COUNT"}]},
            {"metric_name": "latency", "aggregations": [
                {"aggregation_type": "AVG"}, {"aggregation_type": "PERCENTILE", "percentile_value": 50},
                {"aggregation_type": "PERCENTILE", "percentile_value": 99}], "dimensions": ["trace_name"]},
            {"metric_name": "total_tokens", "aggregations": [{"aggregation_type": "SUM"}]},
            {"metric_name": "trace_count", "aggregations": [{"aggregation_type": "COUNT"}],
             "dimensions": ["trace_status"], "time_interval_seconds": 3600, "start_time_ms": 1735680000000,
             "end_time_ms": 1735693200000},
            {"metric_name": "latency", "aggregations": [{"aggregation_type": "SUM"}]},
            {"metric_name": "latency", "aggregations": [{"aggregation_type": "AVG"}], "dimensions": ["foo"]},
            {"metric_name": "latency", "aggregations": []}]:
        ours, theirs = (one.call("POST", f"{TRACES}/metrics", {**question, **more}) for one in both)
        assert (ours[0], points(ours[1])) == (theirs[0], points(theirs[1])), more


def points(answer):
    answer = same(answer)
    return answer.get("message") or answer.get("data_points", [])

# SPDX-License-Identifier: Apache-2.0
"""Webhooks of the registry: made, changed and tried by mlflow's own client, and told by Apus and by the real server
what is done to the same models and prompts; what both tell has to be the same, and signed as mlflow's docs say."""
import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
import uuid

import pytest

from conftest import wait_for
from tracking_fixture import with_tracking

ALL = ["registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
       "model_version_alias.created", "model_version_alias.deleted", "prompt.created", "prompt_version.created",
       "prompt_tag.set", "prompt_tag.deleted", "prompt_version_tag.set", "prompt_version_tag.deleted",
       "prompt_alias.created", "prompt_alias.deleted"]

# What history() does, and one alias more.
EVENTS = 17


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def tracking(request):
    yield from with_tracking(request, request.param, "--allow-private-webhooks")


class Receiver:
    """An HTTP server that keeps what it is sent, by path; `/flaky/…` fails at first, `/bad/…` always, `/away/…`
    sends on to another place."""

    def __init__(self):
        self.got, self.lock, receiver = [], threading.Lock(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver.lock:
                    before = sum(path == self.path for path, _, _ in receiver.got)
                    receiver.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                kind = self.path.split("/")[1]
                status = {"bad": 404, "away": 307}.get(kind, 503 if kind == "flaky" and before == 0 else 200)
                self.send_response(status)
                if status == 307:
                    self.send_header("location", self.path.replace("/away/", "/elsewhere/"))
                answer = b"thank you"
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def at(self, path):
        with self.lock:
            return [(headers, body) for where, headers, body in self.got if where == path]


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def check_signature(headers, body, secret):
    signed = f"{headers['x-mlflow-delivery-id']}.{headers['x-mlflow-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["x-mlflow-signature"] == "v1," + expected


def history(server, name):
    """What is done to a model and a prompt."""
    client = server.client()
    client.create_registered_model(name, tags={"team": "a"}, description="said")
    client.create_model_version(name, "s3://bucket/x", tags={"k": "v"}, description="one")
    client.create_model_version(name, "s3://bucket/y")
    client.set_registered_model_tag(name, "own", "1")
    client.set_model_version_tag(name, "1", "stage", "new")
    client.delete_model_version_tag(name, "1", "stage")
    client.set_registered_model_alias(name, "champion", "2")
    client.delete_registered_model_alias(name, "champion")
    client.update_registered_model(name, "other")
    client.register_prompt(name=name + "-p", template="Hello {{name}}!", commit_message="first", tags={"x": "y"})
    client.set_prompt_alias(name + "-p", "best", 1)
    client.delete_prompt_alias(name + "-p", "best")
    client.set_prompt_tag(name + "-p", "t", "1")
    client.delete_prompt_tag(name + "-p", "t")
    client.set_prompt_version_tag(name + "-p", 1, "vt", "1")
    client.delete_prompt_version_tag(name + "-p", 1, "vt")


def told(receiver, path):
    """Events without times, in an order: they are sent side by side."""
    events = []
    for _, body in receiver.at(path):
        # 100 and 100.0 are the same.
        event = json.loads(body, parse_int=float)
        assert set(event) == {"entity", "action", "timestamp", "data"} and event["timestamp"].endswith("+00:00")
        events.append(json.dumps([event["entity"], event["action"], event["data"]], sort_keys=True))
    return sorted(events)


def test_what_happens_is_told_as_the_real_server_tells_it(tracking, real_mlflow, receiver):
    name = f"hooked-{uuid.uuid4().hex[:8]}"
    results = []
    for kind, server in (("apus", tracking), ("real", real_mlflow)):
        path, client = f"/ok/{kind}-{name}", server.client()
        hook = client.create_webhook(name=f"all-{name}", url=receiver.url + path, events=ALL, secret="s3cret")
        off = client.create_webhook(name=f"off-{name}", url=receiver.url + path + "-off", events=ALL, status="DISABLED")
        some = client.create_webhook(
            name=f"some-{name}", url=receiver.url + path + "-some", events=["model_version_alias.created"])
        history(server, name)
        client.set_registered_model_alias(name, "last", "1")
        wait_for(lambda: len(receiver.at(path + "-some")) == 2, 60, "the aliases")
        # They are sent side by side.
        wait_for(lambda: len(receiver.at(path)) == EVENTS, 60, f"all events, not {told(receiver, path)}")
        results.append(told(receiver, path))
        for headers, body in receiver.at(path):
            check_signature(headers, body, "s3cret")
            assert headers["content-type"] == "application/json"
        assert all("x-mlflow-signature" not in headers for headers, _ in receiver.at(path + "-some"))
        assert not receiver.at(path + "-off")
        for webhook in (hook, off, some):
            client.delete_webhook(webhook.webhook_id)
        client.set_registered_model_alias(name, "after", "1")
    assert results[0] == results[1]
    assert len({json.loads(event)[0] + json.loads(event)[1] for event in results[0]}) >= 12
    assert not any(b'"after"' in body for _, _, body in receiver.got)


def test_the_client_makes_changes_lists_and_deletes(tracking, receiver):
    client, name = tracking.client(), f"crud-{uuid.uuid4().hex[:8]}"
    made = client.create_webhook(
        name=name, url=receiver.url + "/ok/x", events=["prompt.created", "model_version.created"], description="d")
    assert (made.name, made.description, str(made.status)) == (name, "d", "ACTIVE") and made.secret is None
    assert {str(event) for event in made.events} == {"prompt.created", "model_version.created"}
    assert repr(client.get_webhook(made.webhook_id)) == repr(made)
    changed = client.update_webhook(made.webhook_id, name=name + "2", status="DISABLED", events=["prompt.created"],
                                    description="e", url=receiver.url + "/ok/y")
    assert (changed.name, str(changed.status), changed.description) == (name + "2", "DISABLED", "e")
    assert [str(event) for event in changed.events] == ["prompt.created"] and changed.url.endswith("/ok/y")
    assert changed.last_updated_timestamp >= made.creation_timestamp == changed.creation_timestamp
    others = []
    for number in range(4):
        # None is made in the millisecond of the one before: the newest come first.
        time.sleep(0.002)
        others.append(
            client.create_webhook(name=f"{name}-{number}", url=receiver.url, events=["prompt.created"]).webhook_id)
    seen, token = [], None
    while True:
        page = client.list_webhooks(max_results=2, page_token=token)
        assert len(page) <= 2
        seen += [webhook.webhook_id for webhook in page]
        token = page.token
        if not token:
            break
    assert seen[:5] == others[::-1] + [made.webhook_id] and len(set(seen)) == len(seen)
    for webhook in others + [made.webhook_id]:
        client.delete_webhook(webhook)
    with pytest.raises(Exception, match=f"Webhook with ID {made.webhook_id} not found."):
        client.get_webhook(made.webhook_id)


def test_trying_one_out_says_what_came_back(tracking, real_mlflow, receiver):
    answers = []
    for kind, server in (("apus", tracking), ("real", real_mlflow)):
        client, given = server.client(), []
        for place in ("ok", "bad", "flaky"):
            path = f"/{place}/{kind}-{uuid.uuid4().hex}"
            hook = client.create_webhook(
                name="try", url=receiver.url + path, events=["model_version.created"], secret="k")
            for event in (None, *ALL, "budget_policy.exceeded") if place == "ok" else (None, ALL[1]):
                result = client.test_webhook(hook.webhook_id, event)
                given.append((place, event, result.success, result.response_status, result.response_body))
            for headers, body in receiver.at(path):
                check_signature(headers, body, "k")
            given.append((len(receiver.at(path)), told(receiver, path)))
            client.delete_webhook(hook.webhook_id)
        answers.append(given)
    assert answers[0] == answers[1]
    # It is not followed elsewhere.
    client = tracking.client()
    hook = client.create_webhook(name="away", url=receiver.url + "/away/x", events=["prompt.created"])
    assert client.test_webhook(hook.webhook_id).response_status == 307
    assert receiver.at("/away/x") and not receiver.at("/elsewhere/x")
    client.delete_webhook(hook.webhook_id)


WRONG = [
    ("POST", "webhooks", {}),
    ("POST", "webhooks", {"name": "x", "url": "http://127.0.0.1"}),
    ("POST", "webhooks", {"name": "x", "url": "http://127.0.0.1", "events": []}),
    ("POST", "webhooks", {"name": "", "url": "http://127.0.0.1", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
    ("POST", "webhooks", {"name": "x y", "url": "http://127.0.0.1", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
    ("POST", "webhooks", {"name": "x" * 64, "url": "http://a.b", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
    ("POST", "webhooks", {"name": 1, "url": "http://127.0.0.1", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
    ("POST", "webhooks", {"name": "x", "url": " ", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
    ("POST", "webhooks", {"name": "x", "url": "ftp://a.b/", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
    ("POST", "webhooks", {"name": "x", "url": "http:///x", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
    ("POST", "webhooks", {"name": "x", "url": "nothing", "events": [{"entity": "PROMPT", "action": "CREATED"}]}),
    ("POST", "webhooks", {"name": "x", "url": "http://a.b", "events": [{"entity": "PROMPT", "action": "DELETED"}]}),
    ("POST", "webhooks", {"name": "x", "url": "http://a.b", "events": [{"entity": "MODEL_VERSION_TAG", "action": "CREATED"}]}),
    ("GET", "webhooks?max_results=1001", None),
    ("GET", "webhooks?max_results=-1", None),
    ("GET", "webhooks/nothing", None),
    ("PATCH", "webhooks/nothing", {"name": "x"}),
    ("DELETE", "webhooks/nothing", None),
    ("POST", "webhooks/nothing/test", {}),
    ("PATCH", "webhooks/{W}", {"name": "-"}),
    ("PATCH", "webhooks/{W}", {"url": "gopher://x"}),
    ("PATCH", "webhooks/{W}", {"events": [{"entity": "PROMPT", "action": "SET"}]}),
    ("POST", "webhooks/{W}/test", {"event": {"entity": "PROMPT", "action": "SET"}}),
]


def test_wrong_requests_are_refused_in_the_real_servers_words(tracking, real_mlflow):
    answers = []
    for server in (tracking, real_mlflow):
        hook = server.post("webhooks", {
            "name": "w", "url": "http://127.0.0.1:1", "events": [{"entity": "PROMPT", "action": "CREATED"}]})
        webhook = hook["webhook"]["webhook_id"]
        given = [server.error(method, path.replace("{W}", webhook), body) for method, path, body in WRONG]
        assert server.get(f"webhooks/{webhook}") == hook
        server.good("DELETE", f"webhooks/{webhook}")
        answers.append(given)
    for case, mine, theirs in zip(WRONG, *answers):
        assert mine == theirs, case


def test_what_is_refused_unless_it_is_allowed(request):
    """Without the option, against what mlflow's own check says with its defaults."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.validation import _validate_webhook_url
    events = [{"entity": "PROMPT", "action": "CREATED"}]
    for tracking in with_tracking(request):
        for url in ("http://8.8.8.8", "https://127.0.0.1/x", "https://localhost:8443", "https://10.1.2.3", "https://[::1]/",
                    "https://169.254.169.254/latest/meta-data", "https://100.64.0.1", "https://0.0.0.0", "https://127.1",
                    "https://192.168.0.1", "https://[fd00::1]", "https://[fe80::1]"):
            with pytest.raises(MlflowException) as expected:
                _validate_webhook_url(url)
            answer = tracking.error("POST", "webhooks", {"name": "x", "url": url, "events": events})
            assert answer == (400, "INVALID_PARAMETER_VALUE", expected.value.message), url
        for url in ("https://[::ffff:127.0.0.1]", "https://[64:ff9b::a00:1]", "https://[2002:7f00:1::]", "https://224.0.0.1",
                    "https://user@8.8.8.8/", "https://8.8.8.8\\@127.0.0.1/"):
            status, code, _ = tracking.error("POST", "webhooks", {"name": "x", "url": url, "events": events})
            assert (status, code) == (400, "INVALID_PARAMETER_VALUE"), url
        good = tracking.post("webhooks", {"name": "x", "url": "https://8.8.8.8/x", "events": events})
        assert tracking.get("webhooks")["webhooks"] == [good["webhook"]]


def test_secrets_are_not_told_not_in_the_database_and_outlive_a_restart(request, receiver):
    for tracking in with_tracking(request, "sqlite", "--allow-private-webhooks"):
        path = f"/ok/{uuid.uuid4().hex}"
        hook = tracking.client().create_webhook(
            name="x", url=receiver.url + path, events=["registered_model.created"], secret="very-own-secret")
        assert "very-own-secret" not in json.dumps(tracking.get(f"webhooks/{hook.webhook_id}"))
        tracking.stop()
        for file in (tracking.folder / "data").rglob("*"):
            assert file.is_dir() or b"very-own-secret" not in file.read_bytes()
        tracking.start()
        tracking.client().create_registered_model("told-later")
        wait_for(lambda: receiver.at(path), 60, "the event")
        check_signature(*receiver.at(path)[0], "very-own-secret")
        # An empty one takes it away.
        tracking.good("PATCH", f"webhooks/{hook.webhook_id}", {"secret": ""})
        tracking.client().create_registered_model("told-without")
        wait_for(lambda: len(receiver.at(path)) == 2, 60, "the second event")
        assert "x-mlflow-signature" not in receiver.at(path)[1][0]

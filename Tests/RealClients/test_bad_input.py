# SPDX-License-Identifier: Apache-2.0
"""Bad input gets upstream's error shape, changes nothing, and leaves the server alive (must hold 5)."""
import base64
import json
import random
import socket
import ssl
import tempfile

import pytest
import requests
import yaml

from conftest import wait_for


@pytest.fixture(scope="module")
def http(cluster):
    """A session with the admin's client certificate, straight to the server."""
    content = yaml.safe_load(open(cluster.kubeconfig))

    def file(data):
        handle = tempfile.NamedTemporaryFile(delete=False)
        handle.write(base64.b64decode(data))
        handle.close()
        return handle.name

    user = content["users"][0]["user"]
    session = requests.Session()
    session.trust_env = False
    session.cert = (file(user["client-certificate-data"]), file(user["client-key-data"]))
    session.verify = file(content["clusters"][0]["cluster"]["certificate-authority-data"])
    session.base = content["clusters"][0]["cluster"]["server"]
    # The tests count what is there; this one comes of itself.
    wait_for(lambda: session.get(session.base + MAPS + "/kube-root-ca.crt").ok, what="the certificate")
    return session


MAPS = "/api/v1/namespaces/default/configmaps"


def post(http, body, path=MAPS, content_type="application/json", **query):
    if not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    return http.post(http.base + path, data=body, params=query, headers={"content-type": content_type})


def expect(response, code, reason, *fragments):
    body = response.json()
    assert (response.status_code, body["kind"], body["status"], body["code"]) == (code, "Status", "Failure", code), body
    assert body["reason"] == reason, body
    for fragment in fragments:
        assert fragment in body["message"], body["message"]


def named(name, **more):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def count(http):
    return len(http.get(http.base + MAPS).json()["items"])


def test_refusals_change_nothing(http, cluster):
    before = count(http)
    expect(post(http, "{not json"), 400, "BadRequest")
    expect(post(http, b"\xff\xfe\x00"), 400, "BadRequest")
    expect(post(http, "[]"), 400, "BadRequest")
    expect(post(http, "a: 1", content_type="text/x-nonsense"), 415, "UnsupportedMediaType")
    expect(post(http, named("Upper_Case")), 422, "Invalid", "metadata.name", "RFC 1123")
    expect(post(http, named("x" * 300)), 422, "Invalid", "metadata.name")
    expect(post(http, named("a", data={"k": 5})), 400, "BadRequest", "data")
    expect(post(http, named("a", data=["k"])), 400, "BadRequest", "data")
    expect(post(http, named("a", data={"bad key!": "v"})), 422, "Invalid", "bad key!")
    expect(post(http, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}), 400, "BadRequest")
    expect(post(http, named("a", nope=1), fieldValidation="Strict"), 400, "BadRequest", 'unknown field "nope"')
    expect(post(http, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","name":"b"}}',
                fieldValidation="Strict"), 400, "BadRequest", "duplicate field")
    expect(post(http, '{"a":' * 5000 + "1" + "}" * 5000), 400, "BadRequest")
    expect(post(http, named("a", data={"k": "x" * (3 << 20)})), 413, "RequestEntityTooLarge")
    expect(post(http, b"k8s\x00" + bytes(range(200)), content_type="application/vnd.kubernetes.protobuf"), 400,
           "BadRequest")
    expect(post(http, named("a"), path="/api/v1/namespaces/absent/configmaps"), 404, "NotFound", '"absent" not found')
    expect(http.get(http.base + "/api/v1/nonsense"), 404, "NotFound")
    expect(http.get(http.base + MAPS, params={"labelSelector": "a in ("}), 400, "BadRequest")
    expect(http.get(http.base + MAPS, params={"fieldSelector": "spec.nope=1"}), 400, "BadRequest", "spec.nope")
    expect(http.get(http.base + MAPS, params={"continue": "garbage"}), 400, "BadRequest")
    expect(http.request("PATCH", http.base + MAPS + "/absent", data="{}",
                        headers={"content-type": "application/merge-patch+json"}), 404, "NotFound")
    assert count(http) == before


def test_unknown_fields_warn(http, cluster):
    response = post(http, named("warned", nope=1), fieldValidation="Warn")
    assert response.status_code == 201 and response.headers["Warning"] == r'299 - "unknown field \"nope\""'
    assert "nope" not in response.json()
    http.delete(http.base + MAPS + "/warned")


def test_immutable_and_stale(http, cluster):
    assert post(http, named("fixed", immutable=True, data={"a": "1"})).status_code == 201
    url = http.base + MAPS + "/fixed"
    merge = {"content-type": "application/merge-patch+json"}
    expect(http.patch(url, data='{"data":{"a":"2"}}', headers=merge), 422, "Invalid", "immutable")
    expect(http.patch(url, data='{"metadata":{"name":"other"}}', headers=merge), 400, "BadRequest")
    expect(http.patch(url, data='{"metadata":{"resourceVersion":"1"}}', headers=merge), 409, "Conflict")
    expect(http.patch(url, data='[{"op":"test","path":"/data/a","value":"9"}]',
                      headers={"content-type": "application/json-patch+json"}), 422, "Invalid")
    expect(http.patch(url, data='[{"op":"nope"}]', headers={"content-type": "application/json-patch+json"}), 400,
           "BadRequest")
    expect(http.delete(url, data=json.dumps({"preconditions": {"uid": "other"}}),
                       headers={"content-type": "application/json"}), 409, "Conflict")
    assert http.get(url).json()["data"] == {"a": "1"}
    assert http.delete(url).status_code == 200


def test_anonymous_is_refused(http, cluster):
    response = requests.get(http.base + MAPS, verify=http.verify)
    expect(response, 401, "Unauthorized")
    response = requests.get(http.base + MAPS, verify=http.verify, headers={"authorization": "Bearer a.b.c"})
    expect(response, 401, "Unauthorized")
    assert requests.get(http.base + "/healthz", verify=http.verify).text == "ok"


def test_garbage_on_the_port(http, cluster):
    host, port = http.base.removeprefix("https://").split(":")
    generator = random.Random(7)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for attempt in range(40):
        garbage = generator.randbytes(generator.randrange(1, 4000))
        with socket.create_connection((host, int(port)), timeout=60) as raw:
            connection = context.wrap_socket(raw) if attempt % 2 else raw
            connection.settimeout(5)
            try:
                connection.sendall(garbage)
                connection.recv(1000)
            except OSError:
                pass
    assert requests.get(http.base + "/healthz", verify=http.verify, timeout=60).text == "ok"


def test_kubectl_says_what_is_wrong(cluster):
    bad = cluster.kubectl("apply", "-f", "-", input="kind: Pod\napiVersion: v1\nmetadata: {name: [", check=False)
    assert bad.returncode != 0
    unknown = cluster.kubectl("apply", "-f", "-", check=False, input=json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
         "spec": {"replicaz": 1, "selector": {"matchLabels": {"a": "b"}},
                  "template": {"metadata": {"labels": {"a": "b"}},
                               "spec": {"containers": [{"name": "c", "image": "x"}]}}}}))
    assert unknown.returncode != 0 and 'unknown field "spec.replicaz"' in unknown.stderr
    invalid = cluster.kubectl("apply", "-f", "-", check=False, input=json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
         "spec": {"selector": {"matchLabels": {"a": "b"}},
                  "template": {"metadata": {"labels": {"a": "c"}},
                               "spec": {"containers": [{"name": "c", "image": "x"}]}}}}))
    assert invalid.returncode != 0 and "does not match template" in invalid.stderr

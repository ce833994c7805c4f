# SPDX-License-Identifier: Apache-2.0
"""Requests as they are on `apus serve catalog`: what is answered, above all to what is wrong."""
import concurrent.futures

import socket
import subprocess

import pytest
import requests

from catalog_fixture import CatalogServer, catalog, error_of, folder_catalog  # noqa: F401
from conftest import APUS, PATIENCE, wait_for

SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "id", "type": "long", "required": True}]}


@pytest.fixture
def names(folder_catalog):
    """A catalog with the table n.t."""
    assert folder_catalog.call("POST", "/v1/namespaces", {"namespace": ["n"]})[0] == 200
    assert folder_catalog.call("POST", "/v1/namespaces/n/tables", {"name": "t", "schema": SCHEMA})[0] == 200
    return folder_catalog


def test_configuration(catalog):
    status, body = catalog.call("GET", "/v1/config")
    assert status == 200 and body["defaults"]["s3.endpoint"] == catalog.objects.url
    assert body["defaults"]["s3.path-style-access"] == "true" and body["overrides"] == {}
    assert "POST /v1/{prefix}/transactions/commit" in body["endpoints"]
    for name in ("apus", catalog.warehouse, catalog.warehouse + "/"):
        assert catalog.call("GET", "/v1/config", params={"warehouse": name})[0] == 200
    assert error_of(catalog.call("GET", "/v1/config?warehouse=other")) == (404, "NoSuchWarehouseException")


@pytest.mark.parametrize("method, path, body, expected", [
    ("GET", "/v1/namespaces/x", None, (404, "NoSuchNamespaceException")),
    ("GET", "/v1/namespaces?parent=x", None, (404, "NoSuchNamespaceException")),
    ("GET", "/v1/namespaces/x/tables", None, (404, "NoSuchNamespaceException")),
    ("GET", "/v1/namespaces/n/tables/x", None, (404, "NoSuchTableException")),
    ("DELETE", "/v1/namespaces/n/tables/x", None, (404, "NoSuchTableException")),
    ("DELETE", "/v1/namespaces/n", None, (409, "NamespaceNotEmptyException")),
    ("DELETE", "/v1/namespaces/x", None, (404, "NoSuchNamespaceException")),
    ("POST", "/v1/namespaces", {"namespace": ["n"]}, (409, "AlreadyExistsException")),
    ("POST", "/v1/namespaces", {"namespace": []}, (400, "BadRequestException")),
    ("POST", "/v1/namespaces", {"namespace": ["a/b"]}, (400, "BadRequestException")),
    ("POST", "/v1/namespaces", {"namespace": ["a"], "surprise": 1}, (400, "BadRequestException")),
    ("POST", "/v1/namespaces/n/properties", {"removals": ["a"], "updates": {"a": "b"}},
     (422, "UnprocessableEntityException")),
    ("POST", "/v1/namespaces/n/tables", {"name": "t", "schema": SCHEMA}, (409, "AlreadyExistsException")),
    ("POST", "/v1/namespaces/x/tables", {"name": "t", "schema": SCHEMA}, (404, "NoSuchNamespaceException")),
    ("POST", "/v1/namespaces/n/tables", {"name": "..", "schema": SCHEMA}, (400, "BadRequestException")),
    ("POST", "/v1/namespaces/n/tables", {"name": "u", "schema": SCHEMA, "location": "file:///etc/u"},
     (403, "ForbiddenException")),
    ("POST", "/v1/namespaces/n/tables", {"name": "u", "schema": SCHEMA, "properties": {"format-version": "4"}},
     (406, "UnsupportedOperationException")),
    ("POST", "/v1/namespaces/n/tables/t",
     {"requirements": [{"type": "assert-create"}], "updates": []}, (409, "CommitFailedException")),
    ("POST", "/v1/namespaces/n/tables/t",
     {"requirements": [{"type": "assert-table-uuid", "uuid": "x"}], "updates": []}, (409, "CommitFailedException")),
    ("POST", "/v1/namespaces/n/tables/t", {"requirements": [{"type": "assert-luck"}], "updates": []},
     (400, "BadRequestException")),
    ("POST", "/v1/namespaces/n/tables/t", {"requirements": [], "updates": [{"action": "dance"}]},
     (400, "BadRequestException")),
    ("POST", "/v1/namespaces/n/tables/x", {"requirements": [], "updates": []}, (404, "NoSuchTableException")),
    ("POST", "/v1/transactions/commit", {"table-changes": []}, (400, "BadRequestException")),
    ("POST", "/v1/tables/rename", {"source": {"namespace": ["n"], "name": "x"},
                                   "destination": {"namespace": ["n"], "name": "y"}}, (404, "NoSuchTableException")),
    ("POST", "/v1/tables/rename", {"source": {"namespace": ["n"], "name": "t"},
                                   "destination": {"namespace": ["x"], "name": "y"}}, (404, "NoSuchNamespaceException")),
    ("POST", "/v1/namespaces/n/register", {"name": "r", "metadata-location": "file:///etc/passwd"},
     (403, "ForbiddenException")),
    ("POST", "/v1/namespaces/n/views", {}, (400, "BadRequestException")),
    ("GET", "/v1/namespaces/n/views/v", None, (404, "NoSuchViewException")),
    ("PUT", "/v1/namespaces", {}, (405, "MethodNotAllowedException")),
    ("GET", "/v1/unknown", None, (404, "NotFoundException")),
    ("GET", "/v1/namespaces?pageToken=&pageSize=0", None, (400, "BadRequestException")),
    ("GET", "/v1/namespaces/n/tables/t?snapshots=some", None, (400, "BadRequestException")),
    ("DELETE", "/v1/namespaces/n/tables/t?purgeRequested=perhaps", None, (400, "BadRequestException")),
    ("POST", "/v1/namespaces/n/tables/t/metrics", {}, (400, "BadRequestException")),
])
def test_what_is_wrong_changes_nothing(names, method, path, body, expected):
    before = names.call("GET", "/v1/namespaces/n/tables/t"), names.files(names.warehouse)
    assert error_of(names.call(method, path, body)) == expected
    assert before == (names.call("GET", "/v1/namespaces/n/tables/t"), names.files(names.warehouse))


def test_what_is_no_json(names):
    for body in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"namespace": ["a"]} x'):
        answer = requests.post(names.url + "/v1/namespaces", data=body, timeout=PATIENCE)
        assert answer.status_code == 400 and answer.json()["error"]["type"] == "BadRequestException"
    answer = requests.post(names.url + "/v1/namespaces", data=b"x" * (17 << 20), timeout=30)
    assert answer.status_code == 413
    answer = requests.post(names.url + "/v1/namespaces", data=b"x", headers={"Content-Encoding": "gzip"}, timeout=PATIENCE)
    assert answer.status_code == 400
    # A body that was promised and does not come holds nothing up.
    with socket.create_connection(names.address.split(":"), timeout=60) as open_end:
        open_end.sendall(b"POST /v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert names.call("GET", "/v1/namespaces")[1] == {"namespaces": [["n"]]}
    assert requests.get(names.url + "/healthz", timeout=PATIENCE).text == "ok\n"


def test_heads_tags_metrics_and_views(names):
    assert requests.head(names.url + "/v1/namespaces/n").status_code == 204
    assert requests.head(names.url + "/v1/namespaces/x").status_code == 404
    assert requests.head(names.url + "/v1/namespaces/n/tables/t").status_code == 204
    assert requests.head(names.url + "/v1/namespaces/n/tables/x").content == b""
    path = names.url + "/v1/namespaces/n/tables/t"
    first = requests.get(path)
    tag = first.headers["ETag"]
    assert requests.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert requests.get(path + "?snapshots=refs", headers={"If-None-Match": tag}).status_code == 200
    update = {"requirements": [], "updates": [{"action": "set-properties", "updates": {"a": "b"}}]}
    assert requests.post(path, json=update).status_code == 200
    changed = requests.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.json()["metadata"]["properties"] == {"a": "b"}
    assert changed.headers["ETag"] != tag
    report = {"report-type": "scan-report", "table-name": "t", "snapshot-id": 1}
    assert names.call("POST", "/v1/namespaces/n/tables/t/metrics", report)[0] == 204
    assert names.call("GET", "/v1/namespaces/n/views") == (200, {"identifiers": []})
    metrics = requests.get(names.url + "/metrics").text
    assert "apus_catalog_tables 1" in metrics and "apus_catalog_commits_total 1" in metrics
    assert 'apus_catalog_requests_total{route="commitTable",status="200"} 1' in metrics


def test_pages(names):
    for number in range(7):
        names.call("POST", "/v1/namespaces", {"namespace": ["n", f"c{number}"]})
        names.call("POST", "/v1/namespaces/n/tables", {"name": f"t{number}", "schema": SCHEMA})
    for path, member, count in (("/v1/namespaces?parent=n&", "namespaces", 7), ("/v1/namespaces/n/tables?", "identifiers", 8)):
        everything = names.call("GET", path)[1][member]
        seen, token, pages = [], "", 0
        while token is not None:
            body = names.call("GET", f"{path}pageSize=3&pageToken={requests.utils.quote(token)}")[1]
            seen, token, pages = seen + body[member], body["next-page-token"], pages + 1
        assert seen == everything and len(seen) == count and pages == 3


def test_a_transaction_is_whole(names):
    names.call("POST", "/v1/namespaces/n/tables", {"name": "u", "schema": SCHEMA})

    def change(table, requirements):
        return {"identifier": {"namespace": ["n"], "name": table}, "requirements": requirements,
                "updates": [{"action": "set-properties", "updates": {"a": "b"}}]}

    wrong = [{"type": "assert-current-schema-id", "current-schema-id": 5}]
    answer = names.call("POST", "/v1/transactions/commit", {"table-changes": [change("t", []), change("u", wrong)]})
    assert error_of(answer) == (409, "CommitFailedException")
    answer = names.call("POST", "/v1/transactions/commit", {"table-changes": [change("t", []), change("x", [])]})
    assert error_of(answer) == (404, "NoSuchTableException")
    assert names.call("GET", "/v1/namespaces/n/tables/t")[1]["metadata"]["properties"] == {}
    assert names.call("POST", "/v1/transactions/commit", {"table-changes": [change("t", []), change("u", [])]})[0] == 204
    for table in "tu":
        assert names.call("GET", f"/v1/namespaces/n/tables/{table}")[1]["metadata"]["properties"] == {"a": "b"}


def test_many_commits_at_once(names):
    """Every one of them is there; of those that start from the same state one wins."""
    def free(number):
        return names.call("POST", "/v1/namespaces/n/tables/t", {"requirements": [], "updates": [
            {"action": "set-properties", "updates": {f"p{number}": "x"}}]})[0]

    def bound(number):
        return names.call("POST", "/v1/namespaces/n/tables/t", {
            "requirements": [{"type": "assert-last-assigned-field-id", "last-assigned-field-id": 1}],
            "updates": [{"action": "add-schema", "schema": {"type": "struct", "fields": SCHEMA["fields"] + [
                {"id": 2, "name": f"c{number}", "type": "long", "required": False}]}}]})[0]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(free, range(100))) == {200}
        outcomes = list(pool.map(bound, range(20)))
    assert sorted(outcomes) == [200] + [409] * 19
    metadata = names.call("GET", "/v1/namespaces/n/tables/t")[1]["metadata"]
    assert len(metadata["properties"]) == 100 and len(metadata["schemas"]) == 2
    assert len(metadata["metadata-log"]) == 100
    # Those that lost left no file.
    assert len(names.files(metadata["location"])) == 102


def test_what_the_command_refuses(tmp_path):
    def said(*arguments, **environment):
        result = subprocess.run([APUS, "serve", "catalog", "--data-dir", str(tmp_path / "d"), "--listen", "127.0.0.1:0",
                                 *arguments], capture_output=True, text=True, timeout=30)
        assert result.returncode != 0
        return result.stderr

    assert "--warehouse" in said("--warehouse", "http://x")
    assert "--token-file" in said("--listen", "0.0.0.0:0")
    assert "APUS_VEND_SECRET_KEY" in said("--warehouse", "s3://bucket/x", "--vend-access-key", "k")
    assert "go together" in said("--tls-key", "x")
    (tmp_path / "short").write_text("abc\n")
    assert "16 characters" in said("--token-file", str(tmp_path / "short"))
    (tmp_path / "d").mkdir(exist_ok=True)
    (tmp_path / "d" / "catalog.sqlite").write_bytes(b"not a database" * 100)
    assert "catalog.sqlite" in said()


def test_one_catalog_a_file(names):
    other = CatalogServer()
    try:
        result = subprocess.run([APUS, "serve", "catalog", "--data-dir", str(names.folder / "data"), "--listen",
                                 "127.0.0.1:0"], capture_output=True, text=True, timeout=30)
        assert result.returncode == 1 and "another program" in result.stderr
    finally:
        other.clean(keep=False)


def test_tls(monkeypatch, tmp_path):
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    str(key), "-out", str(certificate)], check=True, capture_output=True)
    server = CatalogServer("--tls-certificate", str(certificate), "--tls-key", str(key))
    try:
        server.start()
        assert requests.get(server.url + "/v1/config", verify=str(certificate), timeout=PATIENCE).status_code == 200
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        iceberg = server.pyiceberg()
        iceberg.create_namespace("n")
        assert iceberg.list_namespaces() == [("n",)]
        server.stop()
    finally:
        server.clean(keep=False)


def test_large_bodies_that_do_not_come(names):
    """Clients that announce large bodies and send nothing: others with large bodies are told, small ones go through."""
    held = []
    try:
        for _ in range(4):
            connection = socket.create_connection(names.address.split(":"), timeout=60)
            connection.sendall(b"POST /v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 16777216\r\n\r\n{")
            held.append(connection)
        large = {"namespace": ["a"], "properties": {"p": "x" * 1_000_000}}
        wait_for(lambda: names.call("POST", "/v1/namespaces", large)[0] == 503, 10, "no room for a fifth")
        assert names.call("POST", "/v1/namespaces", {"namespace": ["b"]})[0] == 200
    finally:
        for connection in held:
            connection.close()
    wait_for(lambda: names.call("POST", "/v1/namespaces", {**large, "namespace": ["c"]})[0] == 200, 10, "room again")

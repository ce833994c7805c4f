# SPDX-License-Identifier: Apache-2.0
"""Flow control, compression and metrics, as clients on the network see them."""
import gzip
import json
import re
import statistics
import subprocess
import sys

import pytest
import requests
from kubernetes import client, config

from conftest import PATIENCE, wait_for


class Connection:
    """HTTPS as the administrator, with nothing in between that retries or decodes."""

    def __init__(self, cluster):
        self.url = cluster.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(cluster.data / "pki" / "ca.crt")
        self.session.cert = (str(cluster.data / "pki" / "admin.crt"), str(cluster.data / "pki" / "admin.key"))

    def get(self, path, **headers):
        return self.session.get(self.url + path, headers={k.replace("_", "-"): v for k, v in headers.items()},
                                stream=True)


@pytest.fixture(scope="module")
def api(cluster):
    return config.new_client_from_config(cluster.kubeconfig)


@pytest.fixture(scope="module")
def large(cluster, api):
    """A namespace with 200 config maps of 2 KiB."""
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": "large"}})
    # Its controller puts one there, too.
    cluster.kubectl("wait", "--for=create", "configmap/kube-root-ca.crt", "-n", "large", f"--timeout={PATIENCE}s")
    for index in range(200):
        core.create_namespaced_config_map("large", {"metadata": {"name": f"c{index}"}, "data": {"k": "v" * 2000}})
    yield "large"
    core.delete_namespace("large")


def test_large_answers_are_compressed_for_those_who_ask(cluster, large):
    connection = Connection(cluster)
    path = f"/api/v1/namespaces/{large}/configmaps"
    packed = connection.get(path, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Vary"] == "Accept-Encoding"
    raw = packed.raw.read(decode_content=False)
    assert len(raw) == int(packed.headers["Content-Length"]) < 100_000
    plain = connection.get(path, Accept_Encoding="identity")
    assert "Content-Encoding" not in plain.headers
    unpacked, whole = json.loads(gzip.decompress(raw)), plain.json()
    for told in (unpacked, whole):
        # The store's, which others write to.
        del told["metadata"]["resourceVersion"]
    assert unpacked == whole and len(plain.content) > 400_000
    small = connection.get(path + "/c1", Accept_Encoding="gzip")
    assert "Content-Encoding" not in small.headers
    for path in ["/openapi/v2", "/openapi/v3/api/v1"]:
        document = connection.get(path, Accept_Encoding="gzip")
        assert document.headers["Content-Encoding"] == "gzip"
        assert "definitions" in document.json() or "components" in document.json()


def test_compressed_bodies_are_refused(cluster):
    bomb = gzip.compress(b" " * (64 << 20))
    assert len(bomb) < 100_000
    connection = Connection(cluster)
    answer = connection.session.post(
        cluster.url + "/api/v1/namespaces/default/configmaps", data=bomb,
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})
    assert answer.status_code == 415 and answer.json()["reason"] == "UnsupportedMediaType"


def test_metrics(cluster, namespace, api):
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "m"}})

    def samples():
        text = cluster.kubectl("get", "--raw", "/metrics")
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))

    before = samples()
    name = next(key for key in before if key.startswith("apiserver_request_total{verb=\"GET\"")
                and 'resource="namespaces"' in key or 'verb="POST"' in key and 'resource="configmaps"' in key)
    assert re.fullmatch(
        r'apiserver_request_total\{verb="[A-Z]+",dry_run="",group="",version="v1",resource="[a-z]+",subresource="",'
        r'scope="(namespace|resource|cluster)",component="apiserver",code="2\d\d"\}', name)
    created = ('apiserver_request_total{verb="POST",dry_run="",group="",version="v1",resource="configmaps",'
               'subresource="",scope="namespace",component="apiserver",code="201"}')
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "m2"}})
    after = samples()
    assert int(after[created]) == int(before[created]) + 1
    objects = 'apiserver_storage_objects{resource="configmaps"}'
    assert int(after[objects]) >= int(before[objects]) + 1
    bucket = [key for key in after if key.startswith("apiserver_request_duration_seconds_bucket")
              and 'verb="POST"' in key and 'resource="configmaps"' in key]
    counts = [int(after[key]) for key in bucket]
    assert len(counts) == 24 and counts == sorted(counts) and 'le="+Inf"' in bucket[-1]
    watches = [int(value) for key, value in after.items()
               if key.startswith("apiserver_longrunning_requests") and 'verb="WATCH"' in key]
    assert sum(watches) > 0, "the controllers watch"
    assert int(after["process_resident_memory_bytes"]) > 10 << 20


GREEDY = """
import json, socket, ssl, sys, threading
host, port, folder, path, answered = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], {}
lock = threading.Lock()
request = f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\nUser-Agent: greedy\\r\\n\\r\\n".encode()

def work():
    context = ssl.create_default_context(cafile=folder + "/ca.crt")
    context.check_hostname = False
    context.load_cert_chain(folder + "/admin.crt", folder + "/admin.key")
    with context.wrap_socket(socket.create_connection((host, port))) as connection:
        while True:
            connection.sendall(request)
            data = b""
            while b"\\r\\n\\r\\n" not in data:
                data += connection.recv(1 << 16)
            head, _, body = data.partition(b"\\r\\n\\r\\n")
            head = head.decode().lower()
            left = int(head.split("content-length: ")[1].split()[0]) - len(body)
            while left > 0:
                left -= len(connection.recv(1 << 20))
            status = head.split()[1]
            if status == "429":
                assert "retry-after: 1" in head, head
            with lock:
                answered[status] = answered.get(status, 0) + 1

for _ in range(150):
    threading.Thread(target=work, daemon=True).start()
for line in sys.stdin:
    with lock:
        print(json.dumps(answered), flush=True)
"""


def test_a_greedy_client_does_not_starve_another(own_cluster, monkeypatch):
    """150 connections of one client list without pause; another client's small requests go on."""
    monkeypatch.setenv("APUS_MAX_REQUESTS_INFLIGHT", "4")
    cluster = own_cluster.start()
    host, port = cluster.url.removeprefix("https://").split(":")
    core = client.CoreV1Api(config.new_client_from_config(cluster.kubeconfig))
    for index in range(200):
        core.create_namespaced_config_map("default", {"metadata": {"name": f"c{index}"}, "data": {"k": "v" * 2000}})
    path = "/api/v1/namespaces/default/configmaps"
    greedy = subprocess.Popen([sys.executable, "-c", GREEDY, host, port, str(cluster.data / "pki"), path],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answered():
        greedy.stdin.write("?\n")
        greedy.stdin.flush()
        return json.loads(greedy.stdout.readline())

    try:
        wait_for(lambda: answered().get("200", 0) > 100, what="the greedy client to be served")
        wait_for(lambda: answered().get("429", 0) > 0, what="the greedy client to be refused something")
        quiet = Connection(cluster)
        quiet.session.headers["User-Agent"] = "quiet"

        def lists():
            """How many of the greedy client's lists the server has answered."""
            answer = quiet.get("/metrics")
            assert answer.status_code == 200
            return int(re.search(r'apiserver_request_total\{verb="LIST",[^}]*resource="configmaps",[^}]*'
                                 r'scope="namespace",[^}]*code="200"\} (\d+)', answer.text).group(1))

        waited = []
        before = lists()
        for _ in range(40):
            answer = quiet.get(path + "/c1")
            assert answer.status_code == 200 and answer.json()["metadata"]["name"] == "c1"
            after = lists()
            waited.append(after - before)
            before = after
        assert quiet.get("/readyz").text == "ok"
        assert re.search(r'apiserver_flowcontrol_rejected_requests_total\{.*reason="queue-full"\} [1-9]',
                         quiet.get("/metrics").text)
    finally:
        greedy.kill()
        greedy.wait()
    # In work, not in time: two small requests wait for what is being sent, not for the 150 lists that are wanted.
    # While this program does not run itself, lists are answered that its request does not wait for: the lowest tenth
    # tells. It is some 15; with the name of the greedy client, in the same queue, requests are refused or wait for
    # hundreds.
    assert statistics.quantiles(waited, n=10)[0] < 100, waited

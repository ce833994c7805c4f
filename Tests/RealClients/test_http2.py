# SPDX-License-Identifier: Apache-2.0
"""HTTP/2: kubectl, curl and a Python client speak it, many watches share a connection, and what is wrong ends cleanly."""
import contextlib
import json
import socket
import ssl
import struct
import subprocess
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from h2.connection import ConnectionInputs, ConnectionState

from conftest import KUBECTL, wait_for


def tls(cluster, *protocols, certificate=True):
    context = ssl.create_default_context(cafile=str(cluster.data / "pki" / "ca.crt"))
    context.check_hostname = False
    context.set_alpn_protocols(protocols)
    if certificate:
        context.load_cert_chain(cluster.data / "pki" / "admin.crt", cluster.data / "pki" / "admin.key")
    host, port = cluster.url.removeprefix("https://").split(":")
    return context.wrap_socket(socket.create_connection((host, int(port)), timeout=60))


class Connection:
    """An HTTP/2 connection. What comes is kept by stream."""

    def __init__(self, cluster, certificate=True):
        self.socket = tls(cluster, "h2", certificate=certificate)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        # To the library a GOAWAY is the end (python-hyper/h2, issue 1181); what was begun goes on (RFC 9113, 6.8).
        machine, told = self.http.state_machine, (ConnectionState.CLIENT_OPEN, ConnectionInputs.RECV_GOAWAY)
        machine._transitions = {**machine._transitions, told: (None, ConnectionState.CLIENT_OPEN)}
        self.headers, self.bodies, self.ended, self.reset = {}, {}, set(), {}
        # Streams whose window is not opened again.
        self.unread = set()
        self.goaway = None
        self.http.initiate_connection()
        self.send()
        # How many streams the server takes.
        self.until(lambda: self.http.remote_settings.max_concurrent_streams == 250)

    def send(self):
        self.socket.sendall(self.http.data_to_send())

    def request(self, method, path, body=None, headers=(), end=True):
        stream = self.http.get_next_available_stream_id()
        fields = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "apus"), *headers]
        self.http.send_headers(stream, fields, end_stream=end and body is None)
        self.bodies[stream] = b""
        self.send()
        while body:
            self.until(lambda: self.http.local_flow_control_window(stream) > 0)
            size = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size)
            self.http.send_data(stream, body[:size], end_stream=end and size >= len(body))
            self.send()
            body = body[size:]
        return stream

    def read(self):
        data = self.socket.recv(1 << 20)
        assert data, "the server closed the connection"
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.headers[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                if event.stream_id in self.unread:
                    self.http.increment_flow_control_window(event.flow_controlled_length)
                else:
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.reset[event.stream_id] = event.error_code
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.goaway = event.error_code
        self.send()

    def until(self, condition):
        while not condition():
            self.read()

    def answer(self, method, path, *arguments, **more):
        stream = self.request(method, path, *arguments, **more)
        self.until(lambda: stream in self.ended)
        return int(self.headers[stream][":status"]), self.headers[stream], self.bodies[stream]

    def closed(self):
        """Reads to the end of the connection; the code of its GOAWAY."""
        with contextlib.suppress(AssertionError, OSError):
            while True:
                self.read()
        return self.goaway


def curl(cluster, *arguments):
    pki = cluster.data / "pki"
    return subprocess.run(
        ["curl", "-sS", "-m", "60", "--cacert", pki / "ca.crt", "--cert", pki / "admin.crt", "--key", pki / "admin.key",
         *arguments], text=True, capture_output=True, check=True, timeout=90).stdout


def watching(cluster):
    text = cluster.kubectl("get", "--raw", "/metrics")
    return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith("apiserver_longrunning_requests") and 'resource="configmaps",' in line
               and 'scope="namespace"' in line)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def test_the_version_is_the_clients_choice(cluster):
    for flag, version in [("--http2", "2"), ("--http1.1", "1.1")]:
        assert curl(cluster, flag, f"{cluster.url}/readyz", "-w", " %{http_version} %{http_code}") == f"ok {version} 200"
    # Go prints the frames of its HTTP/2 client.
    told = subprocess.run(
        ["env", "GODEBUG=http2debug=1", KUBECTL, "get", "namespaces", "-o", "name"], env=cluster.env(),
        text=True, capture_output=True, check=True, timeout=60)
    assert "namespace/default" in told.stdout
    assert "http2: Transport received HEADERS" in told.stderr


def test_large_lists_come_whole_and_compressed(cluster, namespace):
    connection = Connection(cluster)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for index in range(4):
        made = json.dumps({"metadata": {"name": f"c{index}"}, "data": {"k": "x" * 900_000}}).encode()
        status, _, told = connection.answer("POST", path, made, headers=[("content-type", "application/json")])
        assert status == 201, told
    # The client's window is 64 KiB: what the server sends waits for it.
    status, headers, body = connection.answer("GET", path)
    assert status == 200 and len(body) == int(headers["content-length"]) > 3_600_000
    names = {item["metadata"]["name"] for item in json.loads(body)["items"]}
    assert names >= {"c0", "c1", "c2", "c3"}
    status, headers, body = connection.answer("GET", path, headers=[("accept-encoding", "gzip")])
    assert headers["content-encoding"] == "gzip" and len(body) < 100_000
    assert "connection" not in headers
    status, headers, body = connection.answer("HEAD", path)
    assert (status, body) == (200, b"")


def test_certificates_and_tokens(cluster, namespace):
    token = cluster.kubectl("create", "token", "default", "-n", namespace).strip()
    connection = Connection(cluster)
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode()

    def user(connection, *headers):
        status, _, answer = connection.answer(
            "POST", review, body, headers=[("content-type", "application/json"), *headers])
        return json.loads(answer)["status"]["userInfo"]["username"] if status == 201 else status

    assert user(connection) == "apus-admin"
    other = Connection(cluster, certificate=False)
    assert user(other) == 401
    account = f"system:serviceaccount:{namespace}:default"
    assert user(other, ("authorization", f"Bearer {token}")) == account
    assert user(other, ("authorization", "Bearer wrong")) == 401
    assert user(connection, ("impersonate-user", "jane")) == "jane"


def test_a_thousand_watches_share_four_connections(cluster, namespace):
    cluster.kubectl("create", "configmap", "watched", "-n", namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    connections = [Connection(cluster) for _ in range(4)]
    version = json.loads(connections[0].answer("GET", path)[2])["metadata"]["resourceVersion"]
    target = f"{path}?watch=true&resourceVersion={version}&timeoutSeconds=120"
    watches = [(connection, []) for connection in connections]
    for connection, streams in watches:
        # Not all at once: the server has a limit on how many requests of a user wait.
        while len(streams) < 250:
            streams += [connection.request("GET", target) for _ in range(25)]
            connection.until(lambda: all(stream in connection.headers for stream in streams))
        assert {connection.headers[stream][":status"] for stream in streams} == {"200"}
        # One more is more than the server takes.
        with pytest.raises(h2.exceptions.TooManyStreamsError):
            connection.request("GET", path)
    assert watching(cluster) >= 1000
    for number in range(3):
        cluster.kubectl("patch", "configmap", "watched", "-n", namespace, "-p", json.dumps({"data": {"n": str(number)}}))

    def told(connection, streams):
        return all(connection.bodies[stream].count(b'"type":"MODIFIED"') == 3 for stream in streams)

    for connection, streams in watches:
        connection.until(lambda: told(connection, streams))
    # Half are cancelled stream by stream, the others with their connection.
    for connection, streams in watches[:2]:
        for stream in streams:
            connection.http.reset_stream(stream, error_code=8)
        connection.send()
    wait_for(lambda: watching(cluster) <= 500 + len(watches), what="the watches that were cancelled to end")
    assert watches[0][0].answer("GET", path)[0] == 200, "the connection goes on"
    for connection, _ in watches[2:]:
        connection.socket.close()
    wait_for(lambda: watching(cluster) == 0, what="the watches of clients that left to end")


def test_a_watch_that_is_not_read_does_not_hold_up_others(cluster, namespace):
    cluster.kubectl("create", "configmap", "big", "-n", namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    connection = Connection(cluster)
    version = json.loads(connection.answer("GET", path)[2])["metadata"]["resourceVersion"]
    target = f"{path}?watch=true&resourceVersion={version}&timeoutSeconds=120"
    slow, quick = connection.request("GET", target), connection.request("GET", target)
    connection.unread.add(slow)
    connection.until(lambda: len(connection.headers) == 3)
    writer, merge = Connection(cluster), [("content-type", "application/merge-patch+json")]
    for number in range(6):
        patch = json.dumps({"data": {"k": f"{number} " + "x" * 50_000}}).encode()
        assert writer.answer("PATCH", f"{path}/big", patch, headers=merge)[0] == 200

    def told(stream):
        return connection.bodies[stream].count(b'"type":"MODIFIED"')

    connection.until(lambda: told(quick) == 6 and len(connection.bodies[slow]) >= 65_535)
    assert len(connection.bodies[slow]) == 65_535, "as far as the window of the stream goes"
    connection.unread.clear()
    connection.http.increment_flow_control_window(1 << 20, slow)
    connection.send()
    connection.until(lambda: told(slow) == 6)


def test_refused_bodies_end_without_being_read(cluster, namespace):
    connection = Connection(cluster)
    stream = connection.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", end=False, headers=[
        ("content-type", "application/json"), ("content-length", str(8 << 20))])
    sent = 0
    while stream not in connection.ended or stream not in connection.reset:
        size = min(connection.http.local_flow_control_window(stream), 16_384) if stream not in connection.reset else 0
        if size and sent < 4 << 20:
            connection.http.send_data(stream, b"x" * size)
            connection.send()
            sent += size
        else:
            connection.read()
    assert connection.headers[stream][":status"] == "413" and b"Request entity too large" in connection.bodies[stream]
    assert connection.reset[stream] == 0, "no error: the answer is complete"
    assert sent < 1 << 20
    assert connection.answer("GET", "/readyz")[0] == 200, "the connection goes on"


def test_logs_and_proxied_requests(cluster, namespace):
    script = ("import http.server, os, threading, time\n"
              "class H(http.server.BaseHTTPRequestHandler):\n"
              "  protocol_version = 'HTTP/1.1'\n"
              "  def do_POST(self):\n"
              "    coded = self.headers.get('Transfer-Encoding') == 'chunked'\n"
              "    body = b''\n"
              "    while coded and (size := int(self.rfile.readline(), 16)):\n"
              "      body += self.rfile.read(size); self.rfile.readline()\n"
              "    if coded: self.rfile.readline()\n"
              "    else: body = self.rfile.read(int(self.headers.get('Content-Length', 0)))\n"
              "    told = b'%d %s' % (len(body), self.headers['Host'].encode())\n"
              "    self.send_response(200); self.send_header('Content-Length', str(len(told))); self.end_headers()\n"
              "    self.wfile.write(told)\n"
              "  def log_message(self, *a): pass\n"
              "def tick():\n"
              "  n = 0\n"
              "  while True: print('tick', n, flush=True); n += 1; time.sleep(0.2)\n"
              "threading.Thread(target=tick, daemon=True).start()\n"
              "http.server.ThreadingHTTPServer((os.environ['POD_IP'], 8080), H).serve_forever()\n")
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [
            {"name": "main", "image": "x", "command": ["python3", "-c", script],
             "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
             "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}]}}))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/web", "-n", namespace, "--timeout=60s")
    connection = Connection(cluster)
    follow = connection.request("GET", f"/api/v1/namespaces/{namespace}/pods/web/log?follow=true")
    connection.until(lambda: b"tick 3\n" in connection.bodies[follow])
    proxy = f"/api/v1/namespaces/{namespace}/pods/web:8080/proxy/x"
    # A body of unknown length, and one of a known one.
    status, _, body = connection.answer("POST", proxy, b"x" * 5000)
    assert (status, body.split()[0]) == (200, b"5000")
    status, _, body = connection.answer("POST", proxy, b"x" * 700, headers=[("content-length", "700")])
    assert (status, body.split()[0]) == (200, b"700")
    seen = len(connection.bodies[follow])
    connection.until(lambda: len(connection.bodies[follow]) > seen)
    connection.http.reset_stream(follow, error_code=8)
    connection.send()
    assert connection.answer("GET", "/readyz")[0] == 200


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = frame(4, 0, 0)
# :method GET, :scheme https, :path /livez, :authority x; none of them indexed.
LIVEZ = b"\x82\x87\x04\x06/livez\x01\x01x"


def connections_end(cluster, data):
    """Sends bytes over HTTP/2; whether the server closes the connection."""
    connection = tls(cluster, "h2")
    connection.settimeout(60)
    try:
        connection.sendall(data)
        while connection.recv(1 << 16):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        connection.close()


@pytest.mark.parametrize("name, data", {
    "no preface": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a frame larger than allowed": PREFACE + SETTINGS + struct.pack(">I", 1 << 20)[1:] + b"\0\0\0\0\0\1",
    "fields that cannot be decoded": PREFACE + SETTINGS + frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
    "data on a stream that does not exist": PREFACE + SETTINGS + frame(0, 0, 7, b"x"),
    "a stream of the server's": PREFACE + SETTINGS + frame(1, 5, 2, LIVEZ),
    "a window that overflows": PREFACE + SETTINGS + 2 * frame(8, 0, 0, struct.pack(">I", (1 << 31) - 1)),
    "settings of a wrong size": PREFACE + frame(4, 0, 0, b"xyz"),
    "fields without end": PREFACE + SETTINGS + frame(1, 1, 1, LIVEZ) + 20_000 * frame(9, 0, 1, b"\0\1a\1b"),
    "a list of fields that is too large": PREFACE + SETTINGS + frame(1, 1, 1, LIVEZ)
    + 8 * frame(9, 0, 1, 16_000 * b"\x82"),
    "a flood of pings": PREFACE + SETTINGS + 20_000 * frame(6, 0, 0, b"12345678"),
    "a flood of settings": PREFACE + 20_000 * SETTINGS,
    "a flood of empty data": PREFACE + SETTINGS + frame(1, 4, 1, LIVEZ) + 1000 * frame(0, 0, 1),
    "a flood of resets": PREFACE + SETTINGS + b"".join(
        frame(1, 5, stream, LIVEZ) + frame(3, 0, stream, struct.pack(">I", 8)) for stream in range(1, 12_001, 2)),
}.items(), ids=lambda value: value if isinstance(value, str) else "")
def test_broken_clients_are_sent_away(cluster, name, data):
    assert connections_end(cluster, data), name
    assert cluster.process.poll() is None
    assert curl(cluster, "--http2", f"{cluster.url}/livez") == "ok"


def test_what_is_wrong_with_one_stream_leaves_the_others(cluster):
    connection = Connection(cluster)
    # Names in capitals are not allowed, and a request needs a method.
    for fields in [[(":method", "GET"), (":scheme", "https"), (":path", "/livez"), ("Upper", "x")],
                   [(":scheme", "https"), (":path", "/livez")]]:
        stream = connection.http.get_next_available_stream_id()
        block = connection.http.encoder.encode(fields)
        connection.socket.sendall(frame(1, 5, stream, block))
        connection.http.highest_outbound_stream_id = stream
    assert connection.answer("GET", "/livez")[0] == 200


def test_shutdown_says_goodbye(own_cluster):
    own_cluster.start()
    connection = Connection(own_cluster)
    idle = Connection(own_cluster)
    assert idle.answer("GET", "/readyz")[0] == 200
    maps, silent = "/api/v1/namespaces/default/configmaps", tls(own_cluster, "h2")
    unfinished = socket.create_connection(tuple(own_cluster.listen.rsplit(":", 1)))
    watch = connection.request("GET", "/api/v1/namespaces?watch=true&allowWatchBookmarks=true")
    connection.until(lambda: b"ADDED" in connection.bodies[watch])
    # The farewell comes before the end of a watch whose client does not read.
    slow = Connection(own_cluster)
    for name in "ab":
        body = json.dumps({"metadata": {"name": name}, "data": {"k": name * 50_000}}).encode()
        assert slow.answer("POST", maps, body, headers=[("content-type", "application/json")])[0] == 201
    unread = slow.request("GET", f"{maps}?watch=true&allowWatchBookmarks=true")
    slow.unread.add(unread)
    slow.until(lambda: len(slow.bodies[unread]) == 65_535)
    stopping = threading.Thread(target=own_cluster.stop)
    begin = time.monotonic()
    stopping.start()
    slow.until(lambda: slow.goaway is not None)
    assert unread not in slow.ended
    slow.unread.clear()
    slow.http.increment_flow_control_window(1 << 20, unread)
    slow.send()
    slow.until(lambda: unread in slow.ended)
    assert b"BOOKMARK" in slow.bodies[unread] and slow.bodies[unread].count(b'"type":"ADDED"') >= 2
    connection.until(lambda: watch in connection.ended)
    assert b"BOOKMARK" in connection.bodies[watch], "the client is told where to go on"
    for ending in (connection, slow, idle):
        assert ending.closed() == 0
    stopping.join(60)
    assert own_cluster.process.returncode == 0 and time.monotonic() - begin < 45
    silent.close()
    unfinished.close()

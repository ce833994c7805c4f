# SPDX-License-Identifier: Apache-2.0
"""The gateway between real clients and servers: curl, httpx, requests, grpcio, websocket-client, openssl."""
import concurrent.futures
import json
import queue
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from random import Random

import grpc
import httpx
import jwt
import pytest
import requests
import websocket
from cryptography.hazmat.primitives.asymmetric import ec
from h2.config import H2Configuration
from h2.connection import H2Connection
from websockets.sync.server import serve

from conftest import wait_for
from gateway_fixture import (
    Gateway, Origin, backend, free_port, make_certificates, policy, route, rule, tls_secret, upstream)


@pytest.fixture(scope="module")
def origins():
    origins = [Origin("one"), Origin("two"), Origin("three")]
    yield origins
    for origin in origins:
        origin.stop()


@pytest.fixture(scope="module")
def running():
    gateway = Gateway()
    gateway.start(upstream("none"), route("none", rule(backend("none"))))
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(running, origins):
    for origin in origins:
        origin.requests.clear()
        origin.delay, origin.status, origin.hold = 0, 200, None
    return running


def services(origins):
    return [upstream(origin.name, origin.address) for origin in origins]


def curl(*arguments, code=0):
    result = subprocess.run(["curl", "-sS", "--max-time", "60", *map(str, arguments)], capture_output=True)
    assert result.returncode == code, result.stderr.decode()
    return result.stdout


def test_curl_in_both_versions_of_http(gateway, origins):
    gateway.reload(*services(origins), route("r", rule(backend("one"))))
    for version in ("--http1.1", "--http2-prior-knowledge"):
        answer = json.loads(curl(version, f"{gateway.url}/a/b?c=d", "-H", "X-Own: x"))
        assert (answer["method"], answer["path"], answer["headers"]["x-own"]) == ("GET", "/a/b?c=d", "x")
        assert answer["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert answer["headers"]["x-forwarded-proto"] == "http"
        body = b"x" * 300_000
        answer = json.loads(subprocess.run(
            ["curl", "-sS", version, f"{gateway.url}/post", "--data-binary", "@-"], input=body, capture_output=True,
            check=True).stdout)
        assert (answer["method"], answer["bytes"]) == ("POST", len(body))
        assert len(curl(version, f"{gateway.url}/bytes/3000000")) == 3_000_000
        assert len(curl(version, f"{gateway.url}/chunks")) == 79_000
        assert len(curl(version, f"{gateway.url}/until-close")) == 100_000
        head = curl(version, "-I", f"{gateway.url}/head").decode()
        assert " 200" in head.splitlines()[0] and "content-length" in head.lower()
    # Chunks of a client go on, and a body that is only sent when it is wanted.
    chunked = subprocess.run(
        ["curl", "-sS", "--http1.1", f"{gateway.url}/post", "-T", "-", "-H", "Expect: 100-continue"], input=b"y" * 5000,
        capture_output=True, check=True).stdout
    assert json.loads(chunked)["bytes"] == 5000
    assert curl("--http1.0", f"{gateway.url}/old").startswith(b"{")


def test_httpx_and_requests_keep_their_connections(gateway, origins):
    gateway.reload(*services(origins), route("kept", rule(backend("one"))))
    with httpx.Client(http2=False) as plain, httpx.Client(http1=False, http2=True) as two, requests.Session() as session:
        for number in range(20):
            assert plain.post(f"{gateway.url}/{number}", json={"n": number}).json()["bytes"] > 0
            assert two.get(f"{gateway.url}/{number}").json()["path"] == f"/{number}"
            assert session.put(f"{gateway.url}/{number}", data=b"z" * number).json()["bytes"] == number
    # The last is counted after its answer.
    wait_for(lambda: gateway.metric("apus_gateway_requests_total", rule="default/kept/0", status="2xx") == 60, 30, "60")


def test_routes_filters_and_redirects(gateway, origins):
    gateway.reload(
        *services(origins),
        route("hosts", rule(backend("two")), hostnames=["two.test"]),
        route("wild", rule(backend("three")), hostnames=["*.three.test"]),
        route(
            "paths",
            rule(backend("one"), path="/rewrite", filters=[
                {"type": "URLRewrite", "urlRewrite": {
                    "hostname": "inner.test", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}}]),
            rule(backend("one"), path="/headers", filters=[
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {
                    "set": [{"name": "X-Set", "value": "s"}], "add": [{"name": "X-Add", "value": "a"}], "remove": ["X-Gone"]}},
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {
                    "set": [{"name": "X-Answer", "value": "r"}], "remove": ["X-Origin"]}}]),
            rule(path="/moved", filters=[
                {"type": "RequestRedirect", "requestRedirect": {
                    "scheme": "https", "hostname": "new.test", "statusCode": 301,
                    "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/there"}}}]),
            rule(backend("two"), matches=[{
                "path": {"type": "PathPrefix", "value": "/match"}, "method": "POST",
                "headers": [{"name": "x-kind", "value": "b"}], "queryParams": [{"name": "q", "value": "1"}]}]),
            rule(backend("one"), path="/match"),
            rule(backend("absent"), path="/absent"),
        ))
    get = lambda path, **headers: requests.get(gateway.url + path, headers=headers, allow_redirects=False, timeout=60)
    assert get("/", Host="two.test").json()["name"] == "two"
    assert get("/", Host="a.b.three.test:80").json()["name"] == "three"
    assert get("/", Host="three.test").status_code == 404
    answer = get("/rewrite/x?y=z").json()
    assert (answer["path"], answer["headers"]["host"]) == ("/new/x?y=z", "inner.test")
    answer = get("/headers", **{"X-Gone": "g", "X-Set": "old"})
    assert answer.json()["headers"]["x-set"] == "s" and answer.json()["headers"]["x-add"] == "a"
    assert "x-gone" not in answer.json()["headers"]
    assert answer.headers["X-Answer"] == "r" and "X-Origin" not in answer.headers
    answer = get("/moved/a?b=c")
    assert (answer.status_code, answer.headers["location"]) == (301, "https://new.test/there/a?b=c")
    assert requests.post(f"{gateway.url}/match?q=1", headers={"X-Kind": "b"}, timeout=60).json()["name"] == "two"
    assert requests.post(f"{gateway.url}/match?q=2", headers={"X-Kind": "b"}, timeout=60).json()["name"] == "one"
    assert get("/absent").status_code == 500
    assert get("/nothing").status_code == 404


def test_shares_mirrors_and_sticky_clients(gateway, origins):
    split = [backend("one", 90), backend("two", 10), backend("three", 0)]
    gateway.reload(
        *services(origins), route("split", rule(*split, path="/split")),
        route("sticky", rule(backend("one", 50), backend("two", 50), path="/sticky")),
        route("mirror", rule(backend("one"), path="/mirror", filters=[
            {"type": "RequestMirror", "requestMirror": {"backendRef": backend("three")}}])),
        policy("sticky", "sticky", sticky={"cookie": "group", "ttl": "60s"}))
    with requests.Session() as session:
        names = [session.get(f"{gateway.url}/split", timeout=60).json()["name"] for _ in range(1000)]
        # Expected 100, standard deviation 9.5: one run of a billion is outside.
        assert 45 <= names.count("two") <= 160 and "three" not in names
        for number in range(20):
            session.post(f"{gateway.url}/mirror", data=f"m{number}", timeout=60)
    wait_for(lambda: origins[2].count() == 20, 30, "copies of the requests")
    assert {body for _, _, _, body in origins[2].requests} == {f"m{number}".encode() for number in range(20)}
    seen = set()
    # That all get the same happens once in 2^29.
    for _ in range(30):
        with requests.Session() as client:
            first = client.get(f"{gateway.url}/sticky", timeout=60)
            assert "group" in client.cookies and "Max-Age=60" in first.headers["Set-Cookie"]
            seen.add(first.json()["name"])
            assert {client.get(f"{gateway.url}/sticky", timeout=60).json()["name"] for _ in range(5)} == {first.json()["name"]}
    assert seen == {"one", "two"}


def test_retries_timeouts_and_what_is_down(gateway, origins):
    down = free_port()
    gateway.reload(
        *services(origins), upstream("half", origins[0].address, f"127.0.0.1:{down}"), upstream("down", f"127.0.0.1:{down}"),
        route("half", rule(backend("half"), path="/half")),
        route("down", rule(backend("down"), path="/down")),
        route("codes", rule(backend("two", 1), path="/status/503", retry={"codes": [503], "attempts": 3, "backoff": "1ms"})),
        route("plain", rule(backend("two"), path="/plain")),
        route("lost", rule(backend("three"), path="/lost")),
        route("slow", rule(backend("one"), path="/slow", timeouts={"request": "300ms"})),
        route("slow-again", rule(backend("one"), path="/again", timeouts={"request": "10s", "backendRequest": "200ms"},
                                 retry={"codes": [504], "attempts": 1, "backoff": "1ms"})))
    # One endpoint is not there: nobody sees it, whatever the method.
    for number in range(30):
        assert requests.post(f"{gateway.url}/half", data=b"x", timeout=60).status_code == 200
    assert requests.get(f"{gateway.url}/down", timeout=60).status_code == 503
    assert requests.post(f"{gateway.url}/status/503", data=b"body", timeout=60).status_code == 503
    assert [body for _, _, _, body in origins[1].requests] == [b"body"] * 4
    # A request that may not be repeated is not.
    assert requests.post(f"{gateway.url}/lost", data=b"x", timeout=60).status_code == 502
    assert origins[2].count() == 1
    assert requests.get(f"{gateway.url}/lost", timeout=60).status_code == 502
    assert origins[2].count() == 3
    origins[0].hold = threading.Event()
    try:
        assert requests.get(f"{gateway.url}/slow", timeout=60).status_code == 504
        before = origins[0].count()
        assert requests.post(f"{gateway.url}/again", data=b"x", timeout=60).status_code == 504
        wait_for(lambda: origins[0].count() >= before + 2, 30, "the second attempt")
    finally:
        origins[0].hold.set()


def test_outliers_and_breakers(gateway, origins):
    origins[1].status = 500
    gateway.reload(
        *services(origins), upstream("both", origins[0].address, origins[1].address),
        route("both", rule(backend("both"), path="/both")), route("few", rule(backend("three"), path="/few")),
        policy("both", "both", outlierEjection={"consecutiveErrors": 3, "ejection": "600s", "maxPercent": 50}),
        policy("few", "few", circuitBreaker={"maxRequests": 2, "maxConnections": 2, "maxPending": 1}))
    codes = [requests.get(f"{gateway.url}/both", timeout=60).status_code for _ in range(60)]
    assert codes.count(500) == 3 and set(codes[-20:]) == {200}
    assert gateway.metric("apus_gateway_upstream_endpoints_ejected", service="both") == 1
    # Two run, one waits, the others are told at once.
    origins[2].hold = threading.Event()
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(requests.get, f"{gateway.url}/few", timeout=120) for _ in range(8)]
        try:
            wait_for(lambda: sum(answer.done() for answer in asked) >= 5, what="five to be turned away")
        finally:
            origins[2].hold.set()
        codes = sorted(answer.result().status_code for answer in asked)
    # Nothing waits for more than ten seconds.
    assert codes == [200] * 3 + [503] * 5 or time.monotonic() - begun > 10 and codes == [200] * 2 + [503] * 6


def test_who_may_use_it(gateway, origins):
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    other = ec.generate_private_key(ec.SECP256R1())
    keys = json.dumps({"keys": [{**public, "kid": "k1", "alg": "ES256", "use": "sig"}]})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"anna": "key-of-anna"}}
    gateway.reload(
        *services(origins), secret,
        route("tokens", rule(backend("one"), path="/tokens")), route("keys", rule(backend("one"), path="/keys")),
        route("rate", rule(backend("one"), path="/rate")),
        policy("tokens", "tokens", jwt={
            "issuer": "https://issuer.test", "audiences": ["apus"], "jwks": keys, "claimsToHeaders": {"sub": "X-User"}}),
        policy("keys", "keys", apiKeys={"header": "X-Key", "secretRefs": [{"name": "keys"}]}),
        policy("rate", "rate", rateLimit={"requests": 3, "period": "600s", "by": "header", "header": "X-Client"}))

    def token(signed_by=key, **changes):
        claims = {"iss": "https://issuer.test", "aud": "apus", "sub": "anna", "exp": time.time() + 600, **changes}
        return jwt.encode(claims, signed_by, "ES256", headers={"kid": "k1"})

    def get(path, **headers):
        return requests.get(gateway.url + path, headers=headers, timeout=60)

    good = token()
    for _ in range(2):
        answer = get("/tokens", Authorization=f"Bearer {good}", **{"X-User": "root"})
        assert answer.status_code == 200 and answer.json()["headers"]["x-user"] == "anna"
    for bad in (token(signed_by=other), token(iss="x"), token(aud="x"), token(exp=time.time() - 60),
                token(nbf=time.time() + 600), good[:-20] + "A" * 20, "nonsense",
                jwt.encode({"iss": "https://issuer.test", "aud": "apus"}, None, "none")):
        answer = get("/tokens", Authorization=f"Bearer {bad}")
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
    assert get("/tokens").status_code == 401
    answer = get("/keys", **{"X-Key": "key-of-anna"})
    assert answer.status_code == 200 and "x-key" not in answer.json()["headers"]
    assert get("/keys", **{"X-Key": "key-of-bert"}).status_code == 401
    assert get("/keys").status_code == 401
    codes = [get("/rate", **{"X-Client": "a"}).status_code for _ in range(5)]
    assert codes == [200] * 3 + [429] * 2
    assert get("/rate", **{"X-Client": "b"}).status_code == 200
    assert int(get("/rate", **{"X-Client": "a"}).headers["Retry-After"]) > 0


class Calls(grpc.GenericRpcHandler):
    """Echoes bytes; each kind of call. Slow calls end when they are told to."""

    def __init__(self):
        self.slow = threading.Event()

    def service(self, details):
        plain = {"request_deserializer": bytes, "response_serializer": bytes}
        method = details.method.rsplit("/", 1)[1]
        if method == "Echo":
            def echo(request, context):
                metadata = dict(context.invocation_metadata())
                context.set_trailing_metadata((("x-trailer", metadata.get("x-own", "none")),))
                return request
            return grpc.unary_unary_rpc_method_handler(echo, **plain)
        if method == "Fail":
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: é"), **plain)
        if method == "Both":
            return grpc.stream_stream_rpc_method_handler(lambda requests, context: (item * 2 for item in requests), **plain)
        if method == "Slow":
            return grpc.unary_unary_rpc_method_handler(lambda request, context: self.slow.wait(60) and request, **plain)
        return None


@pytest.fixture(scope="module")
def calls():
    handler = Calls()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), handlers=[handler],
                         options=[("grpc.max_receive_message_length", -1)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", handler
    server.stop(None)


def test_grpc(gateway, origins, calls):
    address, handler = calls
    gateway.reload(
        upstream("calls", address, http2=True),
        route("calls", rule(backend("calls"), matches=[{"method": {"service": "test.Calls"}}]), kind="GRPCRoute"),
        route("slow", rule(backend("calls"), exact="/test.Other/Slow", timeouts={"request": "300ms"})))
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}", options=[("grpc.max_receive_message_length", -1)]) as channel:
        echo = channel.unary_unary("/test.Calls/Echo")
        answer, call = echo.with_call(b"hello", metadata=(("x-own", "mine"),), timeout=60)
        assert answer == b"hello" and ("x-trailer", "mine") in call.trailing_metadata()
        assert echo(b"", timeout=60) == b""
        large = bytes(range(256)) * 12_000
        assert echo(large, timeout=60) == large
        with pytest.raises(grpc.RpcError) as failure:
            channel.unary_unary("/test.Calls/Fail")(b"x", timeout=60)
        assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION and failure.value.details() == "not now: é"
        # Each answer comes before the next question is asked.
        asked = queue.Queue()
        stream = channel.stream_stream("/test.Calls/Both")(iter(asked.get, None), timeout=60)
        for number in range(50):
            asked.put(b"%d" % number)
            assert next(stream) == b"%d" % number * 2
        asked.put(None)
        assert list(stream) == []
        with pytest.raises(grpc.RpcError) as failure:
            channel.unary_unary("/test.Unknown/Call")(b"x", timeout=60)
        assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED
        try:
            with pytest.raises(grpc.RpcError) as failure:
                channel.unary_unary("/test.Other/Slow")(b"x", timeout=60)
        finally:
            handler.slow.set()
        assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert list(pool.map(lambda n: echo(b"%d" % n, timeout=60), range(300))) == [b"%d" % n for n in range(300)]
    # HTTP/1.1 before, HTTP/2 behind.
    answer = requests.post(f"{gateway.url}/test.Calls/Echo", data=b"\0\0\0\0\1x", timeout=60,
                           headers={"Content-Type": "application/grpc", "TE": "trailers"})
    assert answer.status_code == 200 and answer.content == b"\0\0\0\0\1x"


def test_websockets(gateway, origins):
    def talk(connection):
        for message in connection:
            connection.send(message[::-1])

    with serve(talk, "127.0.0.1", 0, max_size=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        gateway.reload(upstream("talk", f"127.0.0.1:{port}"), route("talk", rule(backend("talk"))))
        client = websocket.create_connection(f"ws://127.0.0.1:{gateway.port}/talk", timeout=60)
        for size in (1, 125, 126, 70_000, 1_000_000):
            message = "ab" * size
            client.send(message)
            assert client.recv() == message[::-1]
        # A probe of `reload` may be counted still.
        wait_for(lambda: gateway.metric("apus_gateway_requests_in_flight") == 1, 30, "the connection alone")
        client.close()
        wait_for(lambda: gateway.metric("apus_gateway_requests_in_flight") == 0, 30, "the connection's end")
        server.shutdown()


def exchange(port, *pieces, pause=0):
    """Sends pieces on a connection of its own; what comes until it is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        except ConnectionError:
            pass  # It was closed before it had all; there may be an answer.
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionError:
            pass
        return answer


def test_what_could_be_read_in_two_ways_is_refused(gateway, origins):
    gateway.reload(*services(origins), route("r", rule(backend("one"))))
    evil = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    for request in (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + evil,
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + evil,
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\n" + evil,
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" + evil,
            b"GET / HTTP/1.1\r\nHost: a\r\n Folded: b\r\n\r\n" + evil,
            b"GET / HTTP/1.1\nHost: a\n\n" + evil,
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + evil,
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n" + evil):
        answer = exchange(gateway.port, request)
        assert answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 501"), (request[:80], answer)
        assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert not any("/evil" in path for _, path, _, _ in origins[0].requests)
    assert gateway.metric("apus_gateway_malformed_total") >= 9
    # And it still works.
    assert requests.get(gateway.url, timeout=60).status_code == 200


def test_answers_that_are_none(gateway):
    def serve_raw(answer):
        listener = socket.create_server(("127.0.0.1", 0))

        def run():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, connection.makefile("rb") as request:
                    # With its body: a connection that is closed before all has come is reset, and the answer lost.
                    length = 0
                    while line := request.readline().strip().lower():
                        if line.startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    request.read(length)
                    connection.sendall(answer)
        threading.Thread(target=run, daemon=True).start()
        return listener

    for answer, status in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502),
            (b"SSH-2.0-OpenSSH\r\n", 502), (b"", 502), (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 50_000, 502),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 204),
            (b"HTTP/1.1 101 Other\r\nUpgrade: x\r\n\r\n", 502)):
        with serve_raw(answer) as listener:
            port = listener.getsockname()[1]
            gateway.reload(upstream("raw", f"127.0.0.1:{port}"), route("raw", rule(backend("raw"))))
            assert requests.post(gateway.url, data=b"x", timeout=60).status_code == status, answer
    # An answer that breaks off is one to the client, too.
    with serve_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") as listener:
        port = listener.getsockname()[1]
        gateway.reload(upstream("raw", f"127.0.0.1:{port}"), route("raw", rule(backend("raw"))))
        with pytest.raises(requests.exceptions.RequestException):
            requests.post(gateway.url, data=b"x", timeout=60)


def test_bytes_at_random_change_nothing(gateway, origins):
    """Requests of both versions with bytes changed; what is still one is answered, and nothing stays behind."""
    gateway.reload(*services(origins), route("r", rule(backend("one"))))
    random = Random(5)
    plain = (b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
             b"GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    connection = H2Connection(H2Configuration(client_side=True, validate_outbound_headers=False))
    connection.initiate_connection()
    for stream in (1, 3, 5):
        connection.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "a"),
                                         ("x-field", "value" * 20)])
        connection.send_data(stream, b"data" * 100, end_stream=True)
    two = connection.data_to_send()
    for number in range(240):
        message = bytearray(plain if number % 2 else two)
        # The preface of HTTP/2 stays in most cases.
        least = 24 if number % 2 == 0 and number % 8 else 0
        for _ in range(random.randint(1, 6)):
            place = random.randrange(least, len(message))
            kind = random.randrange(3)
            if kind == 0:
                message[place] = random.randrange(256)
            elif kind == 1:
                del message[place]
            else:
                message[place:place] = random.randbytes(random.randint(1, 9))
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
            client.sendall(message)
            client.settimeout(0.02)
            try:
                while client.recv(65_536):
                    pass
            except OSError:
                pass
    assert requests.get(gateway.url, timeout=60).status_code == 200
    wait_for(lambda: gateway.metric("apus_gateway_requests_in_flight") == 0, 30, "the requests' end")
    assert gateway.metric("apus_gateway_upstream_requests_in_flight", service="one") == 0


def test_tls_by_name_and_certificates_of_clients(tmp_path, origins):
    folder = make_certificates(tmp_path)
    gateway = Gateway()
    gateway.tls_port = free_port()
    secrets = [tls_secret(name, folder / f"{name}.pem", folder / f"{name}.key") for name in ("one", "two")]

    def listener(name, **more):
        return {"name": name, "port": gateway.tls_port, "protocol": "HTTPS",
                "tls": {"mode": "Terminate", "certificateRefs": [{"name": name}]}, **more}

    gateway.listeners += [listener("one"), listener("two", hostname="*.two.test")]
    objects = [*services(origins), *secrets, route("r", rule(backend("one")))]
    try:
        gateway.start(*objects)
        for version in ("--http1.1", "--http2"):
            out = curl(version, "--cacert", folder / "ca.pem", "--resolve", f"one.test:{gateway.tls_port}:127.0.0.1",
                       "-w", "\n%{http_version}", f"https://one.test:{gateway.tls_port}/x").decode()
            assert out.endswith({"--http1.1": "1.1", "--http2": "2"}[version])
            assert json.loads(out.rsplit("\n", 1)[0])["headers"]["x-forwarded-proto"] == "https"
        with httpx.Client(http2=True, verify=ssl.create_default_context(cafile=str(folder / "ca.pem"))) as client:
            answer = client.post(f"https://localhost:{gateway.tls_port}/h2", json=[1])
            assert answer.http_version == "HTTP/2" and answer.json()["bytes"] > 0
        for name, subject in (("a.two.test", "two"), ("one.test", "one"), ("other.test", "one")):
            said = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls_port}", "-servername", name, "-CAfile",
                 folder / "ca.pem", "-alpn", "h2,http/1.1", "-brief"], input=b"", capture_output=True)
            assert f"CN = {subject}".encode() in said.stderr, said.stderr
        assert subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls_port}", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
            input=b"", capture_output=True).returncode != 0
        # A handshake that never ends is cut off, and plain HTTP is no TLS.
        assert b"HTTP/1.1 200" not in exchange(gateway.tls_port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    finally:
        gateway.stop()


def test_tls_to_endpoints_and_certificates_of_clients(tmp_path):
    """Both sides show who they are, before the gateway and behind it."""
    folder = make_certificates(tmp_path)
    inside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    inside.load_cert_chain(folder / "two.pem", folder / "two.key")
    inside.verify_mode = ssl.CERT_REQUIRED
    origin = Origin("secret", tls=inside)
    gateway = Gateway()
    gateway.tls_port = free_port()
    gateway.listeners.append({
        "name": "https", "port": gateway.tls_port, "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "one"}]}})
    authority = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"},
                 "data": {"ca.crt": (folder / "ca.pem").read_text()}}
    references = [{"group": "", "kind": "ConfigMap", "name": "authority"}]
    gateway.spec["tls"] = {
        "backend": {"clientCertificateRef": {"name": "client"}},
        "frontend": {"default": {"validation": {"caCertificateRefs": references}}}}

    def objects(hostname):
        backend_policy = {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy", "metadata": {"name": "secret"},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "secret"}],
                     "validation": {"hostname": hostname, "caCertificateRefs": references}}}
        secrets = [tls_secret(name, folder / f"{name}.pem", folder / f"{name}.key") for name in ("one", "client")]
        return [authority, *secrets, backend_policy, upstream("secret", origin.address),
                route("r", rule(backend("secret")))]

    try:
        gateway.start(*objects("a.two.test"))
        assert requests.get(gateway.url, timeout=60).json()["name"] == "secret"
        url = f"https://localhost:{gateway.tls_port}/"
        mine = ("--cert", folder / "client.pem", "--key", folder / "client.key")
        for version in ("--http1.1", "--http2"):
            assert json.loads(curl(version, "--cacert", folder / "ca.pem", *mine, url))["name"] == "secret"
        assert subprocess.run(["curl", "-sS", "--cacert", folder / "ca.pem", url], capture_output=True).returncode != 0
        # An endpoint with another's certificate gets nothing.
        gateway.reload(*objects("other.test"))
        before = origin.count()
        assert requests.post(gateway.url, data=b"x", timeout=60).status_code in (502, 503)
        assert origin.count() == before
    finally:
        gateway.stop()
        origin.stop()


def test_nothing_fails_while_routes_and_endpoints_change(gateway, origins):
    """Three clients ask while the file is read again and again: endpoints come and go, and each time a backend that had
    half of the traffic leaves the route."""
    gateway.reload(*services(origins), route("r", rule(backend("one"))))
    failures, done, stop = [], [0], threading.Event()

    def ask(client):
        while not stop.is_set():
            try:
                answer = client.post(f"{gateway.url}/load", content=b"x" * 1000)
                if answer.status_code != 200 or answer.json()["bytes"] != 1000:
                    failures.append(answer.status_code)
            except Exception as error:
                failures.append(repr(error))
            done[0] += 1

    clients = [httpx.Client(timeout=60), httpx.Client(timeout=60), httpx.Client(http1=False, http2=True, timeout=60)]
    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for number in range(40):
            used = [origins[number % 3], origins[(number + 1) % 3]]
            both, passing = [upstream(name, *(origin.address for origin in used)) for name in ("both", f"passing-{number}")]
            gateway.reload(both, passing, *services(origins), route("r", rule(
                backend("both", 25), backend("one", 25), backend(f"passing-{number}", 50))))
            target = done[0] + 20
            wait_for(lambda: done[0] >= target or failures, 60, "requests")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for client in clients[:1]:
            client.close()
    assert not failures and done[0] >= 800
    # A file that is none changes nothing, nor does one that is read before anything is written into it.
    for text, fault in [("kind: [", "is no YAML"), ("", "has no Gateway with a listener that can be used")]:
        gateway.put(text)
        wait_for(lambda: fault in gateway.logged(), 30, "the refusal")
        assert requests.get(gateway.url, timeout=60).status_code == 200


def test_requests_wait_for_the_first_endpoint(gateway, origins):
    port = free_port()
    cold = {"serving.apus.dev/scale-from-zero": "true", "serving.apus.dev/ready-path": "/ready",
            "serving.apus.dev/hold-requests": "8", "serving.apus.dev/hold-timeout": "30s"}
    lines = []

    def follow():
        with urllib.request.urlopen(f"http://{gateway.admin}/apus/v1/activity", timeout=120) as stream:
            for line in stream:
                lines.append(json.loads(line))
                if len(lines) > 200:
                    return

    gateway.reload(upstream("cold", annotations=cold), route("cold", rule(backend("cold"))))
    threading.Thread(target=follow, daemon=True).start()
    wait_for(lambda: [line for line in lines if line["service"] == "cold"], 30, "activity")
    lines.clear()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(requests.post, gateway.url, data=b"x", timeout=60) for _ in range(12)]
        wait_for(lambda: [line for line in lines if line["held"] > 0], 30, "activity of what waits")
        wait_for(lambda: gateway.metric("apus_gateway_upstream_requests_held", service="cold") == 8, 30, "held requests")
        # An endpoint that is not ready yet, as an EndpointSlice says: the gateway asks it itself.
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cold", "annotations": cold},
                   "spec": {"ports": [{"name": "main", "port": 80}]}}
        slices = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                  "metadata": {"name": "cold-1", "labels": {"kubernetes.io/service-name": "cold"}},
                  "ports": [{"name": "main", "port": port}],
                  "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": False}}]}
        gateway.reload(service, slices, route("cold", rule(backend("cold"))))
        late = Origin("late", port=port)
        codes = sorted(answer.result().status_code for answer in answers)
    assert codes == [200] * 8 + [503] * 4
    assert late.requests[0][1] == "/ready"
    assert requests.get(gateway.url, timeout=60).json()["name"] == "late"
    late.stop()


def test_it_ends_when_what_was_begun_is_answered(origins):
    gateway = Gateway().start(*services(origins), route("r", rule(backend("one"))))
    origins[0].hold = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        try:
            answers = [pool.submit(requests.get, gateway.url, timeout=60) for _ in range(4)]
            wait_for(lambda: gateway.metric("apus_gateway_requests_in_flight") == 4, 30, "requests")
            stopped = pool.submit(gateway.stop)
            time.sleep(0.5)
        finally:
            origins[0].hold.set()
        stopped.result()
        assert [answer.result().status_code for answer in answers] == [200] * 4
    origins[0].hold = None

# SPDX-License-Identifier: Apache-2.0
"""Bad input over REST to a running server: every request gets an answer of the protocol or an end, memory stays
bounded, and others are served meanwhile."""
import gzip
import json
import random
import socket
import struct
import time
import zlib

import numpy
import pytest

from conftest import wait_for
from serving_fixture import http_input, repository, scale, texts, with_inference

ROWS = numpy.ones((1, 4), numpy.float32)
INFER = "/v2/models/double/infer"


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    folder = repository(tmp_path_factory.mktemp("models"), double=scale(), texts=texts())
    yield from with_inference(request, "--model-repository", folder)


@pytest.fixture(scope="module", autouse=True)
def slow(server):
    """Connections whose heads do not go on, from before the first test to the one that looks at them."""
    connections = [connect(server) for _ in range(200)]
    for connection in connections:
        connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: x\r\nX-A: ")
    yield connections
    for connection in connections:
        connection.close()


@pytest.fixture(autouse=True)
def alive(server):
    """After each test the same process answers, and has no more memory than bad input may take."""
    process, before = server.process.pid, server.memory()
    yield
    assert server.process.poll() is None and server.process.pid == process
    client = server.http()
    numpy.testing.assert_array_equal(client.infer("double", [http_input("X", ROWS)]).as_numpy("Y"), ROWS * 2)
    client.close()
    assert server.memory() - before < 200 << 20


def connect(server):
    return socket.create_connection((server.host, server.port), timeout=30)


def received(connection):
    """All bytes until the other side closes."""
    content = b""
    try:
        while part := connection.recv(65536):
            content += part
    except ConnectionError:
        pass
    return content


def asked(server, content):
    with connect(server) as connection:
        try:
            connection.sendall(content)
        except ConnectionError:
            pass
        return received(connection)


def infer(shape="[1,4]", datatype="FP32", data="[1,2,3,4]", name="X"):
    return f'{{"inputs":[{{"name":"{name}","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}'


HEAD = f"POST {INFER} HTTP/1.1\r\nHost: x\r\n".encode()
SMUGGLING = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456", b"Content-Length: 5, 5\r\n\r\n12345",
    b"Content-Length: +5\r\n\r\n12345", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", b"Host: y\r\nContent-Length: 0\r\n\r\n",
    b"X: a\0b\r\nContent-Length: 0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
]


@pytest.mark.parametrize("rest", SMUGGLING)
def test_what_two_servers_could_read_differently(server, rest):
    found = asked(server, HEAD + rest)
    assert found.startswith(b"HTTP/1.1 400 ") and found.count(b"HTTP/1.1 ") == 1
    assert json.loads(found.split(b"\r\n\r\n", 1)[1])["error"]


@pytest.mark.parametrize("content, status", [
    (b"GET /v2 HTTP/1.1\nHost: x\n\n", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400), (b"\0" * 1000, 400),
    (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    (b"GET /v2 HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 10_000 + b"\r\n", 431),
    (HEAD + b"Content-Length: 10000000000000\r\n\r\n{", 413)])
def test_heads(server, content, status):
    assert asked(server, content).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize("body, status", [
    (infer(shape="[1099511627776,4]"), 413), (infer(shape="[9223372036854775807,9223372036854775807]"), 413),
    (infer(shape="[99999999999999999999]"), 400), (infer(shape="[60000000]"), 400), (infer(shape="[-1,4]"), 400),
    (infer(shape="[1,4]", data="[NaN,1,2,3]"), 400), (infer(data="[Infinity,1,2,3]"), 400), (infer(data="[1e39,1,2,3]"), 400),
    (infer(data="[1e400,1,2,3]"), 400), (infer(data="[" * 100_000), 400), (infer(data="[1," + "9" * 100_000 + "]"), 400),
    ('{"inputs":' + "[" * 100_000, 400), ('{"a":' * 50_000, 400), ('{"inputs":[' + "{}," * 1000 + "{}]}", 400),
    (json.dumps({"inputs": [json.loads(infer(name=f"X{index}"))["inputs"][0] for index in range(300)]}), 413),
    (infer(name="X" * 100_000), 400), (infer(datatype="FP" + "3" * 100_000), 400), ("\ufeff" + infer(), 400),
    (infer().encode("utf-16"), 400), (b'{"inputs":[{"name":"\xff"}]}', 400), (infer() + infer(), 400), ("\0", 400)])
def test_bodies(server, body, status):
    found, answer = server.call("POST", INFER, body if isinstance(body, bytes) else body.encode())
    assert found == status and answer["error"]


@pytest.mark.parametrize("length", ["-1", "99999999999999999999", "x", "1e3", " ", "0x10", "200"])
def test_lengths_of_headers(server, length):
    head = b'{"inputs":[{"name":"X","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}]}'
    status, answer = server.call(
        "POST", INFER, head + ROWS.tobytes(), headers={"Inference-Header-Content-Length": length})
    assert status == 400 and answer["error"]


@pytest.mark.parametrize("size", ["-1", "15", "17", "9223372036854775807", "99999999999999999999", "1.5", '"16"', "null"])
def test_sizes_of_binary_inputs(server, size):
    head = f'{{"inputs":[{{"name":"X","shape":[1,4],"datatype":"FP32","parameters":{{"binary_data_size":{size}}}}}]}}'.encode()
    status, answer = server.call(
        "POST", INFER, head + ROWS.tobytes(), headers={"Inference-Header-Content-Length": str(len(head))})
    assert status == 400 and answer["error"]


@pytest.mark.parametrize("content", [
    b"", b"\1", b"\1\0\0\0", b"\xff\xff\xff\xffabc", struct.pack("<I", 8) + b"12345678", struct.pack("<I", 0),
    struct.pack("<I", 0) * 3, struct.pack("<I", 1) + b"a" + struct.pack("<I", 2) + b"a"])
def test_malformed_texts(server, content):
    head = f'{{"inputs":[{{"name":"S","shape":[2],"datatype":"BYTES","parameters":{{"binary_data_size":{len(content)}}}}}]}}'.encode()
    status, answer = server.call(
        "POST", "/v2/models/texts/infer", head + content, headers={"Inference-Header-Content-Length": str(len(head))})
    assert status == 400 and answer["error"]


def test_bombs(server):
    zeros = b" " * (1 << 20)
    for name, packer in (("gzip", zlib.compressobj(9, zlib.DEFLATED, 31)), ("deflate", zlib.compressobj(9))):
        bomb = b"".join(packer.compress(zeros) for _ in range(160)) + packer.flush()
        assert len(bomb) < 1 << 20
        status, answer = server.call("POST", INFER, bomb, headers={"content-encoding": name})
        assert status == 413 and answer["error"]
    for body, encoding, expected in [
            (b"not compressed", "gzip", 400), (gzip.compress(b"{}")[:-3], "gzip", 400), (gzip.compress(infer().encode()), "br", 415),
            (gzip.compress(infer().encode()), "gzip, gzip", 415), (gzip.compress(infer().encode()) + b"x", "gzip", 400)]:
        assert server.call("POST", INFER, body, headers={"content-encoding": encoding})[0] == expected


def test_declared_bodies_take_no_memory(server):
    """Hundreds of bodies of 60 MiB that are declared and do not come."""
    before = server.memory()
    waiting = [connect(server) for _ in range(300)]
    for connection in waiting:
        connection.sendall(HEAD + b"Content-Length: 62914560\r\n\r\n" + b"x" * 1000)
    assert server.call("POST", INFER, infer())[0] == 200
    assert server.memory() - before < 100 << 20
    for connection in waiting:
        connection.close()


def test_slow_clients_do_not_hold_the_server(server, slow):
    """Heads that come a byte at a time; clients that read nothing: others are answered, and they are closed."""
    deaf = [connect(server) for _ in range(20)]
    for connection in deaf:
        connection.setblocking(False)
        try:
            while connection.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 500):
                pass
        except BlockingIOError:
            pass
    before = server.memory()

    def closed():
        for connection in slow:
            try:
                connection.send(b"a")
            except ConnectionError:
                continue
            try:
                connection.setblocking(False)
                if connection.recv(1) == b"":
                    continue
            except BlockingIOError:
                return False
            except ConnectionError:
                continue
        return True

    for _ in range(20):
        assert server.call("POST", INFER, infer())[0] == 200
    wait_for(closed, 120, "connections with slow heads to be closed")
    assert server.memory() - before < 100 << 20
    for connection in deaf:
        connection.close()


def test_random_bytes(server):
    words = random.Random(5)
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(infer()) + infer().encode()
    for _ in range(300):
        changed = bytearray(request)
        for _ in range(words.randint(1, 6)):
            changed[words.randrange(len(changed))] = words.randrange(256)
        with connect(server) as connection:
            try:
                connection.sendall(bytes(changed))
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It was closed before it had all; there may be an answer.
            found = received(connection)
        assert found == b"" or found.startswith(b"HTTP/1.1 ")


def test_many_requests_behind_each_other(server):
    """Ten thousand on one connection, sent before any answer is read."""
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(infer()) + infer().encode()
    line = b"HTTP/1.1 200 OK\r\n"
    import threading
    with connect(server) as connection:
        # To send all of it takes as long as to answer nearly all of it.
        connection.settimeout(120)
        sender = threading.Thread(target=lambda: connection.sendall(one * 10_000))
        sender.start()
        count, last = 0, b""
        started = time.monotonic()
        while count < 10_000 and time.monotonic() - started < 120:
            content = connection.recv(1 << 16)
            assert content, f"the connection ended after {count} answers"
            part = last + content
            count += part.count(line)
            # The beginning of a line that the next part ends; a whole one does not fit in.
            last = part[1 - len(line):]
        sender.join()
        assert count == 10_000

# SPDX-License-Identifier: Apache-2.0
"""Bad requests: refused in S3's format, nothing changed, memory bounded, the server goes on."""
import datetime
import hashlib
import http.client
import os
import re
import socket
import time

import pytest

from conftest import PATIENCE
from objects_fixture import ACCESS, SECRET, bucket, new_bucket, objects, refused, s3  # noqa: F401


@pytest.fixture(autouse=True)
def still_works(objects, s3):
    yield
    assert objects.process.poll() is None, objects.logged()[-2000:]
    s3.list_buckets()
    assert objects.memory() < 400 << 20


def raw(objects, data, timeout=30, close=True):
    """Sends bytes as they are; all that is answered until the server closes, or nothing comes for a while."""
    with socket.create_connection((objects.host, objects.port), timeout=timeout) as connection:
        answer = b""
        try:
            connection.sendall(data)
            if close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It was closed before it had all; there may be an answer.
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def signed(objects, method, path, headers=None, body=b"", secret=SECRET, payload=None, when=None, access=ACCESS):
    """A request signed by botocore's own code, to be sent in any way; (target, headers)."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    request = AWSRequest(method, objects.url + path, headers={"Host": objects.address, **(headers or {})}, data=body)
    payload = payload or hashlib.sha256(body).hexdigest()

    class Auth(S3SigV4Auth):
        def payload(self, request):
            return payload

        def add_auth(self, request):
            request.headers["X-Amz-Content-SHA256"] = payload
            super().add_auth(request)

    Auth(Credentials(access, secret), "s3", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def send(objects, method, path, headers, body=b"", length=None, timeout=PATIENCE):
    """(status, error's code, body)"""
    connection = http.client.HTTPConnection(objects.address, timeout=timeout)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if length is not False:
        connection.putheader("Content-Length", str(len(body) if length is None else length))
    connection.endheaders()
    if body:
        try:
            connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    code = re.search(rb"<Code>(.*?)</Code>", text)
    return answer.status, code and code[1].decode(), text


def test_what_is_not_http(objects):
    for data in (b"\x00\x01\x02", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                 os.urandom(5000), b"PUT /b/k HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                 b"PUT /b/k HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                 b"PUT /b/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc"):
        answer = raw(objects, data)
        assert answer == b"" or answer.split()[1][:1] in (b"4", b"5"), (data[:60], answer[:200])


def test_heads_that_are_too_large(objects):
    for data in (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"y" * 500) for n in range(200)) + b"\r\n",
                 b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(3000)) + b"\r\n"):
        answer = raw(objects, data)
        assert answer == b"" or answer.split()[1] == b"400", answer[:200]


def test_clock_skew(objects):
    from unittest import mock
    import botocore.auth
    if not hasattr(botocore.auth, "get_current_datetime"):
        pytest.skip("this botocore takes the time from elsewhere")
    for minutes in (-20, 20):
        then = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)).replace(tzinfo=None)
        with mock.patch.object(botocore.auth, "get_current_datetime", lambda *a, **k: then):
            headers = signed(objects, "GET", "/")
        assert send(objects, "GET", "/", headers)[:2] == (403, "RequestTimeTooSkewed")


def test_signatures_that_are_wrong(objects, bucket):
    path = f"/{bucket}/k"
    good = signed(objects, "PUT", path, body=b"body")
    spoilt = good["Authorization"][:-1] + ("0" if good["Authorization"][-1] != "0" else "1")
    cases = [({**good, "Authorization": spoilt}, "SignatureDoesNotMatch"),
             ({**good, "X-Amz-Meta-Extra": "1"}, None), ({**good, "Authorization": "AWS4-HMAC-SHA256 nonsense"}, None),
             ({**good, "Authorization": "Bearer x"}, None), ({**good, "Authorization": "AWS a:b"}, None),
             ({**good, "Host": "other"}, "SignatureDoesNotMatch"),
             ({**good, "X-Amz-Content-SHA256": "0" * 64}, "SignatureDoesNotMatch")]
    for headers, code in cases:
        status, found, text = send(objects, "PUT", path, headers, b"body")
        assert status in (400, 403, 501) and found, (headers, status, text)
        assert code is None or found == code
    # The body is not the one that was signed.
    assert send(objects, "PUT", path, good, b"ydob")[:2] == (400, "XAmzContentSHA256Mismatch")
    assert send(objects, "GET", path, signed(objects, "GET", path))[:2] == (404, "NoSuchKey")
    assert send(objects, "PUT", path, good, b"body")[0] == 200


def test_paths(objects, s3, bucket):
    """Keys are names, never paths: whatever they are, nothing outside of the data folder is touched."""
    before = {path.name for path in objects.folder.iterdir()}
    for key in ("../../etc/passwd", "a/../../../b", "..", "%2e%2e/%2e%2e/x", "a/../../../../../../tmp/x"):
        status, code, _ = send(objects, "PUT", f"/{bucket}/{key}", signed(objects, "PUT", f"/{bucket}/{key}"))
        assert status in (200, 400, 403), (key, status, code)
    assert {path.name for path in objects.folder.iterdir()} == before
    for path, code in ((f"/{bucket}/a%00b", "InvalidURI"), (f"/{bucket}/%ff%fe", "InvalidURI"),
                       (f"/{bucket}/%zz", "InvalidURI"), (f"/{bucket}/" + "k" * 1025, "KeyTooLongError")):
        assert send(objects, "PUT", path, {"Host": objects.address})[:2] == (400, code), path
    for name in ("A", "ab", "a" * 64, "under_score", "192.168.1.1", "a..b", "-a", "..", "%2e%2e"):
        assert send(objects, "PUT", f"/{name}", {"Host": objects.address})[0] in (400, 403), name
    for key in ("ключ/鍵/🔑", "a//b", "/leading", "trailing/", "a b+c", "e\u0301", "é", "%41", "?#&=", "x" * 1024):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert "e\u0301" in keys and "é" in keys and keys == sorted(keys, key=lambda key: key.encode())


def test_declared_lengths(objects, bucket):
    path = f"/{bucket}/k"
    headers = signed(objects, "PUT", path, payload="UNSIGNED-PAYLOAD")
    assert send(objects, "PUT", path, headers, length=5 << 40)[:2] == (400, "EntityTooLarge")
    assert send(objects, "PUT", path, headers, length=(5 << 30) + 1)[:2] == (400, "EntityTooLarge")
    status, code, _ = send(objects, "PUT", path, headers, length=1 << 70)
    assert status == 400
    chunked = signed(objects, "PUT", path, {"Transfer-Encoding": "chunked"}, payload="UNSIGNED-PAYLOAD")
    assert send(objects, "PUT", path, chunked, b"5\r\nhello\r\n0\r\n\r\n", length=False)[:2] == (
        411, "MissingContentLength")
    decoded = signed(objects, "PUT", path, {"x-amz-decoded-content-length": str(5 << 40)},
                     payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    assert send(objects, "PUT", path, decoded, length=1000)[:2] == (400, "EntityTooLarge")


def framed(*chunks, end=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def test_chunked_bodies(objects, s3, bucket):
    path = f"/{bucket}/k"

    def put(body, declared=11, trailer=None, **more):
        headers = signed(objects, "PUT", path, {
            "x-amz-decoded-content-length": str(declared), "Content-Encoding": "aws-chunked",
            **({"x-amz-trailer": trailer} if trailer else {}), **more}, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        return send(objects, "PUT", path, headers, body)[:2]

    assert put(framed(b"hello ", b"world")) == (200, None)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello world"
    good = b"x-amz-checksum-crc32:DUoRhQ==\r\n"
    assert put(framed(b"hello world", end=b"0\r\n" + good + b"\r\n"), trailer="x-amz-checksum-crc32") == (200, None)
    s3.delete_object(Bucket=bucket, Key="k")
    bad = b"x-amz-checksum-crc32:AAAAAA==\r\n"
    wrong = [put(framed(b"hello world", end=b"0\r\n" + bad + b"\r\n"), trailer="x-amz-checksum-crc32"),
             put(framed(b"hello world"), trailer="x-amz-checksum-crc32"),
             put(framed(b"hello ", b"world", end=b"")), put(b"5\r\nhel"), put(framed(b"hello")),
             put(framed(b"hello world and more")), put(b"ffffffffffffffffff\r\nx"), put(b"zz\r\nx"),
             put(b"-5\r\nhello"), put(b"5" * 2000 + b"\r\n"), put(b"b\r\nhello worldXX0\r\n\r\n"),
             put(framed(b"hello world") + b"more")]
    for number, (status, code) in enumerate(wrong):
        assert status == 400 and code, (number, status, code)
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404
    # A chain of signatures that is not one.
    headers = signed(objects, "PUT", path, {"x-amz-decoded-content-length": "5"},
                     payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    body = b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n0;chunk-signature=" + b"0" * 64 + b"\r\n\r\n"
    assert send(objects, "PUT", path, headers, body)[:2] == (403, "SignatureDoesNotMatch")
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404


def test_bodies_that_stop(objects, s3, bucket):
    for sent in (0, 10, 50_000):
        headers = signed(objects, "PUT", f"/{bucket}/k", payload="UNSIGNED-PAYLOAD")
        head = f"PUT /{bucket}/k HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items())
        raw(objects, head.encode() + b"Content-Length: 100000\r\n\r\n" + b"x" * sent, timeout=5)
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404


BOMB = (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)) + b"]><Delete><Object><Key>&j;</Key>"
    b"</Object></Delete>")


def test_documents(objects, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    deep = b"<Delete>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</Delete>"
    outside = (b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object>'
               b"</Delete>")
    for body in (BOMB, deep, outside, b"", b"<", b"<Delete>", b"<Other/>", b"{}", b"\xff\xfe", b"<Delete></Delete>",
                 b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>"):
        begin = time.monotonic()
        headers = signed(objects, "POST", f"/{bucket}?delete=", {"Content-MD5": ""} and {}, body)
        status, code, text = send(objects, "POST", f"/{bucket}?delete=", headers, body)
        assert status == 400 and code in ("MalformedXML", "MissingRequestBodyError"), (body[:60], status, text)
        assert time.monotonic() - begin < 10 and b"root:" not in text
    large = b"<Delete>" + b" " * (5 << 20) + b"</Delete>"
    headers = signed(objects, "POST", f"/{bucket}?delete=", body=large)
    status, code, _ = send(objects, "POST", f"/{bucket}?delete=", headers, large)
    assert (status, code) == (400, "EntityTooLarge")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 0
    for query in ("cors", "lifecycle", "tagging", "versioning", "policy", "publicAccessBlock"):
        for body in (BOMB, b"<x/>", b"{" * 5000):
            headers = signed(objects, "PUT", f"/{bucket}?{query}=", body=body)
            assert send(objects, "PUT", f"/{bucket}?{query}=", headers, body)[0] == 400, (query, body[:40])


def test_header_injection(objects, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", {
        "Bucket": bucket, "Key": "k", "ResponseContentDisposition": "a\r\nSet-Cookie: x=1\r\n\r\n<html>"}, 60)
    import urllib.request
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        assert answer.headers["Set-Cookie"] is None and answer.read() == b"x"


def test_keep_alive_and_pipelining(objects, s3, bucket):
    """Requests one after the other without waiting: answered in order, on one connection."""
    wanted = b""
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"{number}", Body=b"<%d>" % number)
        path = f"/{bucket}/{number}"
        headers = signed(objects, "GET", path)
        wanted += (f"GET {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items())).encode()
        wanted += b"\r\n" if number < 19 else b"Connection: close\r\n\r\n"
    answer = raw(objects, wanted, close=False)
    assert answer.count(b"HTTP/1.1 200 OK") == 20
    assert re.findall(rb"<(\d+)>", answer) == [b"%d" % number for number in range(20)]


def test_expect_continue(objects, bucket):
    """A body that is refused is not asked for; one that is not is."""
    with socket.create_connection((objects.host, objects.port), timeout=60) as connection:
        connection.sendall(f"PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
                           "Expect: 100-continue\r\n\r\n".encode())
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 403") and b"100 Continue" not in answer
    headers = signed(objects, "PUT", f"/{bucket}/k", payload="UNSIGNED-PAYLOAD")
    with socket.create_connection((objects.host, objects.port), timeout=60) as connection:
        head = f"PUT /{bucket}/k HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items())
        connection.sendall(head.encode() + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_many_connections_that_say_nothing(objects, s3, bucket):
    """Others are served meanwhile."""
    silent = [socket.create_connection((objects.host, objects.port)) for _ in range(300)]
    try:
        for number, connection in enumerate(silent):
            if number % 2:
                connection.sendall(b"GET / HTTP/1.1\r\nHost:")
        s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 100_000)
        assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 100_000
    finally:
        for connection in silent:
            connection.close()


def test_readers_that_do_not_read(objects, s3, bucket):
    """Sixty clients ask for a large object each and take nothing: memory stays bounded, and others are served."""
    s3.upload_fileobj(__import__("io").BytesIO(os.urandom(40 << 20)), bucket, "large")
    before = objects.memory()
    path = f"/{bucket}/large"
    headers = signed(objects, "GET", path)
    request = (f"GET {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n").encode()
    lazy = [socket.create_connection((objects.host, objects.port)) for _ in range(60)]
    try:
        for connection in lazy:
            connection.sendall(request)
        time.sleep(2)
        assert objects.memory() - before < 250 << 20
        s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 10_000)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x" * 10_000
    finally:
        for connection in lazy:
            connection.close()

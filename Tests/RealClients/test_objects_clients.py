# SPDX-License-Identifier: Apache-2.0
"""Other clients: awscli, s5cmd; over TLS, with virtual-host addressing; a restart keeps what there is."""
import filecmp
import hashlib
import io
import json
import os
import socket
import stat

import pytest

from conftest import PATIENCE, wait_for
from objects_fixture import (Objects, bucket, new_bucket, objects, own_objects, refused, running_objects,  # noqa: F401
                             s3)


def test_aws_cli(objects, tmp_path):
    folder, back = tmp_path / "from", tmp_path / "back"
    (folder / "sub").mkdir(parents=True)
    for name, size in [("a.txt", 10), ("sub/b.bin", 100_000), ("large", 20 << 20)]:
        (folder / name).write_bytes(os.urandom(size))
    objects.aws("s3", "mb", "s3://cli-bucket")
    objects.aws("s3", "cp", folder, "s3://cli-bucket/", "--recursive")
    listed = objects.aws("s3", "ls", "s3://cli-bucket/", "--recursive")
    assert sorted(line.split(None, 3)[2:] for line in listed.splitlines()) == sorted(
        [["10", "a.txt"], ["100000", "sub/b.bin"], [str(20 << 20), "large"]])
    assert "PRE sub/" in objects.aws("s3", "ls", "s3://cli-bucket/")
    objects.aws("s3", "sync", "s3://cli-bucket/", back)
    assert not filecmp.dircmp(folder, back).diff_files
    assert (back / "large").read_bytes() == (folder / "large").read_bytes()
    (folder / "a.txt").unlink()
    objects.aws("s3", "sync", folder, "s3://cli-bucket/", "--delete")
    assert "a.txt" not in objects.aws("s3", "ls", "s3://cli-bucket/")
    objects.aws("s3", "mv", "s3://cli-bucket/sub/b.bin", "s3://cli-bucket/moved.bin")
    head = json.loads(objects.aws("s3api", "head-object", "--bucket", "cli-bucket", "--key", "moved.bin"))
    assert head["ContentLength"] == 100_000
    objects.aws("s3", "cp", "-", "s3://cli-bucket/text", input="from a pipe")
    assert objects.aws("s3", "cp", "s3://cli-bucket/text", "-") == "from a pipe"
    url = objects.aws("s3", "presign", "s3://cli-bucket/moved.bin").strip()
    import urllib.request
    assert len(urllib.request.urlopen(url, timeout=PATIENCE).read()) == 100_000
    objects.aws("s3", "rb", "s3://cli-bucket", "--force")
    assert "cli-bucket" not in objects.aws("s3", "ls")


def test_s5cmd(objects, tmp_path):
    folder = tmp_path / "from"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number:02}.bin").write_bytes(os.urandom(1000 + number))
    (folder / "large").write_bytes(os.urandom(60 << 20))
    objects.s5cmd("mb", "s3://s5-bucket")
    objects.s5cmd("cp", f"{folder}/", "s3://s5-bucket/data/")
    listed = objects.s5cmd("ls", "s3://s5-bucket/data/*").splitlines()
    assert len(listed) == 41
    back = tmp_path / "back"
    objects.s5cmd("cp", "s3://s5-bucket/data/*", f"{back}/")
    for path in folder.iterdir():
        assert (back / path.name).read_bytes() == path.read_bytes()
    objects.s5cmd("pipe", "s3://s5-bucket/text", input="from a pipe")
    assert objects.s5cmd("cat", "s3://s5-bucket/text") == "from a pipe"
    assert "41" in objects.s5cmd("du", "s3://s5-bucket/data/*")
    objects.s5cmd("mv", "s3://s5-bucket/data/0*.bin", "s3://s5-bucket/moved/")
    assert len(objects.s5cmd("ls", "s3://s5-bucket/moved/*").splitlines()) == 10
    objects.s5cmd("rm", "s3://s5-bucket/*")
    objects.s5cmd("rb", "s3://s5-bucket")
    result = objects.s5cmd("ls", "s3://s5-bucket", check=False)
    assert result.returncode != 0 and "NoSuchBucket" in result.stderr


@pytest.fixture(scope="module")
def tls(request):
    yield from running_objects(request, tls=True)


def test_streamed_with_trailers_over_tls(tls, tmp_path):
    """Over TLS today's SDKs send bodies aws-chunked, unsigned, with a checksum as trailer."""
    client = tls.client()
    sent = []
    client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(dict(request.headers)))
    bucket = new_bucket(client)
    body = os.urandom(3_000_000)
    put = client.put_object(Bucket=bucket, Key="k", Body=body)
    hash = sent[0]["X-Amz-Content-SHA256"]
    assert (hash.decode() if isinstance(hash, bytes) else hash) == "STREAMING-UNSIGNED-PAYLOAD-TRAILER", sent[0]
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"' and put["ChecksumCRC32"]
    got = client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == body and "ContentEncoding" not in got

    class Pipe:
        """A body whose length nobody knows."""

        def __init__(self):
            self.file = io.BytesIO(b"x" * 700_000)

        def read(self, size=-1):
            return self.file.read(size)

    path = tmp_path / "large"
    path.write_bytes(os.urandom(30 << 20))
    client.upload_file(str(path), bucket, "large")
    client.upload_fileobj(Pipe(), bucket, "pipe")
    assert client.get_object(Bucket=bucket, Key="pipe")["Body"].read() == b"x" * 700_000
    client.download_file(bucket, "large", str(tmp_path / "back"))
    assert filecmp.cmp(path, tmp_path / "back", shallow=False)
    tls.aws("s3", "cp", path, f"s3://{bucket}/cli")
    tls.aws("s3", "cp", f"s3://{bucket}/cli", tmp_path / "cli")
    assert filecmp.cmp(path, tmp_path / "cli", shallow=False)


def test_virtual_hosts(request, monkeypatch):
    """BUCKET.DOMAIN, as SDKs do it by default."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real(
        "127.0.0.1" if host.endswith("s3.apus.test") else host, *rest, **more))
    for server in running_objects(request, "--domain", "s3.apus.test"):
        import boto3
        from botocore.config import Config
        client = boto3.client("s3", endpoint_url=f"http://s3.apus.test:{server.port}", region_name="us-east-1",
                              aws_access_key_id=server.access, aws_secret_access_key=server.secret,
                              config=Config(s3={"addressing_style": "virtual"}))
        bucket = new_bucket(client)
        hosts = []
        client.meta.events.register("before-send.s3", lambda request, **_: hosts.append(request.url))
        client.put_object(Bucket=bucket, Key="a/b", Body=b"virtual")
        assert client.get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"virtual"
        assert [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/b"]
        assert all(f"//{bucket}.s3.apus.test" in url for url in hosts), hosts
        # The same by its path.
        assert server.client().get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"virtual"


def test_a_key_is_made_at_the_first_start():
    server = Objects(root=False)
    try:
        server.start()
        path = server.data / "credentials.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        made = json.loads(path.read_text())
        assert str(path) in server.logged() and made["secretKey"] not in server.logged()
        server.access, server.secret = made["accessKey"], made["secretKey"]
        bucket = new_bucket(server.client())
        server.stop()
        server.start()
        assert bucket in [entry["Name"] for entry in server.client().list_buckets()["Buckets"]]
        server.stop()
    finally:
        server.clean(keep=False)


def test_sigterm_lets_requests_end(own_objects):
    """What is being uploaded when the server is told to stop is stored and answered."""
    import http.client
    client = own_objects.client()
    bucket = new_bucket(client)
    url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}, 60)
    connection = http.client.HTTPConnection(own_objects.address, timeout=60)
    connection.putrequest("PUT", url.split(own_objects.address, 1)[1], skip_host=False)
    connection.putheader("Content-Length", "200000")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    connection.send(b"x" * 100_000)
    import signal
    # The server is at it, once it has asked for the body; http.client reads over that answer.
    assert connection.sock.recv(1, socket.MSG_PEEK) == b"H"
    own_objects.process.send_signal(signal.SIGTERM)

    def is_closed():
        with socket.socket() as probe:
            return probe.connect_ex((own_objects.host, own_objects.port)) != 0

    wait_for(is_closed, what="the server to take no new connections")
    connection.send(b"x" * 100_000)
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("Connection") == "close"
    assert own_objects.process.wait(60) == 0
    own_objects.start()
    assert own_objects.client().head_object(Bucket=bucket, Key="k")["ContentLength"] == 200_000

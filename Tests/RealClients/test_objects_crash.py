# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of the server under mixed load, and damaged files: nothing acknowledged is lost or torn, nothing damaged is
served. APUS_OBJECTS_KILL_ROUNDS sets how often it is killed (200 for a long run)."""
import hashlib
import os
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from conftest import wait_for
from objects_fixture import new_bucket, own_objects, rounds  # noqa: F401

SIZES = [0, 100, 4096, 32_768, 40_000, 1_500_000]


class Worker(threading.Thread):
    """Writes, overwrites, copies, deletes and uploads in parts; remembers what was acknowledged of its own keys.

    What was asked for and not acknowledged may be there or not: both are right until the next acknowledgement."""

    def __init__(self, server, bucket, number, stop):
        super().__init__()
        self.server, self.bucket, self.number, self.stopped = server, bucket, number, stop
        self.random = random.Random(number)
        self.known, self.open, self.done, self.failure = {}, {}, 0, None

    def body(self):
        return self.random.randbytes(self.random.choice(SIZES))

    def run(self):
        client = self.server.client(read_timeout=10)
        while not self.stopped.is_set():
            key = f"{self.number}/{self.random.randrange(30)}"
            kind = self.random.choices(["put", "delete", "copy", "parts"], [70, 10, 10, 5])[0]
            try:
                self.change(client, key, kind)
                self.done += 1
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] not in (503,):
                    self.failure = f"{kind} {key}: {error}"
                    return
                time.sleep(0.02)

    def change(self, client, key, kind):
        if kind == "delete":
            wanted = None
        elif kind == "copy":
            source = f"{self.number}/{self.random.randrange(30)}"
            # Only of one that is known for certain.
            if source == key or source in self.open or self.known.get(source) is None:
                return
            wanted = self.known[source]
        else:
            body = self.body()
            wanted = hashlib.md5(body).hexdigest()
        self.open.setdefault(key, set()).add(wanted)
        if kind == "delete":
            client.delete_object(Bucket=self.bucket, Key=key)
        elif kind == "copy":
            client.copy_object(Bucket=self.bucket, Key=key, CopySource={"Bucket": self.bucket, "Key": source})
        elif kind == "put":
            client.put_object(Bucket=self.bucket, Key=key, Body=body)
        else:
            upload = {"Bucket": self.bucket, "Key": key, "UploadId": client.create_multipart_upload(
                Bucket=self.bucket, Key=key)["UploadId"]}
            part = client.upload_part(**upload, PartNumber=1, Body=body)
            client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [
                {"PartNumber": 1, "ETag": part["ETag"]}]})
        self.known[key] = wanted
        del self.open[key]


def check(server, bucket, workers):
    """What is there is what was acknowledged, or what was asked for last."""
    client, wrong, there = server.client(), [], set()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        there |= {entry["Key"] for entry in page.get("Contents", [])}
    for worker in workers:
        for key in set(worker.known) | set(worker.open):
            right = {worker.known.get(key)} | worker.open.get(key, set())
            found = None
            if key in there:
                got = client.get_object(Bucket=bucket, Key=key)
                body = got["Body"].read()
                found = hashlib.md5(body).hexdigest()
                if len(body) != got["ContentLength"]:
                    wrong.append(f"{key} is torn")
            if found not in right:
                wrong.append(f"{key} is {found}, not one of {right}")
            # It is settled now.
            worker.known[key] = found
            worker.open.pop(key, None)
    return wrong


def test_nothing_acknowledged_is_lost(own_objects):
    server = own_objects
    bucket = new_bucket(server.client())
    kept = [Worker(server, bucket, number, None) for number in range(4)]
    for round in range(rounds(4)):
        stop = threading.Event()
        workers = []
        for old in kept:
            worker = Worker(server, bucket, old.number, stop)
            worker.random = random.Random(round * 100 + old.number)
            worker.known, worker.open = old.known, old.open
            workers.append(worker)
            worker.start()
        time.sleep(random.uniform(0.3, 1.2))
        wait_for(lambda: sum(worker.done for worker in workers) > 20, what="requests to be answered")
        server.kill()
        stop.set()
        for worker in workers:
            worker.join(60)
            assert worker.failure is None, worker.failure
        kept = workers
        server.start()
        assert check(server, bucket, kept) == [], f"round {round}"


def test_unfinished_bodies_are_collected(own_objects):
    """What a kill leaves of bodies that were being written goes at the next start."""
    import http.client
    client = own_objects.client()
    bucket = new_bucket(client)
    client.put_object(Bucket=bucket, Key="kept", Body=b"k" * 3_000_000)
    url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}, 60)
    connection = http.client.HTTPConnection(own_objects.address, timeout=60)
    connection.putrequest("PUT", url.split(own_objects.address, 1)[1])
    connection.putheader("Content-Length", str(50 << 20))
    connection.endheaders()
    connection.send(os.urandom(30 << 20))
    time.sleep(0.5)
    own_objects.kill()
    connection.close()
    own_objects.start()
    wait_for(lambda: own_objects.stored() < 15 << 20, what="what was unfinished to go")
    listed = own_objects.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == ["kept"]


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_flipped_byte_is_an_error(own_objects, place):
    """Damage in the first block is an error; later the answer is cut off: never are wrong bytes served as right."""
    client = own_objects.client()
    bucket = new_bucket(client)
    body = os.urandom(3_500_000)
    client.put_object(Bucket=bucket, Key="k", Body=body)
    client.put_object(Bucket=bucket, Key="other", Body=b"fine")
    own_objects.stop()
    (path,) = [path for path in own_objects.data.rglob("*") if path.is_file() and path.stat().st_size >= len(body)
               and body[1000:1100] in path.read_bytes()]
    content = path.read_bytes()
    position = content.index(body[100:200]) + (5000 if place == "first" else len(body) - 1000)
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(bytes([content[position] ^ 4]))
    own_objects.start()
    client = own_objects.client()
    received = b""
    with pytest.raises((ClientError, BotoCoreError)) as caught:
        got = client.get_object(Bucket=bucket, Key="k")
        for chunk in got["Body"].iter_chunks(65536):
            received += chunk
    assert body.startswith(received) and len(received) < len(body)
    if place == "first":
        assert caught.value.response["Error"]["Code"] == "InternalError"
    assert "the store failed" in own_objects.logged()
    assert client.get_object(Bucket=bucket, Key="other")["Body"].read() == b"fine"
    # What is not damaged of it can still be read.
    whole = client.get_object(Bucket=bucket, Key="k", Range="bytes=1100000-1200000")["Body"].read()
    assert whole == body[1100000:1200001]

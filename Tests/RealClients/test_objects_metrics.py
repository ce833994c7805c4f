# SPDX-License-Identifier: Apache-2.0
"""A scrape of `apus serve objects --metrics-listen`, parsed as Prometheus' own client does."""
import os
import re
import sqlite3
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import PATIENCE, wait_for
from objects_fixture import Objects, new_bucket, refused

REQUESTS = "apus_objects_request_duration_seconds"


class Scraped:
    def __init__(self, server):
        self.server = server

    @property
    def address(self):
        return "http://" + re.findall(r"http://([^/]+)/metrics", self.server.logged())[-1]

    def samples(self):
        with urllib.request.urlopen(self.address + "/metrics", timeout=PATIENCE) as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = response.read().decode()
        found = {}
        for family in text_string_to_metric_families(text):
            assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in found, key
                found[key] = sample.value
        return found

    def count(self, operation, status):
        return self.samples().get((REQUESTS + "_count", (("operation", operation), ("status", str(status)))), 0)


@pytest.fixture(scope="module")
def scraped(request):
    server = Objects("--metrics-listen", "127.0.0.1:0")
    failed = request.session.testsfailed
    try:
        yield Scraped(server.start())
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed > failed)


def test_requests_are_counted(scraped):
    s3 = scraped.server.client()
    bucket = new_bucket(s3)
    before = scraped.samples()
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x" * 1000)
    s3.get_object(Bucket=bucket, Key="k0")["Body"].read()
    missing = scraped.count("getObject", 404)
    refused(s3.get_object, Bucket=bucket, Key="missing")
    # A request counts once it was answered.
    wait_for(lambda: scraped.count("getObject", 404) > missing, what="the last request to be counted")
    after = scraped.samples()

    def grown(name, **labels):
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before.get(key, 0)
    assert grown(REQUESTS + "_count", operation="putObject", status="200") == 5
    assert grown(REQUESTS + "_count", operation="getObject", status="200") == 1
    assert grown(REQUESTS + "_count", operation="getObject", status="404") == 1
    assert 0 < grown(REQUESTS + "_sum", operation="putObject", status="200") < 60
    buckets = [value for (name, labels), value in after.items()
               if name == REQUESTS + "_bucket" and ("operation", "putObject") in labels]
    assert buckets == sorted(buckets) and len(buckets) == 15
    assert grown("apus_objects_bytes_in_total") >= 5000
    assert grown("apus_objects_bytes_out_total") >= 1000
    assert grown("apus_objects_commit_changes_count") >= 1
    assert grown("apus_objects_commit_changes_sum") >= 5
    assert after["apus_objects_connections", ()] >= 1
    assert after["apus_objects_body_memory_bytes", ()] == 0 and after["apus_objects_body_memory_waiting", ()] == 0
    assert after["apus_objects_buckets", ()] >= 1 and after["apus_objects_access_keys", ()] == 0
    assert after["apus_objects_disk_free_bytes", ()] > 1 << 20


def test_what_is_in_buckets(scraped):
    """Objects and bytes of each bucket, through all that changes them, and counted again by a server that was killed."""
    s3 = scraped.server.client()
    bucket, other = new_bucket(s3), new_bucket(s3)

    def usage(name=bucket):
        found = scraped.samples()
        place = (("bucket", name),)
        return found.get(("apus_objects_bucket_objects", place)), found.get(("apus_objects_bucket_bytes", place))

    def counted():
        return wait_for(lambda: usage()[0] is not None and usage(), 20, "the objects to be counted")
    assert counted() == (0, 0)
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x" * 1000)
    s3.put_object(Bucket=bucket, Key="k0", Body=b"x" * 10)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k1"})
    s3.put_object_tagging(Bucket=bucket, Key="k1", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert usage() == (6, 5010)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    parts = [{"PartNumber": number, "ETag": s3.upload_part(
        Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=b"p" * size)["ETag"]}
        for number, size in ((1, 5 << 20), (2, 7))]
    assert usage() == (6, 5010)
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    assert usage() == (7, 5010 + (5 << 20) + 7)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "parts"}, {"Key": "k0"}, {"Key": "missing"}]})
    assert usage() == (5, 5000) and usage(other) == (0, 0)
    # Old versions are there until they are deleted; a marker is no object.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k1", Body=b"x" * 500)["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k1")
    assert usage() == (6, 5500)
    scraped.server.kill()
    scraped.server.start()
    s3 = scraped.server.client()
    assert counted() == (6, 5500)
    s3.delete_object(Bucket=bucket, Key="k1", VersionId=version)
    s3.delete_bucket(Bucket=other)
    assert usage() == (5, 5000) and usage(other) == (None, None)


def test_a_body_that_is_not_what_it_should_be(scraped):
    s3 = scraped.server.client()
    bucket = new_bucket(s3)
    before = scraped.samples()["apus_objects_digest_mismatches_total", ()]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")[0] == "BadDigest"
    assert scraped.samples()["apus_objects_digest_mismatches_total", ()] == before + 1
    wait_for(lambda: scraped.count("putObject", 400) >= 1, what="the request to be counted")


def test_what_is_not_there(scraped):
    for path, data, status in [("/", None, 404), ("/metrics", b"x", 405)]:
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(urllib.request.Request(scraped.address + path, data=data), timeout=PATIENCE)
        assert error.value.code == status


def test_a_damaged_row_is_seen_in_lists_and_counted(scraped):
    """One object of which only the key is left does not take the whole list with it, nor is it left out."""
    server = scraped.server
    s3 = server.client()
    bucket = new_bucket(s3)
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=os.urandom(100), Metadata={"which": key})
    server.stop()
    with sqlite3.connect(server.data / "objects.sqlite") as database:
        (row,) = database.execute("SELECT data FROM versions WHERE key = ? AND bucket = (SELECT id FROM buckets WHERE "
                                  "name = ?)", (b"b", bucket.encode())).fetchall()
        damaged = bytearray(row[0])
        damaged[len(damaged) // 2] ^= 1
        database.execute("UPDATE versions SET data = ? WHERE data = ?", (bytes(damaged), row[0]))
    database.close()
    server.start()
    s3 = server.client()
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [(entry["Key"], entry["Size"]) for entry in listed] == [("a", 100), ("b", 0), ("c", 100)]
    assert [v["Key"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == ["a", "b", "c"]
    assert refused(s3.get_object, Bucket=bucket, Key="b") == ("InternalError", 500)
    assert s3.get_object(Bucket=bucket, Key="c")["Metadata"] == {"which": "c"}
    assert scraped.samples()["apus_objects_damages_total", ()] >= 3
    assert "damaged" in server.logged()
    # It can be deleted, and the bucket with it; with versions by the version's name.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for version in s3.list_object_versions(Bucket=bucket)["Versions"]:
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=bucket)

# SPDX-License-Identifier: Apache-2.0
"""Objects by boto3: what is written is read, ranges, conditions, metadata, copies, lists, tags, presigned URLs."""
import concurrent.futures
import datetime
import hashlib
import os
import urllib.error
import urllib.request

import pytest

from conftest import PATIENCE
from objects_fixture import bucket, new_bucket, objects, refused, s3  # noqa: F401


@pytest.mark.parametrize("size", [0, 1, 4096, 32768, 32769, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_what_is_written_is_read(s3, bucket, size):
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="a/b c+d%é.bin", Body=body)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="a/b c+d%é.bin")
    assert got["Body"].read() == body
    assert got["ContentLength"] == size and got["AcceptRanges"] == "bytes" and got["ETag"] == put["ETag"]
    assert got["ContentType"] == "binary/octet-stream"
    assert got["ResponseMetadata"]["RequestId"]
    head = s3.head_object(Bucket=bucket, Key="a/b c+d%é.bin")
    assert head["ContentLength"] == size
    age = datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]
    assert abs(age.total_seconds()) < 60


def test_ranges(s3, bucket):
    body = os.urandom(3_000_000)
    s3.put_object(Bucket=bucket, Key="k", Body=body)

    def part(text):
        got = s3.get_object(Bucket=bucket, Key="k", Range=text)
        return got["Body"].read(), got.get("ContentRange"), got["ResponseMetadata"]["HTTPStatusCode"]

    assert part("bytes=0-0") == (body[:1], "bytes 0-0/3000000", 206)
    assert part("bytes=1048570-1048590")[0] == body[1048570:1048591]
    assert part("bytes=2999990-") == (body[-10:], "bytes 2999990-2999999/3000000", 206)
    assert part("bytes=-5") == (body[-5:], "bytes 2999995-2999999/3000000", 206)
    assert part("bytes=5-99999999999")[0] == body[5:]
    assert part("bytes=0-1,5-9")[2] == 200
    assert part("lines=1-2") == (body, None, 200)
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=3000000-") == ("InvalidRange", 416)


def test_conditions_of_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    past, future = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days) for days in (-2, 2))
    for call in (s3.get_object, s3.head_object):
        assert call(Bucket=bucket, Key="k", IfMatch=etag)["ETag"] == etag
        assert call(Bucket=bucket, Key="k", IfNoneMatch='"other"')["ETag"] == etag
        assert call(Bucket=bucket, Key="k", IfModifiedSince=past)["ETag"] == etag
        assert call(Bucket=bucket, Key="k", IfUnmodifiedSince=future)["ETag"] == etag
        assert refused(call, Bucket=bucket, Key="k", IfMatch='"other"')[1] == 412
        assert refused(call, Bucket=bucket, Key="k", IfNoneMatch=etag)[1] == 304
        assert refused(call, Bucket=bucket, Key="k", IfModifiedSince=future)[1] == 304
        assert refused(call, Bucket=bucket, Key="k", IfUnmodifiedSince=past)[1] == 412
        # What the ETag says goes before what the date says.
        assert call(Bucket=bucket, Key="k", IfMatch=etag, IfUnmodifiedSince=past)["ETag"] == etag
        assert refused(call, Bucket=bucket, Key="k", IfNoneMatch=etag, IfModifiedSince=past)[1] == 304


def test_conditional_writes(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*") == ("PreconditionFailed", 412)
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=first)["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"3", IfMatch=first) == ("PreconditionFailed", 412)
    assert refused(s3.put_object, Bucket=bucket, Key="none", Body=b"3", IfMatch=first) == ("NoSuchKey", 404)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    assert refused(s3.delete_object, Bucket=bucket, Key="k", IfMatch=first) == ("PreconditionFailed", 412)
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=second)
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)


def test_one_of_many_writers_wins(objects, s3, bucket):
    def write(number):
        client = objects.client()
        won = []
        for round in range(20):
            try:
                client.put_object(Bucket=bucket, Key=f"{round:03}", Body=b"%d" % number, IfNoneMatch="*")
                won.append((f"{round:03}", number))
            except client.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), error
        return won

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        winners = [pair for won in pool.map(write, range(8)) for pair in won]
    assert sorted(key for key, _ in winners) == [f"{round:03}" for round in range(20)]
    for key, number in winners:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"%d" % number


def test_metadata_and_headers(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain", CacheControl="max-age=5",
                  ContentDisposition='attachment; filename="a.txt"', ContentEncoding="gzip", ContentLanguage="de",
                  Expires=datetime.datetime(2030, 1, 1), Metadata={"one": "1", "two-words": "a b"})
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["Metadata"] == {"one": "1", "two-words": "a b"}
    assert (head["ContentType"], head["CacheControl"], head["ContentEncoding"], head["ContentLanguage"]) == (
        "text/plain", "max-age=5", "gzip", "de")
    assert head["ContentDisposition"] == 'attachment; filename="a.txt"'
    got = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="image/png", ResponseCacheControl="no-store",
                        ResponseContentDisposition="inline")
    assert (got["ContentType"], got["CacheControl"], got["ContentDisposition"]) == ("image/png", "no-store", "inline")
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 3000}) == (
        "MetadataTooLarge", 400)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"])
def test_checksums(s3, bucket, algorithm):
    try:
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello world", ChecksumAlgorithm=algorithm)
    except Exception as error:  # botocore needs awscrt for some
        if "crt" in str(error).lower():
            pytest.skip(f"this boto3 cannot compute {algorithm}")
        raise
    field = "Checksum" + algorithm
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[field] == put[field] and head["ChecksumType"] == "FULL_OBJECT"
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"hello world" and got[field] == put[field]


def test_wrong_checksums_store_nothing(s3, bucket):
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==") == (
        "BadDigest", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="x") == ("InvalidDigest", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256="A" * 43 + "=") == (
        "BadDigest", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404


def test_copies(s3, bucket):
    other = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="ä b", Body=b"body", ContentType="text/plain", Metadata={"m": "1"},
                  Tagging="t=1")
    copied = s3.copy_object(Bucket=other, Key="copy", CopySource={"Bucket": bucket, "Key": "ä b"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"body").hexdigest()}"'
    head = s3.head_object(Bucket=other, Key="copy")
    assert head["Metadata"] == {"m": "1"} and head["ContentType"] == "text/plain"
    assert s3.get_object_tagging(Bucket=other, Key="copy")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=other, Key="copy", CopySource={"Bucket": other, "Key": "copy"},
                   MetadataDirective="REPLACE", Metadata={"n": "2"}, TaggingDirective="REPLACE", Tagging="u=2")
    head = s3.head_object(Bucket=other, Key="copy")
    assert head["Metadata"] == {"n": "2"}
    assert s3.get_object_tagging(Bucket=other, Key="copy")["TagSet"] == [{"Key": "u", "Value": "2"}]
    assert s3.get_object(Bucket=other, Key="copy")["Body"].read() == b"body"
    source = {"Bucket": bucket, "Key": "ä b"}
    assert refused(s3.copy_object, Bucket=bucket, Key="ä b", CopySource=source) == ("InvalidRequest", 400)
    assert refused(s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "no"}) == (
        "NoSuchKey", 404)
    assert refused(s3.copy_object, Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch='"o"')[1] == 412
    # The bytes outlive the first that had them.
    s3.delete_object(Bucket=bucket, Key="ä b")
    assert s3.get_object(Bucket=other, Key="copy")["Body"].read() == b"body"


def test_lists(s3, bucket):
    keys = sorted([f"logs/2026/{n:02}.txt" for n in range(12)] + [f"data/{n}" for n in range(5)]
                  + ["a b&c<d>é", "readme", "z+z"])
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    listed = [entry for page in pages for entry in page.get("Contents", [])]
    assert [entry["Key"] for entry in listed] == sorted(keys, key=lambda key: key.encode())
    assert all(entry["Size"] == len(entry["Key"].encode()) and entry["ETag"] and entry["LastModified"]
               for entry in listed)
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 4})
    assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == [e["Key"] for e in listed]
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [prefix["Prefix"] for prefix in top["CommonPrefixes"]] == ["data/", "logs/"]
    assert [entry["Key"] for entry in top["Contents"]] == ["a b&c<d>é", "readme", "z+z"]
    assert top["KeyCount"] == 5 and not top["IsTruncated"]
    found, token = [], {}
    while True:
        page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=1, **token)
        found += [p["Prefix"] for p in page.get("CommonPrefixes", [])] + [e["Key"] for e in page.get("Contents", [])]
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert found == ["a b&c<d>é", "data/", "logs/", "readme", "z+z"]
    inner = s3.list_objects_v2(Bucket=bucket, Prefix="logs/", Delimiter="/")
    assert [prefix["Prefix"] for prefix in inner["CommonPrefixes"]] == ["logs/2026/"]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="logs/2026/10.txt", FetchOwner=True)
    assert [entry["Key"] for entry in after["Contents"]] == ["logs/2026/11.txt", "readme", "z+z"]
    assert after["Contents"][0]["Owner"]["ID"]
    old = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert old["IsTruncated"] and old["NextMarker"] == "data/"
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    assert refused(s3.list_objects_v2, Bucket=bucket, MaxKeys=-1)[0] == "InvalidArgument"


def test_deletes_many(s3, bucket):
    for number in range(30):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"k{n}"} for n in range(28)] + [
        {"Key": "never was & <is>"}]})
    assert len(answer["Deleted"]) == 29 and "Errors" not in answer
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k28"}], "Quiet": True})
    assert "Deleted" not in answer
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k29"]
    assert refused(s3.delete_objects, Bucket=bucket, Delete={
        "Objects": [{"Key": f"k{n}"} for n in range(1001)]})[0] == "MalformedXML"


def test_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b%20c=2%263")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "2&3"}]
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "x", "Value": "<é>"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "x", "Value": "<é>"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert refused(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={
        "TagSet": [{"Key": f"k{n}", "Value": ""} for n in range(11)]})[1] == 400
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "ml"}]
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)


def test_buckets(s3):
    name = new_bucket(s3)
    assert name in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.put_object(Bucket=name, Key="k", Body=b"")
    assert refused(s3.delete_bucket, Bucket=name) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert refused(s3.head_bucket, Bucket=name)[1] == 404
    assert refused(s3.list_objects_v2, Bucket=name) == ("NoSuchBucket", 404)
    assert refused(s3.put_object, Bucket=name, Key="k", Body=b"x" * 100_000) == ("NoSuchBucket", 404)
    assert refused(s3.create_bucket, Bucket="under_score")[1] == 400
    assert refused(s3.get_bucket_encryption, Bucket=new_bucket(s3)) == (
        "ServerSideEncryptionConfigurationNotFoundError", 404)
    grants = s3.get_bucket_acl(Bucket=new_bucket(s3))["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL"]


def test_presigned_urls(s3, bucket):
    def fetch(url, method="GET", body=None, headers={}):
        request = urllib.request.Request(url, method=method, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read(), answer.headers

    key = "päth/with space & more"
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key, "ContentType": "text/x"}, 60)
    fetch(put, "PUT", b"by URL", {"Content-Type": "text/x"})
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key,
                                                   "ResponseContentDisposition": 'attachment; filename="x y"'}, 60)
    body, headers = fetch(get)
    assert body == b"by URL" and headers["Content-Disposition"] == 'attachment; filename="x y"'
    assert headers["Content-Type"] == "text/x"
    for spoilt in (get.replace("with", "wiht"), get[:-1] + ("0" if get[-1] != "0" else "1"), get.replace("X-Amz-Expires=60", "X-Amz-Expires=61")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(spoilt)
        assert caught.value.code == 403 and b"SignatureDoesNotMatch" in caught.value.read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(get, "PUT", b"no")
    assert caught.value.code == 403


def test_expired_url(s3, bucket):
    from unittest import mock
    import botocore.auth
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=10)
    name = "get_current_datetime" if hasattr(botocore.auth, "get_current_datetime") else None
    if name is None:
        pytest.skip("this botocore takes the time from elsewhere")
    with mock.patch.object(botocore.auth, name, lambda *a, **k: then.replace(tzinfo=None)):
        url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, 60)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, timeout=PATIENCE)
    assert caught.value.code == 403 and b"AccessDenied" in caught.value.read()


def test_object_attributes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag", "ObjectSize", "Checksum"])
    assert got["ObjectSize"] == 5 and got["ETag"] == hashlib.md5(b"hello").hexdigest()
    assert got["Checksum"]["ChecksumSHA256"]

# SPDX-License-Identifier: Apache-2.0
"""Objects that are uploaded in parts, and versions, by boto3."""
import concurrent.futures
import hashlib
import io
import os

import pytest

from conftest import wait_for
from objects_fixture import bucket, new_bucket, objects, refused, s3  # noqa: F401

PART = 5 << 20


def begin(s3, bucket, key="k", **settings):
    return {"Bucket": bucket, "Key": key,
            "UploadId": s3.create_multipart_upload(Bucket=bucket, Key=key, **settings)["UploadId"]}


def put(s3, upload, number, body, **settings):
    answer = s3.upload_part(**upload, PartNumber=number, Body=body, **settings)
    return {"PartNumber": number, "ETag": answer["ETag"],
            **{name: value for name, value in answer.items() if name.startswith("ChecksumS") or
               name.startswith("ChecksumC")}}


def test_an_upload_in_parts(s3, bucket):
    bodies = [os.urandom(PART), os.urandom(PART + 1), os.urandom(1000)]
    upload = begin(s3, bucket, ContentType="text/x", Metadata={"a": "b"}, Tagging="t=1")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        parts = list(pool.map(lambda n: put(s3, upload, n + 1, bodies[n]), range(3)))
    listed = s3.list_parts(**upload)
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in listed["Parts"]] == [
        (n + 1, len(bodies[n]), f'"{hashlib.md5(bodies[n]).hexdigest()}"') for n in range(3)]
    page = s3.list_parts(**upload, MaxParts=2)
    assert page["IsTruncated"] and page["NextPartNumberMarker"] == 2
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    assert [u["Key"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["k"]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    md5s = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"' and done["Key"] == "k"
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"".join(bodies)
    assert got["ContentType"] == "text/x" and got["Metadata"] == {"a": "b"} and got["TagCount"] == 1
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert second["Body"].read() == bodies[1] and second["PartsCount"] == 3
    assert s3.head_object(Bucket=bucket, Key="k", PartNumber=3)["ContentLength"] == 1000
    across = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={PART - 5}-{PART + 5}")
    assert across["Body"].read() == b"".join(bodies)[PART - 5:PART + 6]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert refused(s3.list_parts, **upload) == ("NoSuchUpload", 404)


def test_an_upload_that_is_completed_again(s3, bucket):
    """As with S3: a client that lost the answer asks again, and gets it; other parts, or another object, are not it."""
    upload = begin(s3, bucket)
    parts = [put(s3, upload, 1, b"x" * PART), put(s3, upload, 2, b"y")]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    again = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
    assert again["ETag"] == done["ETag"] and again["Location"] == done["Location"]
    missing = ("NoSuchUpload", 404)
    assert refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[:1]}) == missing
    s3.put_object(Bucket=bucket, Key="k", Body=b"another")
    assert refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts}) == missing
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"another"


def test_parts_that_are_wrong(s3, bucket):
    upload = begin(s3, bucket)
    first, second = put(s3, upload, 1, b"x" * PART), put(s3, upload, 5, b"y")

    def complete(*parts):
        return refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": list(parts)})

    assert complete(second, first) == ("InvalidPartOrder", 400)
    assert complete(first, {**second, "ETag": '"0"'}) == ("InvalidPart", 400)
    assert complete(first, {**second, "PartNumber": 3}) == ("InvalidPart", 400)
    third = put(s3, upload, 6, b"z")
    assert complete(first, second, third) == ("EntityTooSmall", 400)
    assert refused(s3.upload_part, **upload, PartNumber=10001, Body=b"") == ("InvalidArgument", 400)
    # A part again replaces the first; what is not named goes.
    again = put(s3, upload, 1, b"w" * PART)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [again]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"w" * PART


def test_aborted_uploads_leave_nothing(objects, s3, bucket):
    before = objects.stored()
    upload = begin(s3, bucket)
    put(s3, upload, 1, os.urandom(4 * PART))
    s3.abort_multipart_upload(**upload)
    assert refused(s3.upload_part, **upload, PartNumber=2, Body=b"x") == ("NoSuchUpload", 404)
    wait_for(lambda: objects.stored() - before < PART, what="the part to go")


def test_conditional_completion(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    upload = begin(s3, bucket)
    parts = {"Parts": [put(s3, upload, 1, b"second")]}
    assert refused(s3.complete_multipart_upload, **upload, MultipartUpload=parts, IfNoneMatch="*") == (
        "PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"


@pytest.mark.parametrize("algorithm,kind", [("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE"), ("CRC32", "FULL_OBJECT")])
def test_checksums_of_parts(s3, bucket, algorithm, kind):
    field = "Checksum" + algorithm
    upload = begin(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    bodies = [os.urandom(PART), os.urandom(77)]
    parts = [put(s3, upload, n + 1, body, ChecksumAlgorithm=algorithm) for n, body in enumerate(bodies)]
    assert all(field in part for part in parts)
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumType"] == kind and head[field] == done[field]
    assert head[field].endswith("-2") == (kind == "COMPOSITE")
    if kind == "FULL_OBJECT":
        s3.put_object(Bucket=bucket, Key="whole", Body=b"".join(bodies), ChecksumAlgorithm=algorithm)
        whole = s3.head_object(Bucket=bucket, Key="whole", ChecksumMode="ENABLED")
        assert whole[field] == head[field]


def test_copies_into_parts(s3, bucket):
    source = os.urandom(2 * PART + 10)
    s3.upload_fileobj(io.BytesIO(source), bucket, "source")
    upload = begin(s3, bucket, "copy")
    parts = []
    for number, text in enumerate([f"bytes=0-{PART - 1}", f"bytes={PART}-{2 * PART + 9}"], 1):
        answer = s3.upload_part_copy(**upload, PartNumber=number, CopySource={"Bucket": bucket, "Key": "source"},
                                     CopySourceRange=text)
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    assert refused(s3.upload_part_copy, **upload, PartNumber=3, CopySource={"Bucket": bucket, "Key": "source"},
                   CopySourceRange=f"bytes=0-{len(source)}") == ("InvalidArgument", 400)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == source


def test_boto3_transfers_large_files(s3, bucket, tmp_path):
    """upload_file and download_file: many parts and ranges at a time."""
    path = tmp_path / "large"
    path.write_bytes(os.urandom(50 << 20))
    s3.upload_file(str(path), bucket, "large")
    assert "-" in s3.head_object(Bucket=bucket, Key="large")["ETag"]
    s3.download_file(bucket, "large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


# Versions

def test_versions(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"0")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % n)["VersionId"] for n in (1, 2)]
    assert len(set(ids)) == 2
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"2" and got["VersionId"] == ids[1]
    for version, body in [("null", b"0"), (ids[0], b"1"), (ids[1], b"2")]:
        assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == body
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    assert deleted["DeleteMarker"] and deleted["VersionId"]
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=deleted["VersionId"])[1] == 405
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    listed = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in listed["Versions"]] == [ids[1], ids[0], "null"]
    assert [(m["VersionId"], m["IsLatest"]) for m in listed["DeleteMarkers"]] == [(deleted["VersionId"], True)]
    # Pages of one.
    found, marker = [], {}
    while True:
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=1, **marker)
        found += [v["VersionId"] for v in page.get("DeleteMarkers", []) + page.get("Versions", [])]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert found == [deleted["VersionId"], ids[1], ids[0], "null"]
    # Without the marker it is back.
    s3.delete_object(Bucket=bucket, Key="k", VersionId=deleted["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": ids[0]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId="nonsense")[1] in (400, 404)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"s").get("VersionId", "null") == "null"
    assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    versions = s3.list_object_versions(Bucket=bucket)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": v["Key"], "VersionId": v["VersionId"]}
        for v in versions["Versions"] + versions.get("DeleteMarkers", [])]})
    s3.delete_bucket(Bucket=bucket)


def test_lifecycle(s3, bucket):
    rules = [{"ID": "old logs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 30}},
             {"ID": "parts", "Filter": {"Prefix": ""}, "Status": "Enabled",
              "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
             {"ID": "versions", "Filter": {"And": {"Prefix": "v/", "Tags": [{"Key": "a", "Value": "b"}]}},
              "Status": "Disabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}]
    assert refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == ("NoSuchLifecycleConfiguration", 404)
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket)[1] == 404
    assert refused(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": [
        {"ID": "x", "Filter": {"Prefix": ""}, "Status": "Enabled", "Expiration": {"Days": 0}}]})[1] == 400

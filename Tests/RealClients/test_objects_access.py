# SPDX-License-Identifier: Apache-2.0
"""Who may do what: access keys with policies, policies of buckets, the public, and pages of other origins."""
import json
import urllib.error
import urllib.request

from conftest import PATIENCE, wait_for
from objects_fixture import bucket, new_bucket, objects, own_objects, refused, s3  # noqa: F401


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Action": actions, "Resource": resources, **more}
        for effect, actions, resources, more in statements]}


def allow(actions, *names, **more):
    return "Allow", actions, [f"arn:aws:s3:::{name}" for name in names], more


def deny(actions, *names, **more):
    return "Deny", actions, [f"arn:aws:s3:::{name}" for name in names], more


def fetch(objects, path, method="GET", headers={}):
    request = urllib.request.Request(objects.url + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def test_wrong_keys(objects, s3, bucket):
    assert refused(objects.client("NOBODY").list_buckets) == ("InvalidAccessKeyId", 403)
    assert refused(objects.client(secret="wrong-secret").list_buckets) == ("SignatureDoesNotMatch", 403)
    assert refused(objects.client("anonymous").list_buckets) == ("AccessDenied", 403)
    assert refused(objects.client("anonymous").put_object, Bucket=bucket, Key="k", Body=b"") == ("AccessDenied", 403)
    assert refused(objects.client("anonymous").get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)


def test_public_read(objects, s3, bucket):
    s3.put_object(Bucket=bucket, Key="public/a", Body=b"for all", ContentType="text/plain")
    s3.put_object(Bucket=bucket, Key="private", Body=b"secret")
    assert fetch(objects, f"/{bucket}/public/a")[0] == 403
    assert refused(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    document = policy(allow("s3:GetObject", f"{bucket}/public/*", Principal="*"))
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == document
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    status, body, headers = fetch(objects, f"/{bucket}/public/a")
    assert (status, body, headers["Content-Type"]) == (200, b"for all", "text/plain")
    assert fetch(objects, f"/{bucket}/public/a", "HEAD")[0] == 200
    assert fetch(objects, f"/{bucket}/private")[0] == 403
    # Who may not list may not know what there is.
    assert fetch(objects, f"/{bucket}/public/none")[0] == 403
    assert fetch(objects, f"/{bucket}/")[0] == 403
    assert fetch(objects, f"/{bucket}/public/b", "PUT")[0] == 403
    assert fetch(objects, f"/{bucket}/public/a?response-content-type=text/html")[0] == 400
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True,
                                                                              "BlockPublicPolicy": True})
    assert fetch(objects, f"/{bucket}/public/a")[0] == 403
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=json.dumps(document)) == ("AccessDenied", 403)
    s3.delete_public_access_block(Bucket=bucket)
    assert fetch(objects, f"/{bucket}/public/a")[0] == 200
    s3.delete_bucket_policy(Bucket=bucket)
    assert fetch(objects, f"/{bucket}/public/a")[0] == 403


def test_wrong_policies(s3, bucket):
    for text in ("{", "{}", json.dumps(policy(allow("s3:GetObject", "other/*", Principal="*"))),
                 json.dumps(policy(allow("s3:GetObject", f"{bucket}/*"))),
                 json.dumps(policy(("Maybe", "s3:*", [f"arn:aws:s3:::{bucket}"], {"Principal": "*"})))):
        assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=text)[0] == "MalformedPolicy", text


def test_keys_with_policies():
    from objects_fixture import Objects
    server = Objects()
    reader = {"accessKey": "READER", "secretKey": "reader-secret", "name": "reader", "policy": policy(
        allow("s3:GetObject", "shared/*"), allow("s3:ListBucket", "shared"), deny("s3:GetObject", "shared/hidden/*"))}
    writer = {"accessKey": "WRITER", "secretKey": "writer-secret", "name": "writer", "policy": policy(
        allow(["s3:PutObject", "s3:DeleteObject"], "shared/${aws:username}/*"))}
    path = server.keys_file([reader])
    server.arguments += ["--keys-file", str(path)]
    try:
        server.start()
        root = server.client()
        root.create_bucket(Bucket="shared")
        root.create_bucket(Bucket="other")
        for key in ("a", "hidden/b"):
            root.put_object(Bucket="shared", Key=key, Body=b"x")
        mine = server.client("READER", "reader-secret")
        assert mine.get_object(Bucket="shared", Key="a")["Body"].read() == b"x"
        assert len(mine.list_objects_v2(Bucket="shared")["Contents"]) == 2
        assert refused(mine.get_object, Bucket="shared", Key="hidden/b") == ("AccessDenied", 403)
        assert refused(mine.get_object, Bucket="shared", Key="none") == ("NoSuchKey", 404)
        assert refused(mine.put_object, Bucket="shared", Key="a", Body=b"y") == ("AccessDenied", 403)
        assert refused(mine.list_objects_v2, Bucket="other") == ("AccessDenied", 403)
        assert refused(mine.copy_object, Bucket="shared", Key="c", CopySource="other/x") == ("AccessDenied", 403)
        # The file is read again: a new key works, one that is gone does not, a wrong file changes nothing.
        assert refused(server.client("WRITER", "writer-secret").list_buckets)[0] == "InvalidAccessKeyId"
        server.keys_file([reader, writer])
        theirs = server.client("WRITER", "writer-secret")

        def works():
            try:
                return theirs.put_object(Bucket="shared", Key="writer/a", Body=b"w")
            except theirs.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "InvalidAccessKeyId"
        wait_for(works, 10, "the new key to work")
        assert refused(theirs.put_object, Bucket="shared", Key="reader/a", Body=b"w") == ("AccessDenied", 403)
        answer = theirs.delete_objects(Bucket="shared", Delete={"Objects": [{"Key": "writer/a"}, {"Key": "a"}]})
        assert [d["Key"] for d in answer["Deleted"]] == ["writer/a"]
        assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("a", "AccessDenied")]
        path.write_text("{")
        wait_for(lambda: "access keys stay as they were" in server.logged(), 10, "the wrong file to be told")
        assert mine.get_object(Bucket="shared", Key="a")["Body"].read() == b"x"
        server.keys_file([writer])
        wait_for(lambda: refused_code(mine) == "InvalidAccessKeyId", 10, "the key to be gone")
        # A bucket's policy lets a key in that has no right of its own.
        root.put_bucket_policy(Bucket="other", Policy=json.dumps(policy(allow(
            "s3:GetObject", "other/*", Principal={"AWS": "arn:aws:iam::000000000000:user/writer"}))))
        root.put_object(Bucket="other", Key="a", Body=b"o")
        assert theirs.get_object(Bucket="other", Key="a")["Body"].read() == b"o"
        assert refused(theirs.put_object, Bucket="other", Key="a", Body=b"") == ("AccessDenied", 403)
        server.stop()
    finally:
        server.clean(keep=False)


def refused_code(client):
    try:
        client.get_object(Bucket="shared", Key="a")
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"]


def test_conditions_on_tags(objects, s3, bucket):
    """A policy that asks for tags of an object that is there."""
    s3.put_object(Bucket=bucket, Key="open", Body=b"1", Tagging="class=public")
    s3.put_object(Bucket=bucket, Key="closed", Body=b"2", Tagging="class=secret")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(allow(
        "s3:GetObject", f"{bucket}/*", Principal="*",
        Condition={"StringEquals": {"s3:ExistingObjectTag/class": "public"}}))))
    assert fetch(objects, f"/{bucket}/open")[:2] == (200, b"1")
    assert fetch(objects, f"/{bucket}/closed")[0] == 403


def test_pages_of_other_origins(objects, s3, bucket):
    """What a browser does: it asks first, then sends, then looks whether it may show the answer."""
    question = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "content-type, x-amz-meta-a"}
    assert refused(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)
    assert fetch(objects, f"/{bucket}/k", "OPTIONS", question)[0] == 403
    rules = [{"AllowedOrigins": ["https://*.example"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"],
              "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 600}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    status, _, headers = fetch(objects, f"/{bucket}/k", "OPTIONS", question)
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "PUT" in headers["Access-Control-Allow-Methods"] and headers["Access-Control-Max-Age"] == "600"
    assert "x-amz-meta-a" in headers["Access-Control-Allow-Headers"]
    for other in ({**question, "Origin": "https://evil.test"}, {**question, "Access-Control-Request-Method": "DELETE"}):
        status, _, headers = fetch(objects, f"/{bucket}/k", "OPTIONS", other)
        assert status == 403 and "Access-Control-Allow-Origin" not in headers
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}, 60)
    request = urllib.request.Request(url, method="PUT", data=b"by a page", headers={"Origin": "https://app.example"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
    # The page sees why it failed, too.
    status, _, headers = fetch(objects, f"/{bucket}/k", headers={"Origin": "https://app.example"})
    assert status == 403 and headers["Access-Control-Allow-Origin"] == "https://app.example"
    s3.delete_bucket_cors(Bucket=bucket)
    assert fetch(objects, f"/{bucket}/k", "OPTIONS", question)[0] == 403

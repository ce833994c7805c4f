# SPDX-License-Identifier: Apache-2.0
"""deploy/objects on a platform: Bucket objects and Secrets of access keys as kubectl, boto3 and awscli see them."""
import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families

from conftest import APUS, PATIENCE, ROOT, wait_for
from objects_fixture import BIN, Objects, refused

N = ["-n", "objects"]
SYNCED, TERMINAL, RECOVERABLE = "ACK.ResourceSynced", "ACK.Terminal", "ACK.Recoverable"


class Deployed:
    """The server that `kubectl apply -k deploy/objects` started, and its operator."""

    def __init__(self, cluster):
        self.cluster = cluster
        spec = cluster.get("service", "objects", *N)["spec"]
        self.url = f"http://{spec['clusterIP']}:9000"
        self.metrics = f"http://{spec['clusterIP']}:9309/metrics"

    def secret(self, name, namespace="objects"):
        data = self.cluster.get("secret", name, "-n", namespace).get("data", {})
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def client(self, secret):
        """boto3's client with the key of a Secret."""
        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=secret["accessKey"],
                            aws_secret_access_key=secret["secretKey"],
                            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))

    @property
    def root(self):
        return self.client(self.secret("objects-root"))

    def apply(self, name, namespace, /, annotations=None, **spec):
        self.cluster.apply(json.dumps({
            "apiVersion": "s3.services.k8s.aws/v1alpha1", "kind": "Bucket",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}}, "spec": spec}))

    def conditions(self, name, namespace):
        status = self.cluster.get("bucket", name, "-n", namespace).get("status", {})
        return {c["type"]: c for c in status.get("conditions", [])}

    def synced(self, name, namespace, status="True", where=lambda condition: True):
        def found():
            condition = self.conditions(name, namespace).get(SYNCED)
            return condition if condition and condition["status"] == status and where(condition) else None
        return wait_for(found, 30, f"{name} to be {'' if status == 'True' else 'not '}synced")

    def delete(self, name, namespace):
        self.cluster.kubectl("delete", "bucket", name, "-n", namespace, "--timeout=30s")

    def buckets(self):
        return {bucket["Name"] for bucket in self.root.list_buckets()["Buckets"]}

    def key(self, name, policy=None, **data):
        """A Secret of an access key, once it is let in."""
        if policy is not None:
            data["policy"] = json.dumps({"Version": "2012-10-17", "Statement": policy})
        self.cluster.apply(json.dumps({
            "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": {"name": name, "namespace": "objects", "labels": {"apus.dev/s3-access-key": "true"}}}))
        self.key_says(name, "ready")
        return self.secret(name)

    def key_says(self, name, text):
        wait_for(lambda: text in self.cluster.get("secret", name, *N)["metadata"].get("annotations", {}).get(
            "apus.dev/s3-access-key-status", ""), 20, f"the Secret {name} to say {text}")


@pytest.fixture(scope="module")
def deployed(cluster):
    cluster.kubectl("apply", "-k", str(ROOT / "deploy" / "objects"))
    cluster.kubectl("rollout", "status", "statefulset/objects", *N, "--timeout=60s")
    cluster.kubectl("rollout", "status", "deployment/objects-operator", *N, "--timeout=60s")
    return Deployed(cluster)


@pytest.fixture
def bucket(namespace):
    """A bucket's name of the test's own."""
    return "b-" + namespace


RULE = {"id": "old", "status": "Enabled", "filter": {"prefix": "logs/"}, "expiration": {"days": 30}}


def test_the_example_with_aws(deployed, cluster):
    """The three commands of docs/objects.md."""
    cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "objects" / "example.yaml"))
    deployed.synced("ratings", "objects")
    deployed.key_says("recommender", "ready")
    key = deployed.secret("recommender")
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": key["accessKey"], "AWS_SECRET_ACCESS_KEY": key["secretKey"],
                   "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": deployed.url, "AWS_PAGER": "",
                   "AWS_EC2_METADATA_DISABLED": "true"}

    def aws(*arguments):
        return subprocess.run([str(BIN / "aws"), *arguments], env=environment, text=True, capture_output=True,
                              timeout=60)
    copied = aws("s3", "cp", str(ROOT / "README.md"), "s3://ratings/")
    assert copied.returncode == 0, copied.stderr
    assert "README.md" in aws("s3", "ls", "s3://ratings").stdout
    denied = aws("s3", "rm", "s3://ratings/README.md")
    assert denied.returncode != 0 and "AccessDenied" in denied.stderr


def test_bucket_is_made_changed_and_deleted(deployed, cluster, namespace, bucket):
    s3 = deployed.root
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/public/*"}]}
    deployed.apply(
        "all", namespace, name=bucket, versioning={"status": "Enabled"}, policy=json.dumps(policy),
        cors={"corsRules": [{"allowedOrigins": ["https://a.example"], "allowedMethods": ["GET", "PUT"],
                             "allowedHeaders": ["X-Custom"], "exposeHeaders": ["ETag"], "maxAgeSeconds": 60}]},
        lifecycle={"rules": [RULE, {"id": "tagged", "status": "Disabled", "filter": {
            "and": {"prefix": "a/", "tags": [{"key": "k", "value": "v"}]}},
            "noncurrentVersionExpiration": {"noncurrentDays": 3, "newerNoncurrentVersions": 2}},
            {"id": "uploads", "status": "Enabled", "filter": {}, "abortIncompleteMultipartUpload": {
                "daysAfterInitiation": 7}}]},
        tagging={"tagSet": [{"key": "team", "value": "film"}, {"key": "cost", "value": "1 & 2"}]},
        publicAccessBlock={"blockPublicACLs": True, "ignorePublicACLs": True, "blockPublicPolicy": False,
                           "restrictPublicBuckets": False},
        ownershipControls={"rules": [{"objectOwnership": "BucketOwnerEnforced"}]})
    deployed.synced("all", namespace)
    status = cluster.get("bucket", "all", "-n", namespace)["status"]
    assert status["ackResourceMetadata"]["arn"] == f"arn:aws:s3:::{bucket}" and status["location"] == f"/{bucket}"
    assert {c["type"] for c in status["conditions"]} == {SYNCED, "Ready"}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == policy
    rule = s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]
    assert rule["AllowedMethods"] == ["GET", "PUT"] and rule["MaxAgeSeconds"] == 60
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [r["ID"] for r in rules] == ["old", "tagged", "uploads"] and rules[0]["Expiration"] == {"Days": 30}
    assert rules[1]["Filter"]["And"]["Tags"] == [{"Key": "k", "Value": "v"}]
    tags = {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == {"team": "film", "cost": "1 & 2"}
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    controls = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]

    # What is not declared any more goes; versions can only be suspended.
    deployed.apply("all", namespace, name=bucket, lifecycle={"rules": [{**RULE, "expiration": {"days": 7}}]})
    wait_for(lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"] == {"Days": 7}, 30,
             "the rule to change")
    wait_for(lambda: s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Suspended", 30, "versions to be off")
    for call in (s3.get_bucket_policy, s3.get_bucket_cors, s3.get_bucket_tagging, s3.get_public_access_block,
                 s3.get_bucket_ownership_controls):
        wait_for(lambda: isinstance(code(call, Bucket=bucket), str), 10, f"{call.__name__} to be gone")
    deployed.delete("all", namespace)
    assert bucket not in deployed.buckets()


def code(call, **arguments):
    """The code of an error; the answer where there is none."""
    try:
        return call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]


def test_drift_is_corrected(deployed, cluster, namespace, bucket):
    """With an operator that looks often: what others changed goes back, and a bucket that went is made again."""
    cluster.kubectl("scale", "deployment/objects-operator", "--replicas=0", *N)
    with Operator(deployed, cluster, "--interval", "1") as operator:
        deployed.apply("drifting", namespace, name=bucket, versioning={"status": "Enabled"},
                       lifecycle={"rules": [RULE]}, cors={"corsRules": [{
                           "allowedOrigins": ["*"], "allowedMethods": ["GET"], "allowedHeaders": ["X-Upper-Case"]}]})
        deployed.synced("drifting", namespace)
        s3 = deployed.root
        s3.delete_bucket_lifecycle(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "not", "Value": "declared"}]})
        wait_for(lambda: isinstance(code(s3.get_bucket_lifecycle_configuration, Bucket=bucket), dict), 15, "rules")
        wait_for(lambda: s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled", 15, "versions")
        wait_for(lambda: code(s3.get_bucket_tagging, Bucket=bucket) == "NoSuchTagSet", 15, "tags to be gone")
        s3.delete_bucket(Bucket=bucket)
        wait_for(lambda: isinstance(code(s3.get_bucket_lifecycle_configuration, Bucket=bucket), dict), 15,
                 "the bucket to be made again")
        # The server writes headers in lower case: that is no drift, and put once only.
        wait_for(lambda: s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled", 15, "versions")
        puts = operator.logged().count(f"cors of bucket {bucket} is as declared")
        assert puts == 2, "once for each time that the bucket was made"
        deployed.delete("drifting", namespace)


def test_a_wrong_spec_is_told_in_s3s_words(deployed, cluster, namespace, bucket):
    deployed.apply("wrong", namespace, name=bucket, lifecycle={"rules": [{**RULE, "expiration": {"days": 0}}]},
                   tagging={"tagSet": [{"key": "still", "value": "put"}]})
    condition = deployed.synced("wrong", namespace, "False")
    assert condition["reason"] == "InvalidArgument"
    assert condition["message"] == "spec.lifecycle: 'Days' for Expiration action must be a positive integer"
    assert deployed.conditions("wrong", namespace)[TERMINAL]["status"] == "True"
    wait_for(lambda: isinstance(code(deployed.root.get_bucket_tagging, Bucket=bucket), dict), 10, "the tags")
    for spec, reason, words in [
            ({"policy": "{}"}, "MalformedPolicy", "Statement"),
            ({"encryption": {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]}},
             "NotImplemented", "Encryption"),
            ({"versioning": {"status": "On"}}, "MalformedXML", "neither Enabled nor Suspended"),
            ({"lifecycle": {"rules": [{**RULE, "transitions": [{"days": 1, "storageClass": "GLACIER"}]}]}},
             "NotImplemented", "one storage class")]:
        deployed.apply("wrong", namespace, name=bucket, **spec)
        condition = deployed.synced("wrong", namespace, "False", lambda c: c["reason"] == reason)
        assert words in condition["message"], condition
    deployed.apply("wrong", namespace, name=bucket)
    deployed.synced("wrong", namespace)
    assert TERMINAL not in deployed.conditions("wrong", namespace)
    deployed.delete("wrong", namespace)

    deployed.apply("name", namespace, name="Not_A_Name")
    condition = deployed.synced("name", namespace, "False")
    assert condition["reason"] == "InvalidBucketName" and "lower case" in condition["message"]
    deployed.delete("name", namespace)
    refused = cluster.kubectl("apply", "-n", namespace, "-f", "-", check=False, input=json.dumps({
        "apiVersion": "s3.services.k8s.aws/v1alpha1", "kind": "Bucket", "metadata": {"name": "more"},
        "spec": {"name": bucket, "replication": {}}}))
    assert refused.returncode != 0 and "spec.replication" in refused.stderr


def test_a_bucket_with_objects_is_not_deleted(deployed, cluster, namespace, bucket):
    s3 = deployed.root
    deployed.apply("full", namespace, name=bucket)
    deployed.synced("full", namespace)
    s3.put_object(Bucket=bucket, Key="precious", Body=b"x")
    cluster.kubectl("delete", "bucket", "full", "-n", namespace, "--wait=false")
    condition = deployed.synced("full", namespace, "False")
    assert condition["reason"] == "BucketNotEmpty" and "Empty the bucket" in condition["message"]
    assert deployed.conditions("full", namespace)[RECOVERABLE]["status"] == "True"
    assert s3.get_object(Bucket=bucket, Key="precious")["Body"].read() == b"x"
    s3.delete_object(Bucket=bucket, Key="precious")
    cluster.kubectl("wait", "--for=delete", "bucket/full", "-n", namespace, "--timeout=30s")
    assert bucket not in deployed.buckets()


def test_buckets_that_are_retained(deployed, cluster, namespace, bucket):
    deployed.apply("kept", namespace, name=bucket, annotations={"services.k8s.aws/deletion-policy": "retain"})
    deployed.synced("kept", namespace)
    deployed.delete("kept", namespace)
    assert bucket in deployed.buckets()
    # By the annotation of the namespace, too.
    cluster.kubectl("annotate", "namespace", namespace, "s3.services.k8s.aws/deletion-policy=retain")
    deployed.apply("adopted", namespace, name=bucket,
                   annotations={"services.k8s.aws/adoption-policy": "adopt-or-create"})
    deployed.synced("adopted", namespace)
    deployed.delete("adopted", namespace)
    assert bucket in deployed.buckets()
    deployed.root.delete_bucket(Bucket=bucket)


def test_adoption(deployed, cluster, namespace, bucket):
    s3 = deployed.root
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [
        {"ID": "mine", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 9}}]})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    deployed.apply("taken", namespace, name=bucket)
    condition = deployed.synced("taken", namespace, "False")
    assert condition["reason"] == "AlreadyExists" and "adoption-policy" in condition["message"]
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"], "nothing was changed"
    deployed.delete("taken", namespace)
    assert bucket in deployed.buckets(), "it was never that object's"

    # With `adopt` the spec becomes what the bucket is.
    cluster.apply(json.dumps({
        "apiVersion": "s3.services.k8s.aws/v1alpha1", "kind": "Bucket", "metadata": {
            "name": "adopted", "namespace": namespace, "annotations": {
                "services.k8s.aws/adoption-policy": "adopt",
                "services.k8s.aws/adoption-fields": json.dumps({"name": bucket})}}}))
    deployed.synced("adopted", namespace)
    found = cluster.get("bucket", "adopted", "-n", namespace)
    assert found["metadata"]["annotations"]["services.k8s.aws/adopted"] == "true"
    assert found["spec"]["name"] == bucket
    assert found["spec"]["lifecycle"]["rules"] == [
        {"id": "mine", "status": "Enabled", "filter": {"prefix": "x/"}, "expiration": {"days": 9}}]
    assert found["spec"]["tagging"]["tagSet"] == [{"key": "a", "value": "b"}]
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["ID"] == "mine"

    # Two objects of one bucket: the first has it.
    deployed.apply("second", namespace, name=bucket,
                   annotations={"services.k8s.aws/adoption-policy": "adopt-or-create"})
    assert deployed.synced("second", namespace, "False")["reason"] == "ResourceConflict"
    deployed.delete("second", namespace)
    assert bucket in deployed.buckets()
    deployed.delete("adopted", namespace)
    assert bucket not in deployed.buckets()


def test_a_bucket_that_is_only_looked_at(deployed, cluster, namespace, bucket):
    read_only = {"services.k8s.aws/read-only": "true"}
    deployed.apply("seen", namespace, name=bucket, annotations=read_only, versioning={"status": "Enabled"})
    assert deployed.synced("seen", namespace, "False")["reason"] == "NoSuchBucket"
    deployed.root.create_bucket(Bucket=bucket)
    deployed.synced("seen", namespace)
    assert "Status" not in deployed.root.get_bucket_versioning(Bucket=bucket)
    deployed.delete("seen", namespace)
    assert bucket in deployed.buckets()
    deployed.root.delete_bucket(Bucket=bucket)


def test_a_server_that_comes_back(deployed, cluster, namespace, bucket):
    cluster.kubectl("scale", "statefulset/objects", "--replicas=0", *N)
    cluster.kubectl("wait", "--for=delete", "pod/objects-0", *N, "--timeout=60s")
    deployed.apply("late", namespace, name=bucket)
    condition = deployed.synced("late", namespace, "False")
    assert condition["reason"] == "ConnectionFailed"
    assert deployed.conditions("late", namespace)[RECOVERABLE]["status"] == "True"
    cluster.kubectl("scale", "statefulset/objects", "--replicas=1", *N)
    deployed.synced("late", namespace)
    assert bucket in deployed.buckets()
    deployed.delete("late", namespace)


class Operator:
    """`apus operate objects` by hand, outside of the cluster, in the place of the deployed one."""

    def __init__(self, deployed, cluster, *arguments):
        self.deployed, self.cluster, self.arguments = deployed, cluster, arguments
        self.process, self.log = None, cluster.folder / "operator.log"

    def start(self):
        key = self.deployed.secret("objects-root")
        with open(self.log, "ab") as log:
            before = self.logged().count("ready objects-operator")
            self.process = subprocess.Popen(
                [APUS, "operate", "objects", "--kubeconfig", self.cluster.kubeconfig, "--key-secrets", "objects",
                 *self.arguments], stdout=log, stderr=log,
                env={**os.environ, "HOME": str(self.cluster.folder), "AWS_ENDPOINT_URL": self.deployed.url,
                     "AWS_ACCESS_KEY_ID": key["accessKey"], "AWS_SECRET_ACCESS_KEY": key["secretKey"]})
        wait_for(lambda: self.logged().count("ready objects-operator") > before, 30, "the operator")
        return self

    def logged(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        self.cluster.kubectl("scale", "deployment/objects-operator", "--replicas=0", *N)
        self.cluster.kubectl("wait", "--for=delete", "pod", "-l", "app=objects-operator", *N, "--timeout=60s")
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(20) == 0
        self.cluster.kubectl("scale", "deployment/objects-operator", "--replicas=1", *N)
        self.cluster.kubectl("rollout", "status", "deployment/objects-operator", *N, "--timeout=60s")


def test_operator_is_killed_in_between(deployed, cluster, namespace):
    """kill -9 at any moment: each bucket is made, none is taken for somebody else's, all go with their objects."""
    names = [f"{namespace}-{number}" for number in range(12)]
    with Operator(deployed, cluster) as operator:
        for name in names:
            deployed.apply(name, namespace, name=name, versioning={"status": "Enabled"}, lifecycle={"rules": [RULE]})
            if name in names[2::3]:
                operator.kill()
                operator.start()
        for name in names:
            deployed.synced(name, namespace)
        assert set(names) <= deployed.buckets()
        cluster.kubectl("delete", "bucket", *names, "-n", namespace, "--wait=false")
        operator.kill()
        operator.start()
        cluster.kubectl("wait", "--for=delete", *[f"bucket/{name}" for name in names], "-n", namespace,
                        "--timeout=60s")
        assert not set(names) & deployed.buckets()


def test_an_operator_that_keeps_buckets_and_only_sees_its_namespace(deployed, cluster, namespace, bucket):
    with Operator(deployed, cluster, "--deletion-policy", "retain", "--namespace", namespace):
        deployed.apply("kept", namespace, name=bucket)
        deployed.apply("elsewhere", "objects", name=bucket + "-elsewhere")
        deployed.synced("kept", namespace)
        deployed.delete("kept", namespace)
        assert bucket in deployed.buckets() and bucket + "-elsewhere" not in deployed.buckets()
        assert "status" not in cluster.get("bucket", "elsewhere", *N)
    deployed.root.delete_bucket(Bucket=bucket)
    deployed.synced("elsewhere", "objects")
    deployed.delete("elsewhere", "objects")


def test_any_s3_over_tls_with_an_authority_of_its_own(deployed, cluster, namespace, bucket):
    """One operator a server: the key comes from a Secret, which the operator makes where it is not there."""
    server = Objects(tls=True).start()
    key = {"accessKey": server.access, "secretKey": server.secret}
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "Secret", "stringData": key,
                              "metadata": {"name": "root", "namespace": namespace}}))
    try:
        with Operator(deployed, cluster, "--endpoint", server.url, "--ca-file", str(server.certificate), "--namespace",
                      namespace, "--root-secret", f"{namespace}/root"):
            deployed.apply("tls", namespace, name=bucket, versioning={"status": "Enabled"})
            deployed.synced("tls", namespace)
            assert server.client().get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
            deployed.delete("tls", namespace)
        server.stop()
    finally:
        server.clean(keep=False)


# Access keys


def allow(actions, *resources):
    return {"Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{name}" for name in resources]}


def test_a_key_may_do_what_its_policy_says(deployed, cluster, namespace, bucket):
    deployed.apply("mine", namespace, name=bucket)
    deployed.apply("other", namespace, name=bucket + "-other")
    deployed.synced("mine", namespace)
    deployed.synced("other", namespace)
    key = deployed.key(f"k-{namespace}", [allow(["s3:GetObject", "s3:PutObject"], f"{bucket}/data/*"),
                                          allow("s3:ListBucket", bucket)])
    assert len(key["accessKey"]) == 20 and len(key["secretKey"]) == 40, "made and written back"
    s3 = deployed.client(key)
    s3.put_object(Bucket=bucket, Key="data/x", Body=b"1")
    assert s3.get_object(Bucket=bucket, Key="data/x")["Body"].read() == b"1"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["data/x"]
    assert refused(s3.put_object, Bucket=bucket, Key="elsewhere", Body=b"1") == ("AccessDenied", 403)
    assert refused(s3.delete_object, Bucket=bucket, Key="data/x") == ("AccessDenied", 403)
    assert refused(s3.list_objects_v2, Bucket=bucket + "-other") == ("AccessDenied", 403)
    assert refused(s3.create_bucket, Bucket=bucket + "-third") == ("AccessDenied", 403)

    # Another policy counts within seconds; a bucket's policy names the key's owner.
    deployed.key(f"k-{namespace}", [allow("s3:GetObject", f"{bucket}/*")])
    # Until then it writes what is there.
    wait_for(lambda: code(s3.put_object, Bucket=bucket, Key="data/x", Body=b"1") == "AccessDenied", 10, "the policy")
    assert refused(s3.put_object, Bucket=bucket, Key="data/x", Body=b"2") == ("AccessDenied", 403)
    assert s3.get_object(Bucket=bucket, Key="data/x")["Body"].read() == b"1"
    deployed.apply("other", namespace, name=bucket + "-other", policy=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}-other/*",
            "Principal": {"AWS": f"arn:aws:iam::000000000000:user/objects.k-{namespace}"}}]}))
    wait_for(lambda: isinstance(code(s3.put_object, Bucket=bucket + "-other", Key="y", Body=b"2"), dict), 15,
             "the bucket's policy")
    deployed.root.delete_object(Bucket=bucket, Key="data/x")
    deployed.root.delete_object(Bucket=bucket + "-other", Key="y")
    for name in ("mine", "other"):
        deployed.delete(name, namespace)
    cluster.kubectl("delete", "secret", f"k-{namespace}", *N)


def test_rotation_and_deletion_of_a_key(deployed, cluster, namespace):
    name = f"k-{namespace}"
    key = deployed.key(name, [allow("s3:ListAllMyBuckets", "*")])
    old = deployed.client(key)
    old.list_buckets()
    # A secret that is taken away is made anew; the access key stays.
    cluster.kubectl("patch", "secret", name, *N, "--type=json", "-p", '[{"op": "remove", "path": "/data/secretKey"}]')
    wait_for(lambda: deployed.secret(name).get("secretKey", key["secretKey"]) != key["secretKey"], 10, "a new secret")
    fresh = deployed.secret(name)
    assert fresh["accessKey"] == key["accessKey"]
    new = deployed.client(fresh)
    wait_for(lambda: isinstance(code(new.list_buckets), dict), 10, "the new secret to be let in")
    assert code(old.list_buckets) == "SignatureDoesNotMatch"
    # A key of one's own.
    own = deployed.key(name, [allow("s3:ListAllMyBuckets", "*")], accessKey=f"OWN-{namespace}", secretKey="of-my-own-1")
    wait_for(lambda: isinstance(code(deployed.client(own).list_buckets), dict), 10, "the own key")
    assert code(new.list_buckets) == "InvalidAccessKeyId"
    cluster.kubectl("delete", "secret", name, *N)
    wait_for(lambda: code(deployed.client(own).list_buckets) == "InvalidAccessKeyId", 10, "the key to be refused")


def test_keys_that_cannot_be(deployed, cluster, namespace):
    key = deployed.key(f"k-{namespace}", [allow("s3:ListAllMyBuckets", "*")])
    # Creation times have seconds.
    time.sleep(1.1)
    for name, data, words in [
            ("policy", {"policy": '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}'}, "data.policy"),
            ("secret", {"secretKey": "short"}, "8 to 256 characters"),
            ("twice", {"accessKey": key["accessKey"]}, f"objects/k-{namespace}"),
            ("root", {"accessKey": deployed.secret("objects-root")["accessKey"]}, "root key")]:
        cluster.apply(json.dumps({
            "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": {"name": f"{name}-{namespace}", "namespace": "objects",
                         "labels": {"apus.dev/s3-access-key": "true"}}}))
        deployed.key_says(f"{name}-{namespace}", words)
        cluster.kubectl("delete", "secret", f"{name}-{namespace}", *N)
    deployed.client(key).list_buckets()
    # Elsewhere nobody gives rights.
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"accessKey": "INTRUDER", "secretKey": "intruders-secret"},
        "metadata": {"name": "intruder", "namespace": namespace, "labels": {"apus.dev/s3-access-key": "true"}}}))
    deployed.key_says(f"k-{namespace}", "ready")
    assert code(deployed.client({"accessKey": "INTRUDER", "secretKey": "intruders-secret"}).list_buckets) == \
        "InvalidAccessKeyId"
    cluster.kubectl("delete", "secret", f"k-{namespace}", *N)


def test_keys_over_the_network_and_while_the_api_server_is_away(deployed, cluster, namespace, tmp_path):
    """A server that is no pod follows the same Secrets by a kubeconfig, and knows the last of them without it."""
    key = deployed.key(f"k-{namespace}", [allow("s3:ListAllMyBuckets", "*")])
    away = tmp_path / "kubeconfig"
    away.write_text(re.sub(r"server: https://[^\n]+", "server: https://127.0.0.1:1",
                           pathlib.Path(cluster.kubeconfig).read_text()))
    server = Objects("--key-secrets", "objects", "--kubeconfig", cluster.kubeconfig).start()
    try:
        s3 = server.client(key["accessKey"], key["secretKey"])
        wait_for(lambda: isinstance(code(s3.list_buckets), dict), 10, "the key to be let in")
        kept = server.data / "secret-keys.json"
        wait_for(kept.exists, 10, "the keys to be kept")
        assert kept.stat().st_mode & 0o777 == 0o600
        server.kill()
        server.arguments[server.arguments.index(cluster.kubeconfig)] = str(away)
        server.start()
        assert isinstance(code(s3.list_buckets), dict)
        cluster.kubectl("delete", "secret", f"k-{namespace}", *N)
        server.kill()
        server.arguments[server.arguments.index(str(away))] = cluster.kubeconfig
        server.start()
        wait_for(lambda: code(s3.list_buckets) == "InvalidAccessKeyId", 10, "the key to be refused")
        server.stop()
    finally:
        server.clean(keep=False)


def test_metrics_of_the_deployed_server(deployed):
    with urllib.request.urlopen(deployed.metrics, timeout=PATIENCE) as response:
        families = {family.name: family for family in text_string_to_metric_families(response.read().decode())}
    samples = [s for s in families["apus_objects_request_duration_seconds"].samples if s.name.endswith("_count")]
    assert any(s.labels == {"operation": "createBucket", "status": "200"} and s.value > 0 for s in samples)


def test_keys_over_restarts_of_the_server(deployed, cluster, namespace):
    """Keys stay over a restart of the server, also while the API server would be away: they are kept beside the data."""
    key = deployed.key(f"k-{namespace}", [allow("s3:ListAllMyBuckets", "*")])
    s3 = deployed.client(key)
    s3.list_buckets()
    cluster.kubectl("delete", "pod", "objects-0", *N)
    cluster.kubectl("rollout", "status", "statefulset/objects", *N, "--timeout=60s")

    def listed():
        try:
            return isinstance(code(s3.list_buckets), dict)
        except Exception:  # The server is not there yet.
            return False
    wait_for(listed, 30, "the key to be let in")
    cluster.kubectl("delete", "secret", f"k-{namespace}", *N)
    wait_for(lambda: code(s3.list_buckets) == "InvalidAccessKeyId", 10, "the key to be refused")

# SPDX-License-Identifier: Apache-2.0
"""Lifecycle rules that boto3 puts, and what really goes. Days pass as the server is started with its clock set ahead."""
import datetime
import os
import subprocess

import pytest

from conftest import wait_for
from objects_fixture import Objects, new_bucket, refused

# The system's clock as a process sees it, set ahead by AHEAD seconds.
CLOCK = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t ahead(void) {
    const char *text = getenv("AHEAD");
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += ahead();
    return result;
}

int gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
"""
DAY = 86_400


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(folder / "clock.so"), str(folder / "clock.c")], check=True)
    return str(folder / "clock.so")


class Aging(Objects):
    """A server whose maintenance comes every second, and for which days can pass."""

    def __init__(self, clock):
        super().__init__("--maintenance-interval", "1")
        self.clock, self.ahead = clock, 0

    def pass_days(self, days, looks=1):
        """Starts it so many days later, until so many looks removed something; then at the present time again, for
        clients, whose signatures have the time in them."""
        self.stop()
        seen = self.logged().count("objects were removed that were due")
        self.environment |= {"LD_PRELOAD": self.clock, "AHEAD": str(days * DAY)}
        self.start()
        wait_for(lambda: self.logged().count("objects were removed that were due") >= seen + looks, 20, "maintenance")
        self.stop()
        for name in ("LD_PRELOAD", "AHEAD"):
            del self.environment[name]
        self.start()


@pytest.fixture
def aging(clock, request):
    server = Aging(clock)
    failed = request.session.testsfailed
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed > failed)


def put_rules(s3, bucket, *rules):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={
        "Rules": [{"ID": f"rule-{number}", "Status": "Enabled", **rule} for number, rule in enumerate(rules)]})


def keys(s3, bucket):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def versions(s3, bucket, kind="Versions"):
    return [(v["Key"], v["IsLatest"]) for v in s3.list_object_versions(Bucket=bucket).get(kind, [])]


def test_a_date_that_has_passed(aging):
    """What is under the rule goes at the next look, also what comes later (user guide, "Lifecycle rules: based on a
    specific date"); the date has to be a midnight."""
    s3 = aging.client()
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="logs/a", Body=b"1")
    s3.put_object(Bucket=bucket, Key="kept", Body=b"1")
    midnight = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc)
    rule = {"Filter": {"Prefix": "logs/"}, "Expiration": {"Date": midnight}}
    put_rules(s3, bucket, rule)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"]["Date"] == midnight
    wait_for(lambda: keys(s3, bucket) == ["kept"], 15, "the object to go")
    s3.put_object(Bucket=bucket, Key="logs/b", Body=b"1")
    wait_for(lambda: keys(s3, bucket) == ["kept"], 15, "the later object to go")
    put_rules(s3, bucket, {**rule, "Status": "Disabled"})
    s3.put_object(Bucket=bucket, Key="logs/c", Body=b"1")
    put_rules(s3, bucket, {"Filter": {"Tag": {"Key": "go", "Value": "yes"}}, "Expiration": {"Date": midnight}})
    s3.put_object(Bucket=bucket, Key="tagged", Body=b"1", Tagging="go=yes")
    wait_for(lambda: keys(s3, bucket) == ["kept", "logs/c"], 15, "the tagged object to go")
    noon = midnight.replace(hour=12)
    assert refused(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": [
        {"ID": "noon", "Status": "Enabled", "Filter": {}, "Expiration": {"Date": noon}}]}) == ("InvalidArgument", 400)


def test_days_pass(aging):
    s3 = aging.client()
    bucket = new_bucket(s3)
    put_rules(s3, bucket, {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}},
              {"Filter": {"And": {"Prefix": "big/", "ObjectSizeGreaterThan": 50_000}}, "Expiration": {"Days": 1}},
              {"Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}})
    for key, size in [("logs/a", 10), ("logs/b", 100_000), ("big/small", 10), ("big/large", 100_000), ("kept", 10)]:
        s3.put_object(Bucket=bucket, Key=key, Body=os.urandom(size))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="unfinished")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="unfinished", UploadId=upload, PartNumber=1, Body=os.urandom(100_000))

    def expires():
        """What a HEAD says, which has to follow from when the object was written."""
        head = s3.head_object(Bucket=bucket, Key="logs/a")
        due = head["LastModified"].date() + datetime.timedelta(days=2)
        assert head["Expiration"] == f'expiry-date="{due:%a, %d %b %Y} 00:00:00 GMT", rule-id="rule-0"'
        return head["Expiration"]
    assert expires()
    assert s3.put_object(Bucket=bucket, Key="logs/a", Body=b"1")["Expiration"] == expires()
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="kept")
    assert len(list(aging.data.glob("data/*/*"))) == 3

    aging.pass_days(3)
    s3 = aging.client()
    assert keys(s3, bucket) == ["big/small", "kept"]
    assert refused(s3.get_object, Bucket=bucket, Key="logs/a") == ("NoSuchKey", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert refused(s3.list_parts, Bucket=bucket, Key="unfinished", UploadId=upload) == ("NoSuchUpload", 404)
    # The bytes went, too.
    wait_for(lambda: not list(aging.data.glob("data/*/*")), 15, "the files to go")


def test_versions_expire(aging):
    s3 = aging.client()
    bucket = new_bucket(s3)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put_rules(s3, bucket, {
        "Filter": {"Prefix": "many"}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}},
        {"Filter": {"Prefix": "current"}, "Expiration": {"Days": 1}},
        {"Filter": {"Prefix": "marker"}, "Expiration": {"ExpiredObjectDeleteMarker": True},
         "NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    for number in range(5):
        s3.put_object(Bucket=bucket, Key="many", Body=str(number).encode())
    s3.put_object(Bucket=bucket, Key="current", Body=b"old")
    s3.put_object(Bucket=bucket, Key="marker", Body=b"old")
    s3.delete_object(Bucket=bucket, Key="marker")

    aging.pass_days(3, looks=2)
    s3 = aging.client()
    # The newest and two older ones; a current version is hidden by a marker, not lost.
    assert versions(s3, bucket) == [("current", False), ("many", True), ("many", False), ("many", False)]
    kept = [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket, Prefix="many")["Versions"]]
    assert [s3.get_object(Bucket=bucket, Key="many", VersionId=v)["Body"].read() for v in kept] == [b"4", b"3", b"2"]
    assert versions(s3, bucket, "DeleteMarkers") == [("current", True)]
    # The marker of "marker" went at the second look, when nothing was behind it.

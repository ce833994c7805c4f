# SPDX-License-Identifier: Apache-2.0
"""Starts `apus serve catalog` for the tests over a bucket of `apus serve objects` or over a folder, on free ports."""
import os
import pathlib
import shutil
import tempfile

import pytest
import requests

from conftest import PATIENCE
from objects_fixture import REGION, Objects, new_bucket
from service_fixture import Service


class CatalogServer(Service):
    """One `apus serve catalog`. A restart keeps folder and port."""

    role = "catalog"

    def __init__(self, *arguments, objects=None, environment=None):
        super().__init__(environment)
        self.objects = objects
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            self.environment.pop(name, None)
        if objects:
            self.bucket = new_bucket(objects.client())
            self.warehouse = f"s3://{self.bucket}/lake"
            self.environment |= {"AWS_ENDPOINT_URL": objects.url, "AWS_ACCESS_KEY_ID": objects.access,
                                 "AWS_SECRET_ACCESS_KEY": objects.secret, "AWS_REGION": REGION}
        else:
            self.bucket, self.warehouse = None, f"file://{self.folder}/warehouse"
        self.arguments = list(arguments)

    def start(self, timeout=30):
        return self.launch(
            "--data-dir", self.folder / "data", "--warehouse", self.warehouse, *self.arguments, timeout=timeout)

    @property
    def url(self):
        return ("https" if "--tls-key" in self.arguments else "http") + "://" + self.address

    def properties(self, **more):
        """pyiceberg's settings of this catalog."""
        settings = {"type": "rest", "uri": self.url}
        if self.objects:
            settings |= {"s3.access-key-id": self.objects.access, "s3.secret-access-key": self.objects.secret,
                         "s3.connect-timeout": str(PATIENCE), "s3.request-timeout": str(PATIENCE)}
        return settings | {name.replace("_", "-"): value for name, value in more.items()}

    def pyiceberg(self, **more):
        from pyiceberg.catalog import load_catalog
        return load_catalog("apus", **self.properties(**more))

    def call(self, method, path, body=None, **settings):
        """A request as it is: the status and the JSON of the answer."""
        answer = requests.request(method, self.url + path, json=body, timeout=30, **settings)
        return answer.status_code, (answer.json() if answer.content else None)

    def files(self, location):
        """All files below a location, by their locations."""
        if self.bucket is None:
            root = pathlib.Path(location.removeprefix("file://"))
            # Files and folders may go meanwhile, which os.walk does not mind.
            return sorted(f"file://{folder}/{name}" for folder, _, names in os.walk(root) for name in names)
        prefix = location.removeprefix(f"s3://{self.bucket}/")
        pages = self.objects.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return sorted(f"s3://{self.bucket}/{entry['Key']}" for page in pages for entry in page.get("Contents", [])
                      if not entry["Key"].endswith("/"))


def running(request, server):
    failed = request.session.testsfailed
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed > failed)


def running_over_bucket(request, *arguments, **settings):
    objects = Objects()
    failed = request.session.testsfailed
    try:
        objects.start()
        yield from running(request, CatalogServer(*arguments, objects=objects, **settings))
        objects.stop()
    finally:
        objects.clean(keep=request.session.testsfailed > failed)


@pytest.fixture(scope="module")
def catalog(request):
    """A catalog over a bucket, for the tests of one file."""
    yield from running_over_bucket(request)


@pytest.fixture
def own_catalog(request):
    """A catalog over a bucket that the test kills and restarts."""
    yield from running_over_bucket(request, "--orphan-age", "0", "--orphan-interval", "1")


@pytest.fixture
def folder_catalog(request):
    """A catalog over a folder."""
    yield from running(request, CatalogServer())


def error_of(answer):
    """The status and the type of an error in the specification's form."""
    status, body = answer
    assert body["error"]["code"] == status and body["error"]["message"], body
    return status, body["error"]["type"]


@pytest.fixture
def catalog_that_vends(request):
    """A catalog with a file of tokens, that gives its clients the bucket's keys."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-tokens-"))
    tokens = folder / "tokens"
    tokens.write_text("# who\nalice-has-a-long-token alice\n")
    objects = Objects()
    server = None
    failed = request.session.testsfailed
    try:
        objects.start()
        server = CatalogServer("--token-file", str(tokens), "--vend-access-key", objects.access, objects=objects,
                               environment={"APUS_VEND_SECRET_KEY": objects.secret})
        server.token = "alice-has-a-long-token"
        yield server.start()
        server.stop()
        objects.stop()
    finally:
        keep = request.session.testsfailed > failed
        for started in (server, objects):
            if started:
                started.clean(keep)
        shutil.rmtree(folder, ignore_errors=True)

# SPDX-License-Identifier: Apache-2.0
"""Starts `apus serve objects` for the tests, on a free port, kills and restarts it, and stops it."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

from conftest import PATIENCE
from service_fixture import Service

ACCESS, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY", "us-east-1"
BIN = pathlib.Path(sys.executable).parent


class Objects(Service):
    """One `apus serve objects` with a data folder of its own. A restart keeps folder and port."""

    role = "objects"

    def __init__(self, *arguments, environment=None, tls=False, root=True):
        super().__init__(environment)
        self.data = self.folder / "data"
        self.arguments = list(arguments)
        if root:
            self.arguments += ["--access-key", ACCESS]
            self.environment["APUS_SECRET_KEY"] = SECRET
        self.access, self.secret = ACCESS, SECRET
        self.certificate = None
        if tls:
            self.make_certificate()

    def make_certificate(self):
        self.certificate, key = self.folder / "tls.crt", self.folder / "tls.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out",
                        str(self.certificate)], check=True, capture_output=True)
        self.arguments += ["--tls-certificate", str(self.certificate), "--tls-key", str(key)]

    def start(self, timeout=30):
        return self.launch("--data-dir", self.data, *self.arguments, timeout=timeout)

    @property
    def url(self):
        return ("https" if self.certificate else "http") + "://" + self.address

    def client(self, access=None, secret=None, **config):
        """boto3's client. Settings are those of botocore's Config; s3={…} for addressing."""
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
        style = {"addressing_style": "path", **config.pop("s3", {})}
        # Without it presigned URLs have signatures of version 2, which nothing needs any more.
        config.setdefault("signature_version", UNSIGNED if access == "anonymous" else "s3v4")
        settings = Config(s3=style, retries={"max_attempts": config.pop("attempts", 1), "mode": "standard"},
                          connect_timeout=PATIENCE, read_timeout=config.pop("read_timeout", 30), **config)
        return boto3.client("s3", endpoint_url=self.url, region_name=REGION, config=settings,
                            aws_access_key_id=access or self.access, aws_secret_access_key=secret or self.secret,
                            verify=str(self.certificate) if self.certificate else None)

    def client_environment(self):
        settings = self.folder / "aws.config"
        settings.write_text("[default]\ns3 =\n  signature_version = s3v4\n")
        return {**os.environ, "AWS_ACCESS_KEY_ID": self.access, "AWS_SECRET_ACCESS_KEY": self.secret,
                "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": str(settings), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_PAGER": "", "HOME": str(self.folder),
                **({"AWS_CA_BUNDLE": str(self.certificate)} if self.certificate else {})}

    def run(self, *command, check=True, timeout=120, input=None):
        result = subprocess.run([str(part) for part in command], env=self.client_environment(), text=True,
                                capture_output=True, timeout=timeout, input=input)
        if check and result.returncode != 0:
            pytest.fail(f"{command} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result.stdout if check else result

    def aws(self, *arguments, **settings):
        """awscli against this server."""
        return self.run(BIN / "aws", "--endpoint-url", self.url, *arguments, **settings)

    def s5cmd(self, *arguments, **settings):
        """s5cmd against this server."""
        return self.run(BIN / "s5cmd", "--endpoint-url", self.url, *arguments, **settings)

    def memory(self):
        """Resident bytes of the process."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def stored(self):
        """Bytes of the files in its folder; some may go meanwhile."""
        size = 0
        for folder, _, names in os.walk(self.data):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    size += os.lstat(os.path.join(folder, name)).st_size
        return size

    def keys_file(self, keys):
        """Writes a file of access keys, as a whole."""
        path = self.folder / "keys.json"
        beside = self.folder / "keys.new"
        beside.write_text(json.dumps({"keys": keys}))
        beside.rename(path)
        return path


def new_bucket(client, **settings):
    name = "b-" + uuid.uuid4().hex[:12]
    client.create_bucket(Bucket=name, **settings)
    return name


def refused(call, *arguments, **settings):
    """The code and the status of an error that has to come."""
    from botocore.exceptions import ClientError
    with pytest.raises(ClientError) as caught:
        call(*arguments, **settings)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def running_objects(request, *arguments, **settings):
    server = Objects(*arguments, **settings)
    failed = request.session.testsfailed
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed > failed)


@pytest.fixture(scope="module")
def objects(request):
    """A running server for the tests of one file."""
    yield from running_objects(request)


@pytest.fixture(scope="module")
def s3(objects):
    """boto3's client of it."""
    return objects.client()


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


@pytest.fixture
def own_objects(request):
    """A server that the test kills and restarts."""
    yield from running_objects(request)


def rounds(default):
    """How many times the server is killed: few in `make test`, APUS_OBJECTS_KILL_ROUNDS for more."""
    return int(os.environ.get("APUS_OBJECTS_KILL_ROUNDS", default))

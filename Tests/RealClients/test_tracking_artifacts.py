# SPDX-License-Identifier: Apache-2.0
"""Artifacts through `apus serve tracking` with mlflow's own client: in a folder, in a bucket, in parts, of any size."""
import hashlib
import os
import pathlib
import socket
import threading
import time
import uuid

import pytest

from conftest import wait_for
from objects_fixture import REGION, Objects, new_bucket
from tracking_fixture import Tracking, mlflow_at

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
# More than this a transfer must not cost the server, however large it is: two of its buffers are 80 MB in no case.
MOST_MEMORY = 80 << 20


class OnBucket:
    """A bucket of `apus serve objects`, and what a server needs to use it."""

    def __init__(self, *arguments, direct=False):
        self.objects = Objects()
        self.objects.start()
        self.bucket = new_bucket(self.objects.client())
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)
        if direct:
            arguments = (*arguments, "--client-s3-endpoint", self.objects.url)
        self.server = Tracking(
            "--artifacts-destination", f"s3://{self.bucket}/ml/flow", *arguments,
            environment={"AWS_ENDPOINT_URL": self.objects.url, "AWS_ACCESS_KEY_ID": self.objects.access,
                         "AWS_SECRET_ACCESS_KEY": self.objects.secret, "AWS_REGION": REGION})

    def keys(self):
        pages = self.objects.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}


@pytest.fixture(scope="module")
def folder(request):
    server = Tracking()
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def on_bucket(request, **settings):
    place = OnBucket(**settings)
    try:
        place.server.start()
        place.server.place = place
        yield place.server
        place.server.stop()
        place.objects.stop()
    finally:
        place.server.clean(keep=request.session.testsfailed)
        place.objects.clean(keep=request.session.testsfailed)


@pytest.fixture(scope="module")
def bucket(request):
    yield from on_bucket(request)


@pytest.fixture(scope="module")
def direct(request):
    """A server that sends its clients to the bucket with large files."""
    yield from on_bucket(request, direct=True)


@pytest.fixture(params=["folder", "bucket"])
def server(request):
    return request.getfixturevalue(request.param)


def random_file(path, size):
    """Writes a file of random bytes and gives their hash; a block is repeated, with its number, to be quick."""
    block, digest = os.urandom(min(size, 1 << 20)), hashlib.sha256()
    with open(path, "wb") as file:
        for number in range(0, size, 1 << 20):
            part = (number.to_bytes(8, "big") + block[8:] if size > 1 << 20 else block)[:size - number]
            file.write(part)
            digest.update(part)
    return digest.hexdigest()


def hash_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def mlflow(server):
    with mlflow_at(server.url) as functions:
        yield functions


def test_fluent_interface(mlflow, tmp_path):
    mlflow.set_experiment(f"files-{uuid.uuid4().hex[:8]}")
    tree = tmp_path / "tree"
    (tree / "deep/er").mkdir(parents=True)
    (tree / "a.bin").write_bytes(b"\0\1\2")
    (tree / "deep/er/ö ü.txt").write_text("grüße")
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tree / "a.bin"))
        mlflow.log_artifacts(str(tree), "tree")
        mlflow.log_text("some text", "notes/note 100%.txt")
        mlflow.log_dict({"a": [1, 2]}, "config.json")
    root = run.info.artifact_uri
    assert root.startswith("mlflow-artifacts:/")
    client = mlflow.MlflowClient()
    found = {file.path: (file.is_dir, file.file_size) for file in client.list_artifacts(run.info.run_id)}
    assert found.pop("config.json")[0] is False
    assert found == {"a.bin": (False, 3), "notes": (True, None), "tree": (True, None)}
    assert [file.path for file in client.list_artifacts(run.info.run_id, "tree")] == ["tree/a.bin", "tree/deep"]
    assert mlflow.artifacts.load_text(root + "/notes/note 100%.txt") == "some text"
    assert mlflow.artifacts.load_dict(root + "/config.json") == {"a": [1, 2]}
    copy = pathlib.Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
    assert (copy / "tree/deep/er/ö ü.txt").read_text() == "grüße"
    assert (copy / "tree/a.bin").read_bytes() == (copy / "a.bin").read_bytes() == b"\0\1\2"
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    repository = get_artifact_repository(root)
    repository.delete_artifacts("tree/deep")
    assert [file.path for file in client.list_artifacts(run.info.run_id, "tree")] == ["tree/a.bin"]
    repository.delete_artifacts("a.bin")
    repository.delete_artifacts("never-there")
    repository.delete_artifacts()
    assert client.list_artifacts(run.info.run_id) == []


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, (1 << 20) + 1, 100 << 20])
def test_sizes(server, size, tmp_path):
    client, run = server.client(), server.run()
    path = tmp_path / f"file-{size}"
    digest = random_file(path, size)
    client.log_artifact(run, str(path))
    assert [(file.path, file.file_size) for file in client.list_artifacts(run)] == [(path.name, size)]
    (tmp_path / "copy").mkdir()
    assert hash_of(client.download_artifacts(run, path.name, str(tmp_path / "copy"))) == digest


def test_a_gibibyte_in_little_memory(server, tmp_path):
    client, run = server.client(), server.run()
    path = tmp_path / "gibibyte"
    digest = random_file(path, 1 << 30)
    before, most, done = server.memory(), [0], threading.Event()

    def watch():
        while not done.wait(0.02):
            most[0] = max(most[0], server.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        client.log_artifact(run, str(path))
        path.unlink()
        copy = client.download_artifacts(run, path.name, str(tmp_path))
    finally:
        done.set()
        watcher.join()
    assert hash_of(copy) == digest
    assert most[0] - before < MOST_MEMORY, f"{(most[0] - before) >> 20} MiB more"


def test_parts_that_go_to_the_bucket_by_signed_urls(direct, tmp_path, monkeypatch):
    """The client is told by server-info that it may; the parts and the downloads do not pass through the server."""
    import mlflow.utils.server_info
    mlflow.utils.server_info._clear_server_info_cache()
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(6 << 20))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(6 << 20))
    info = direct.good("GET", "/api/3.0/mlflow/server-info")
    assert info["multipart_uploads_enabled"] and info["multipart_downloads_enabled"]
    client, run = direct.client(), direct.run()
    path = tmp_path / "large é.bin"
    digest = random_file(path, (20 << 20) + 5)
    from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
    sent, original = [], HttpArtifactRepository._upload_part

    def spied(credential, *arguments, **settings):
        sent.append(credential.url)
        return original(credential, *arguments, **settings)

    monkeypatch.setattr(HttpArtifactRepository, "_upload_part", staticmethod(spied))
    client.log_artifact(run, str(path), "deep")
    assert len(sent) == 4 and all(url.startswith(direct.place.objects.url) for url in sent)
    assert direct.place.keys()[f"ml/flow/0/{run}/artifacts/deep/large é.bin"] == (20 << 20) + 5
    got = direct.good("GET", f"/api/2.0/mlflow-artifacts/presigned/0/{run}/artifacts/deep/large%20%C3%A9.bin")
    assert got["url"].startswith(direct.place.objects.url) and got["file_size"] == (20 << 20) + 5
    (tmp_path / "copy").mkdir()
    assert hash_of(client.download_artifacts(run, "deep/large é.bin", str(tmp_path / "copy"))) == digest
    # One that is given up leaves nothing.
    place = f"/api/2.0/mlflow-artifacts/mpu/%s/0/{run}/artifacts"
    begun = direct.post(place % "create", {"path": "/somewhere/x", "num_parts": 2})
    assert [part["part_number"] for part in begun["credentials"]] == [1, 2]
    for _ in range(2):
        direct.post(place % "abort", {"path": "x", "upload_id": begun["upload_id"]})
    answer = direct.error("POST", place % "complete", {
        "path": "x", "upload_id": begun["upload_id"], "parts": [{"part_number": 1, "etag": "x"}]})
    assert answer[:2] == (400, "INVALID_PARAMETER_VALUE")
    uploads = direct.place.objects.client().list_multipart_uploads(Bucket=direct.place.bucket)
    assert not uploads.get("Uploads")


def test_parts_are_not_offered_where_clients_do_not_reach_the_place(folder, bucket, tmp_path, monkeypatch):
    """The client that insists falls back on one upload, by the first words of the error."""
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1")
    for server in (folder, bucket):
        info = server.good("GET", "/api/3.0/mlflow/server-info")
        assert not info["multipart_uploads_enabled"] and not info["multipart_downloads_enabled"]
    assert folder.error("POST", "/api/2.0/mlflow-artifacts/mpu/create/0/r", {"path": "x", "num_parts": 1}) == (
        501, "NOT_IMPLEMENTED", "Multipart upload is not supported for the current artifact repository")
    assert folder.error("GET", "/api/2.0/mlflow-artifacts/presigned/0/r/x")[:2] == (501, "NOT_IMPLEMENTED")
    client, run = folder.client(), folder.run()
    (tmp_path / "file").write_text("content")
    client.log_artifact(run, str(tmp_path / "file"))
    assert [file.file_size for file in client.list_artifacts(run)] == [7]


def test_ranges_and_headers(server):
    run = server.run()
    path = f"{PROXY}/0/{run}/artifacts/page.html"
    assert server.raw("PUT", path, b"<b>0123456789</b>")[0] == 200
    status, headers, content = server.raw("GET", path)
    assert (status, content) == (200, b"<b>0123456789</b>")
    assert headers["Content-Disposition"] == "attachment; filename=page.html"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Content-Type"] == "text/html"
    for wanted, expected in (("bytes=3-5", b"012"), ("bytes=-4", b"</b>"), ("bytes=12-", b"9</b>")):
        status, more, content = server.raw("GET", path, headers={"Range": wanted})
        assert (status, content) == (206, expected)
        assert more["Content-Range"].endswith("/17")
    assert server.raw("GET", path, headers={"Range": "bytes=17-"})[0] == 416
    assert server.raw("GET", path, headers={"If-None-Match": headers["ETag"]})[0] == 304


def test_by_what_they_belong_to(server):
    """The UI's routes: by run, with relative paths, and small files that it sends."""
    run = server.run()
    route = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path="
    assert server.raw("POST", route + "images/a.png", b"png")[0] == 200
    answer = server.get("artifacts/list", run_id=run)
    assert answer["root_uri"].endswith(f"/0/{run}/artifacts")
    assert answer["files"] == [{"path": "images", "is_dir": True}]
    files = server.get(f"artifacts/list?run_uuid={run}&path=images")["files"]
    assert files == [{"path": "images/a.png", "is_dir": False, "file_size": 3}]
    assert server.raw("GET", f"/get-artifact?run_uuid={run}&path=images/a.png")[2] == b"png"
    assert server.raw("GET", f"/get-artifact?run_id={run}&path=images/a.png")[1]["Content-Type"] == "image/png"
    assert "files" not in server.get(f"artifacts/list?run_id={run}&path=none")
    missing = server.error("GET", f"/get-artifact?run_id={run}&path=none")
    assert missing[:2] == (404, "RESOURCE_DOES_NOT_EXIST") and missing[2].startswith("No such artifact: ")
    folder = server.error("GET", f"/get-artifact?run_id={run}&path=images")
    assert folder[:2] == (400, "INVALID_PARAMETER_VALUE") and "refers to a directory, not a file" in folder[2]
    nobody = "0" * 32
    for route in (f"/get-artifact?run_id={nobody}&path=a", f"/api/2.0/mlflow/artifacts/list?run_id={nobody}"):
        assert server.error("GET", route) == (404, "RESOURCE_DOES_NOT_EXIST", f"Run with id={nobody} not found")
    for query, message in (("path=a", "Request must specify run_uuid."),
                           (f"run_uuid={run}", "Request must specify path."),
                           (f"run_uuid={run}&path=a", "Request must specify data.")):
        answer = server.error("POST", "/ajax-api/2.0/mlflow/upload-artifact?" + query)
        assert answer == (400, "INVALID_PARAMETER_VALUE", message)
    answer = server.error("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=a", bytes(11 << 20))
    assert answer == (400, "INVALID_PARAMETER_VALUE", "Artifact size is too large. Max size is 10MB.")


def test_of_models(server):
    """Logged models and versions of registered ones: the UI's lists and downloads."""
    model = server.post("logged-models", {"experiment_id": "0", "name": "m"})["model"]["info"]
    root = model["artifact_uri"]
    assert root.startswith("mlflow-artifacts:/0/")
    path = f"{PROXY}/{root.removeprefix('mlflow-artifacts:/')}"
    assert server.raw("PUT", f"{path}/MLmodel", b"flavors: {}")[0] == 200
    assert server.raw("PUT", f"{path}/data/weights", b"123")[0] == 200
    base = f"/ajax-api/2.0/mlflow/logged-models/{model['model_id']}/artifacts"
    answer = server.good("GET", f"{base}/directories")
    assert answer["root_uri"] == root
    assert [(file["path"], file["is_dir"]) for file in answer["files"]] == [("MLmodel", False), ("data", True)]
    answer = server.good("GET", f"{base}/directories?artifact_directory_path=data")
    assert answer["files"] == [{"path": "data/weights", "is_dir": False, "file_size": 3}]
    assert server.raw("GET", f"{base}/files?artifact_file_path=data/weights")[2] == b"123"
    assert server.error("GET", f"{base}/files") == (
        400, "BAD_REQUEST", 'Request must include the "artifact_file_path" query parameter.')
    name = f"model-{uuid.uuid4().hex[:8]}"
    server.post("registered-models/create", {"name": name})
    version = server.post("model-versions/create", {"name": name, "source": f"models:/{model['model_id']}",
                                                 "model_id": model["model_id"]})
    number = version["model_version"]["version"]
    route = f"/model-versions/get-artifact?name={name}&version={number}&path="
    assert server.raw("GET", route + "MLmodel")[2] == b"flavors: {}"
    assert server.error("GET", route + "none")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    assert server.error("GET", route + "../x") == (400, "INVALID_PARAMETER_VALUE", "Invalid path")


def test_places_that_are_not_the_servers(folder, tmp_path):
    """A location outside of the server's storage is not read by the server."""
    (tmp_path / "secret").write_text("secret")
    run = folder.run(folder.experiment(artifact_location=str(tmp_path)))
    answer = folder.error("GET", f"/get-artifact?run_id={run}&path=secret")
    assert answer[:2] == (400, "INVALID_PARAMETER_VALUE") and "not in this server's artifact storage" in answer[2]
    inside = folder.folder / "data" / "artifacts" / "own"
    run = folder.run(folder.experiment(artifact_location=f"file://{inside}"))
    assert folder.raw("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=a", b"x")[0] == 200
    assert folder.get("artifacts/list", run_id=run)["files"][0]["path"] == "a"


TRICKS = ["../x", "a/../../x", "%2e%2e/x", "%252e%252e%252fx", "..%2f..%2fetc%2fpasswd", "%2fetc/passwd", "a%00b",
          "a%23b", "C:%5Cx", "C:/x", "%5C%5Cserver%5Cx", "file:///etc/passwd", "a/..", "/etc/passwd"]


@pytest.mark.parametrize("trick", TRICKS)
def test_paths_that_lead_elsewhere(server, trick):
    run = server.run()
    refusal = (400, "INVALID_PARAMETER_VALUE", "Invalid path")
    for method in ("GET", "PUT", "DELETE"):
        assert server.error(method, f"{PROXY}/{trick}", b"x" if method == "PUT" else None) == refusal
    for route in (f"{PROXY}?path={trick}", f"/get-artifact?run_id={run}&path={trick}",
                  f"/api/2.0/mlflow/artifacts/list?run_id={run}&path={trick}"):
        assert server.error("GET", route) == refusal
    route = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={trick}"
    assert server.error("POST", route, b"x") == refusal


def test_paths_like_the_real_server(folder, real_mlflow):
    """The same paths at the real server: the same refusals, and the same files."""
    for trick in TRICKS:
        # The real one answers a NUL by making it an escape; here it is no name.
        if "%00" in trick:
            continue
        ours, theirs = (one.error("GET", f"{PROXY}?path={trick}") for one in (folder, real_mlflow))
        assert ours == theirs
    for name in ("plain.txt", "a%20b", "a%2520b", "%C3%A9", "x/./y", "100%25.txt", "a%5Cb", "..a"):
        base = f"{PROXY}/7/{uuid.uuid4().hex}"
        seen = []
        for one in (folder, real_mlflow):
            stored = one.raw("PUT", f"{base}/{name}", b"12345")[0]
            # Some names are beyond the real one, which then fails by itself.
            if one is real_mlflow and stored >= 500:
                seen.append(seen[0])
                continue
            assert stored == 200 and one.raw("GET", f"{base}/{name}")[2] == b"12345"
            seen.append(one.good("GET", f"{PROXY}?path={base.removeprefix(PROXY + '/')}"))
        assert seen[0] == seen[1]
    none = f"{PROXY}/7/none"
    assert folder.error("GET", none) == real_mlflow.error("GET", none)
    # The same status for a folder; the real one has it in a form of its own.
    assert folder.raw("GET", f"{PROXY}/7")[0] == real_mlflow.raw("GET", f"{PROXY}/7")[0] == 400


def test_names_that_are_too_long_and_links(folder):
    for path in ("n" * 300, "n/" * 100, "n" * 5000):
        for method in ("GET", "PUT"):
            answer = folder.error(method, f"{PROXY}/{path}", b"x" if method == "PUT" else None)
            assert answer[:2] == (400, "INVALID_PARAMETER_VALUE") and answer[2].startswith("Invalid path")
    root = folder.folder / "data" / "artifacts"
    outside = folder.folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "link").symlink_to(outside)
    (root / "file-link").symlink_to(outside / "secret")
    refusal = (400, "INVALID_PARAMETER_VALUE", "Invalid path: resolved path is outside the artifact directory")
    assert folder.error("GET", f"{PROXY}/link/secret") == refusal
    assert folder.error("GET", f"{PROXY}/file-link") == refusal
    assert folder.error("PUT", f"{PROXY}/link/new", b"x") == refusal
    assert folder.error("DELETE", f"{PROXY}/link/secret") == refusal
    assert folder.error("GET", f"{PROXY}?path=link") == refusal
    assert [path.name for path in outside.iterdir()] == ["secret"]
    reserved = folder.error("PUT", f"{PROXY}/0/.artifact.uploading.x", b"x")
    assert reserved[2].endswith("Artifact names starting with '.artifact.uploading.' are reserved.")


def begin_upload(server, path, head="content-length: 50000000"):
    """An upload of which a part is sent."""
    connection = socket.create_connection((server.host, server.port))
    connection.sendall(f"PUT {PROXY}/{path} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n".encode())
    if head.startswith("transfer"):
        connection.sendall(b"200000\r\n")
    connection.sendall(b"x" * (2 << 20))
    return connection


def test_uploads_that_end_early_leave_nothing(server):
    for head in ("content-length: 50000000", "transfer-encoding: chunked"):
        run = server.run()
        assert server.raw("PUT", f"{PROXY}/0/{run}/artifacts/kept", b"old")[0] == 200
        for name in ("kept", "new"):
            begin_upload(server, f"0/{run}/artifacts/{name}", head).close()
        # What comes after the end of the connection is answered to nobody: another upload shows that it was worked on.
        assert server.raw("PUT", f"{PROXY}/0/{run}/artifacts/last", b"1")[0] == 200
        time.sleep(0.5)
        files = server.get("artifacts/list", run_id=run)["files"]
        assert [(file["path"], file["file_size"]) for file in files] == [("kept", 3), ("last", 1)]


def test_kill_in_the_middle_of_an_upload_leaves_no_half_file(request):
    server = Tracking()
    try:
        server.start()
        run = server.run()
        assert server.raw("PUT", f"{PROXY}/0/{run}/artifacts/kept", b"old")[0] == 200
        aside = server.folder / "data" / "artifacts" / ".artifact.uploading.apus"
        connections = [begin_upload(server, f"0/{run}/artifacts/{name}") for name in ("kept", "new", "deep/new")]

        def written():
            sizes = [file.stat().st_size for file in aside.iterdir()]
            return len(sizes) == 3 and sum(sizes) >= 4 << 20

        wait_for(written, 30, "uploads to be written")
        server.kill()
        for connection in connections:
            connection.close()
        assert len(list(aside.iterdir())) == 3
        server.start()
        assert list(aside.iterdir()) == [], "what a crash left must be collected"
        files = server.get("artifacts/list", run_id=run)["files"]
        assert files == [{"path": "kept", "is_dir": False, "file_size": 3}]
        assert server.raw("GET", f"{PROXY}/0/{run}/artifacts/kept")[2] == b"old"
        server.stop()
    finally:
        server.clean(keep=request.session.testsfailed)


def test_destinations_that_cannot_be_used(request, tmp_path):
    import subprocess
    from conftest import APUS
    for destination, words in (("gs://bucket/x", "neither a folder nor s3://BUCKET/PREFIX"),
                               ("s3:///x", "names no bucket"), ("/proc/none", "cannot create the folder")):
        result = subprocess.run(
            [APUS, "serve", "tracking", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0",
             "--artifacts-destination", destination], capture_output=True, text=True, timeout=30)
        assert result.returncode != 0 and words in result.stderr, result.stderr

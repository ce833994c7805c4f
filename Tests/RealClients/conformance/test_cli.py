# SPDX-License-Identifier: Apache-2.0
"""What kubectl needs of the server: discovery, versions, dry-run, diff, run, and its own proxy."""
import contextlib
import json
import re
import socket
import subprocess
import urllib.request

import pytest

from conftest import KUBECTL, wait_for

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {nowhere: "true"}
      containers: [{name: web, image: "example.org/httpd:1"}]
"""


@contextlib.contextmanager
def proxied(cluster, *arguments):
    """`kubectl proxy` while the test runs; gives the line that says where it serves."""
    process = subprocess.Popen([KUBECTL, "proxy", *arguments], env=cluster.env(), text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        yield next(line for line in process.stdout if "Starting to serve" in line)
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.spec("[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions")
def test_api_versions(cluster):
    versions = cluster.kubectl("api-versions").split()
    assert "v1" in versions
    assert {"apps/v1", "batch/v1", "apiextensions.k8s.io/v1", "rbac.authorization.k8s.io/v1"} <= set(versions)
    assert len(versions) == len(set(versions))


@pytest.mark.spec(
    "[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in "
    "cluster-info")
def test_cluster_info(cluster):
    text = re.sub(r"\x1b\[[\d;]*m", "", cluster.kubectl("cluster-info"))
    assert f"Kubernetes control plane is running at {cluster.url}" in text


@pytest.mark.spec("[sig-cli] Kubectl client Kubectl version should check is all data is printed")
def test_version(cluster):
    text = cluster.kubectl("version")
    for item in ("Client Version: v1.", "Server Version: v1."):
        assert item in text
    assert "WARNING: version difference" not in text or "exceeds the supported" in text
    server = json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]
    assert set(server) >= {"major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion",
                           "compiler", "platform"}


@pytest.mark.spec(
    "[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments")
def test_diff(cluster, namespace):
    cluster.apply(DEPLOYMENT, "-n", namespace)
    changed = DEPLOYMENT.replace("httpd:1", "httpd:2")
    before = cluster.get("-n", namespace, "deployment", "web")
    result = cluster.kubectl("diff", "-n", namespace, "-f", "-", input=changed, check=False)
    assert result.returncode == 1, result.stderr
    changes = [line for line in result.stdout.splitlines() if re.match(r"[-+] ", line)]
    assert [line.split() for line in changes if "image:" in line] == [
        ["-", "-", "image:", "example.org/httpd:1"], ["+", "-", "image:", "example.org/httpd:2"]]
    # Nothing else but the generation differs: neither managers nor versions.
    assert {line.split()[-2] for line in changes if "image:" not in line} <= {"generation:"}
    same = cluster.kubectl("diff", "-n", namespace, "-f", "-", input=DEPLOYMENT, check=False)
    assert (same.returncode, same.stdout) == (0, "")
    new = DEPLOYMENT.replace("name: web}\nspec", "name: new}\nspec")
    missing = cluster.kubectl("diff", "-n", namespace, "-f", "-", input=new, check=False)
    assert missing.returncode == 1 and "+kind: Deployment" in missing.stdout
    after = cluster.get("-n", namespace, "deployment", "web")
    assert (after["metadata"]["generation"], after["spec"]) == (before["metadata"]["generation"], before["spec"])
    assert cluster.kubectl("get", "-n", namespace, "deployment", "new", check=False).returncode == 1


@pytest.mark.spec(
    "[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never")
def test_run_pod(cluster, namespace):
    cluster.kubectl("run", "once", "-n", namespace, "--restart=Never", "--pod-running-timeout=2m0s",
                    "--image=example.org/httpd:1")
    pod = cluster.get("-n", namespace, "pod", "once")
    container, = pod["spec"]["containers"]
    assert (container["name"], container["image"]) == ("once", "example.org/httpd:1")
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["metadata"]["labels"] == {"run": "once"}


@pytest.mark.spec(
    "[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods")
def test_dry_run(cluster, namespace):
    assert "created (server dry run)" in cluster.kubectl(
        "run", "never", "-n", namespace, "--image=example.org/httpd:1", "--dry-run=server")
    assert cluster.kubectl("get", "-n", namespace, "pod", "never", check=False).returncode == 1
    cluster.kubectl("run", "web", "-n", namespace, "--image=example.org/httpd:1",
                    "--overrides", '{"spec":{"nodeSelector":{"nowhere":"true"}}}')

    def unscheduled():
        pod = cluster.get("-n", namespace, "pod", "web")
        return pod if "node affinity" in json.dumps(pod["status"]) else None

    # The scheduler says why no node takes the pod; then nothing changes it by itself.
    before = wait_for(unscheduled, what="the condition PodScheduled")
    patch = '{"spec":{"containers":[{"name":"web","image":"example.org/busybox:1"}]}}'
    told = cluster.kubectl("patch", "-n", namespace, "pod", "web", "-p", patch, "--dry-run=server", "-o", "json")
    assert json.loads(told)["spec"]["containers"][0]["image"] == "example.org/busybox:1"
    for arguments in (["label", "pod", "web", "a=b"], ["annotate", "pod", "web", "a=b"], ["delete", "pod", "web"]):
        cluster.kubectl(*arguments, "-n", namespace, "--dry-run=server")
    after = cluster.get("-n", namespace, "pod", "web")
    assert after["spec"] == before["spec"]
    assert after["metadata"] == before["metadata"]


@pytest.mark.spec("[sig-cli] Kubectl client Proxy server should support proxy with --port 0")
def test_proxy_on_any_port(cluster):
    with proxied(cluster, "-p", "0", "--disable-filter") as line:
        port = int(re.fullmatch(r"Starting to serve on 127\.0\.0\.1:(\d+)\n", line)[1])
        assert port != 0
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/", timeout=60) as answer:
            assert json.load(answer)["versions"] == ["v1"]


@pytest.mark.spec("[sig-cli] Kubectl client Proxy server should support --unix-socket=/path")
def test_proxy_on_a_unix_socket(cluster, tmp_path):
    path = tmp_path / "proxy.sock"
    with proxied(cluster, f"--unix-socket={path}") as line:
        assert "Starting to serve on" in line and str(path) in line
        wait_for(path.exists, 10, "the socket")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(path))
            connection.sendall(b"GET /api/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b'"v1"' in body

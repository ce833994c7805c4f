# SPDX-License-Identifier: Apache-2.0
"""The kubectl of Debian's package kubernetes-client (1.20 in Debian 12) against `apus up`.

It reads `/openapi/v2` only as protobuf and validates manifests itself.
"""
import subprocess

import pytest

from conftest import ROOT, wait_for

KUBECTL = ROOT / ".cache" / "kubectl-debian" / "kubectl"

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: example/web:1
        ports: [{containerPort: 8080}]
        command: [sh, -c, 'echo started; trap "exit 0" TERM; sleep 1000 & wait']
"""


@pytest.fixture
def old(cluster, namespace):
    """Runs the old kubectl in the test's namespace; returns its standard output, or all with `check` off."""
    def run(*arguments, input=None, check=True):
        result = subprocess.run([str(KUBECTL), "-n", namespace, *arguments], env=cluster.env(), input=input, text=True,
                                capture_output=True, timeout=90)
        if check and result.returncode != 0:
            pytest.fail(f"{KUBECTL} {' '.join(arguments)} ended with {result.returncode}:\n"
                        f"{result.stdout}{result.stderr}")
        return result.stdout if check else result

    return run


def test_apply_set_image_rollout_delete(old):
    assert old("apply", "-f", "-", input=WEB).strip() == "deployment.apps/web created"
    old("rollout", "status", "deployment/web", "--timeout=60s")
    assert old("apply", "-f", "-", input=WEB).strip() == "deployment.apps/web unchanged"
    header, row = old("get", "deployment", "web").splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:4] == ["web", "1/1", "1", "1"]
    wait_for(lambda: "started" in old("logs", "deployment/web"), what="the container to say something")

    old("set", "image", "deployment/web", "main=example/web:2")
    old("rollout", "status", "deployment/web", "--timeout=60s")
    assert old("get", "deployment", "web", "-o", "jsonpath={..containers[*].image}") == "example/web:2"
    old("rollout", "undo", "deployment/web")
    old("rollout", "status", "deployment/web", "--timeout=60s")
    assert old("get", "deployment", "web", "-o", "jsonpath={..containers[*].image}") == "example/web:1"
    assert "NewReplicaSetAvailable" in old("describe", "deployment", "web")

    old("delete", "deployment", "web")
    wait_for(lambda: old("get", "pods", "-o", "name") == "", what="the pods to go")


def test_document_tells_merge_keys_fields_and_dry_run(old):
    old("apply", "-f", "-", input=WEB)
    changed = WEB.replace("{containerPort: 8080}", "{containerPort: 8080}, {containerPort: 9090}")
    ports = ["get", "deployment", "web", "-o", "jsonpath={..containers[*].ports[*].containerPort}"]
    assert "(server dry run)" in old("apply", "-f", "-", "--dry-run=server", input=changed)
    assert old(*ports) == "8080"
    diff = old("diff", "-f", "-", input=changed, check=False)
    assert diff.returncode == 1 and "containerPort: 9090" in diff.stdout
    assert old("apply", "-f", "-", input=changed).strip() == "deployment.apps/web configured"
    assert old(*ports) == "8080 9090"

    refused = old("apply", "-f", "-", input=WEB.replace("image:", "imagee:"), check=False)
    assert refused.returncode == 1
    assert 'unknown field "imagee" in io.k8s.api.core.v1.Container' in refused.stderr
    explained = old("explain", "deployment.spec")
    assert "selector\t<Object> -required-" in explained and "replicas\t<integer>" in explained
    old("delete", "-f", "-", input=WEB)

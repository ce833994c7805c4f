# SPDX-License-Identifier: Apache-2.0
"""What a node agent may do, by kubectl with the certificate of one: it reads what its pods need, and no more."""
import json
import subprocess

import pytest

from conftest import wait_for

POD = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s}
spec:
  nodeName: %(node)s
  terminationGracePeriodSeconds: 0
  imagePullSecrets: [{name: pull}]
  containers:
  - name: main
    image: host
    command: [sleep, "600"]
    envFrom: [{configMapRef: {name: settings}}]
    volumeMounts: [{name: v, mountPath: /v}]
  volumes: [{name: v, projected: {sources: [{secret: {name: key}}]}}]
"""


class Node:
    """kubectl with a client certificate `CN=system:node:NAME, O=system:nodes`."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        pki, folder = cluster.data / "pki", cluster.folder
        key, request, certificate = (str(folder / f"{name}.{kind}") for kind in ("key", "csr", "crt"))
        for command in (
            ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
             "-out", request, "-subj", f"/O=system:nodes/CN=system:node:{name}"],
            ["x509", "-req", "-in", request, "-CA", str(pki / "ca.crt"), "-CAkey", str(pki / "ca.key"),
             "-CAcreateserial", "-CAserial", str(folder / "serial"), "-days", "1", "-out", certificate],
        ):
            subprocess.run(["openssl", *command], check=True, capture_output=True)
        self.kubeconfig = str(folder / f"{name}.kubeconfig")
        for command in (
            ["set-cluster", "c", f"--server={cluster.url}", f"--certificate-authority={pki / 'ca.crt'}"],
            ["set-credentials", "u", f"--client-certificate={certificate}", f"--client-key={key}"],
            ["set-context", "x", "--cluster=c", "--user=u"], ["use-context", "x"],
        ):
            self("config", *command)

    def __call__(self, *arguments, input=None):
        return self.cluster.kubectl(*arguments, f"--kubeconfig={self.kubeconfig}", check=False, input=input)

    def ok(self, *arguments, **more):
        result = self(*arguments, **more)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def refused(self, *arguments, **more):
        result = self(*arguments, **more)
        assert result.returncode != 0 and "forbidden" in result.stderr.lower(), result.stdout + result.stderr
        return result.stderr


@pytest.fixture(scope="module")
def node(cluster):
    """A node that no agent runs."""
    node = Node(cluster, "worker")
    assert "system:node:worker" in node.ok("auth", "whoami")
    node.ok("create", "-f", "-", input='{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker"}}')
    return node


@pytest.fixture
def things(cluster, namespace):
    for name in ("pull", "key", "other"):
        cluster.kubectl("-n", namespace, "create", "secret", "generic", name, "--from-literal=a=b")
    for name in ("settings", "others"):
        cluster.kubectl("-n", namespace, "create", "configmap", name, "--from-literal=A=b")
    return namespace


def test_a_node_reads_what_its_pods_need(cluster, node, things):
    assert "no relationship found between node 'worker' and this object" in node.refused(
        "-n", things, "get", "secret", "key")
    cluster.apply(POD % {"name": "mine", "node": "worker"}, "-n", things)
    for kind, name in (("secret", "key"), ("secret", "pull"), ("configmap", "settings"),
                       ("configmap", "kube-root-ca.crt"), ("pod", "mine")):
        assert name in node.ok("-n", things, "get", kind, name)
    assert "key" in node.ok("-n", things, "get", "secrets", "--field-selector=metadata.name=key")
    watched = node.cluster.popen("-n", things, "get", "secrets", "--field-selector=metadata.name=key", "--watch",
                                 f"--kubeconfig={node.kubeconfig}")
    try:
        wait_for(lambda: "key" in watched.stdout.readline(), 10, "the watch of one secret")
    finally:
        watched.terminate()
        watched.wait()
    for kind, name in (("secret", "other"), ("configmap", "others")):
        node.refused("-n", things, "get", kind, name)
    for kind in ("secrets", "configmaps", "pods", "persistentvolumeclaims"):
        node.refused("-n", things, "get", kind)
    assert "mine" in node.ok("get", "pods", "-A", "--field-selector=spec.nodeName=worker")
    assert "only its own Node object" in node.refused("get", "node", "apus")
    assert "worker" in node.ok("get", "node", "worker")
    cluster.kubectl("-n", things, "delete", "pod", "mine", "--force", "--grace-period=0")
    node.refused("-n", things, "get", "secret", "key")


def test_a_node_writes_what_is_its_own(cluster, node, things):
    cluster.apply(POD % {"name": "mine", "node": "worker"}, "-n", things)
    cluster.apply(POD % {"name": "foreign", "node": "apus"}, "-n", things)
    assert "can only create mirror pods" in node.refused(
        "-n", things, "create", "-f", "-", input=POD % {"name": "more", "node": "worker"})

    def running(name):
        """A pod as it would be written to its subresource status; kubectl's own `patch` reads that first."""
        pod = cluster.get("-n", things, "pod", name)
        pod["metadata"].pop("resourceVersion")
        pod["status"]["phase"] = "Running"
        return ("replace", "--raw", f"/api/v1/namespaces/{things}/pods/{name}/status", "-f", "-"), json.dumps(pod)

    command, pod = running("mine")
    node.ok(*command, input=pod)
    assert cluster.get("-n", things, "pod", "mine")["status"]["phase"] == "Running"
    command, pod = running("foreign")
    assert "spec.nodeName set to itself" in node.refused(*command, input=pod)
    assert "can only delete pods with spec.nodeName set to itself" in node.refused(
        "-n", things, "delete", "pod", "foreign")
    eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "foreign"}})
    assert "can only evict pods with spec.nodeName set to itself" in node.refused(
        "create", "--raw", f"/api/v1/namespaces/{things}/pods/foreign/eviction", "-f", "-", input=eviction)
    node.ok("label", "node", "worker", "example.com/a=b")
    assert "not allowed to modify labels: node-restriction.kubernetes.io/a" in node.refused(
        "label", "node", "worker", "node-restriction.kubernetes.io/a=b")
    other = cluster.get("node", "apus")
    # Its agent writes it, too.
    other["metadata"].pop("resourceVersion")
    other["metadata"]["labels"]["example.com/a"] = "b"
    assert 'is not allowed to modify node "apus"' in node.refused(
        "replace", "--raw", "/api/v1/nodes/apus", "-f", "-", input=json.dumps(other))
    assert "not allowed to modify taints" in node.refused("taint", "node", "worker", "a=b:NoSchedule")
    node.ok("-n", things, "delete", "pod", "mine", "--force", "--grace-period=0")


def test_a_node_gets_tokens_of_its_pods_accounts(cluster, node, things):
    cluster.apply(POD % {"name": "mine", "node": "worker"}, "-n", things)
    uid = cluster.kubectl("-n", things, "get", "pod", "mine", "-o", "jsonpath={.metadata.uid}")
    bound = ("--bound-object-kind=Pod", "--bound-object-name=mine", f"--bound-object-uid={uid}")
    assert node.ok("-n", things, "create", "token", "default", *bound).count(".") == 2
    assert "node requested token not bound to a pod" in node.refused("-n", things, "create", "token", "default")
    cluster.kubectl("-n", things, "create", "serviceaccount", "other")
    assert "no relationship found" in node.refused("-n", things, "create", "token", "other", *bound)


def test_the_agent_lives_with_that(cluster, things):
    """The platform's own agent is confined in the same way, and its pods get all that they name, changes included."""
    manifest = POD % {"name": "p", "node": "apus"}
    cluster.apply(manifest.replace('[sleep, "600"]', '[sh, -c, "echo A=$A; while sleep 0.1; do cat $APUS_VOLUME_V/a; '
                                                      'echo; done"]'), "-n", things)

    def log():
        return cluster.kubectl("-n", things, "logs", "p", check=False).stdout

    wait_for(lambda: "A=b" in log() and "\nb" in log(), 30, "the pod to print its settings")
    cluster.kubectl("-n", things, "patch", "secret", "key", "-p", '{"stringData": {"a": "changed"}}')
    wait_for(lambda: "changed" in log(), 30, "the changed secret")

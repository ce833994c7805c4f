# SPDX-License-Identifier: Apache-2.0
"""Server-side apply with kubectl and the Python client: managers, conflicts, removal, migration, status, diff."""
import json

import pytest
from kubernetes import client, config, dynamic
from kubernetes.dynamic.exceptions import ConflictError

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {tier: front}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {nowhere: "true"}
      containers:
      - name: web
        image: apus
        ports:
        - containerPort: 80
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1", b: "1"}
"""


def managers(thing):
    return {(entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
            for entry in thing["metadata"].get("managedFields", [])}


def shown(cluster, *arguments):
    return json.loads(cluster.kubectl("get", *arguments, "--show-managed-fields", "-o", "json"))


@pytest.fixture
def applied(cluster, namespace):
    """`kubectl apply --server-side` into a namespace of the test's own."""
    def run(manifest, *arguments, check=True):
        return cluster.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", *arguments, input=manifest,
                               check=check)
    return run


@pytest.fixture
def api(cluster):
    return dynamic.DynamicClient(config.new_client_from_config(cluster.kubeconfig))


def test_apply_owns_what_it_sends(cluster, namespace, applied):
    assert "serverside-applied" in applied(DEPLOYMENT)
    deployment = shown(cluster, "-n", namespace, "deployment", "web")
    fields = managers(deployment)["kubectl", "Apply", ""]
    assert fields["f:spec"]["f:replicas"] == {}
    assert fields["f:metadata"] == {"f:labels": {"f:tier": {}}}
    container = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']
    assert container["f:ports"] == {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    assert "f:strategy" not in fields["f:spec"], "defaults are nobody's"
    # The controller's writes are tracked too, as the program that it is upstream.
    def written():
        """All of the status: it is written once before there are pods, and once after."""
        fields = managers(shown(cluster, "-n", namespace, "deployment", "web")).get(
            ("kube-controller-manager", "Update", "status"), {})
        return fields if "f:updatedReplicas" in fields.get("f:status", {}) else None
    from conftest import wait_for
    assert "f:status" in wait_for(written, 20, "the status to be written")
    # kubectl hides them unless asked.
    assert "managedFields" not in cluster.kubectl("get", "-n", namespace, "deployment", "web", "-o", "yaml")
    before = shown(cluster, "-n", namespace, "deployment", "web")
    applied(DEPLOYMENT)
    after = shown(cluster, "-n", namespace, "deployment", "web")
    assert after["metadata"]["generation"] == before["metadata"]["generation"] == 1
    assert managers(after) == managers(before)


def test_conflicts_and_force(cluster, namespace, applied):
    applied(CONFIG)
    other = CONFIG.replace('a: "1"', 'a: "2"')
    refused = applied(other, "--field-manager=other", check=False)
    assert refused.returncode == 1
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .data.a' in refused.stderr
    assert cluster.get("-n", namespace, "cm", "settings")["data"]["a"] == "1"
    applied(other, "--field-manager=other", "--force-conflicts")
    settings = shown(cluster, "-n", namespace, "cm", "settings")
    assert settings["data"] == {"a": "2", "b": "1"}
    assert managers(settings)["kubectl", "Apply", ""] == {"f:data": {"f:b": {}}}
    assert managers(settings)["other", "Apply", ""] == {"f:data": {"f:a": {}, "f:b": {}}}
    # An edit by a client of another kind conflicts with its name and version.
    cluster.kubectl("patch", "-n", namespace, "cm", "settings", "--type=merge", "-p", '{"data":{"a":"3"}}')
    refused = applied(other, "--field-manager=other", check=False)
    assert 'conflict with "kubectl-patch" using v1: .data.a' in refused.stderr


def test_fields_no_longer_applied_are_removed(cluster, namespace, applied):
    applied(CONFIG)
    applied(CONFIG.replace(', b: "1"', "").replace('a: "1"', 'a: "1"'), "--field-manager=other")
    applied(CONFIG.replace('data: {a: "1", b: "1"}', "data: {}"))
    assert cluster.get("-n", namespace, "cm", "settings")["data"] == {"a": "1"}, "other still applies a"
    applied(DEPLOYMENT)
    applied(DEPLOYMENT.replace("        ports:\n        - containerPort: 80\n", "").replace(
        "  labels: {tier: front}\n", ""))
    deployment = cluster.get("-n", namespace, "deployment", "web")
    assert "ports" not in deployment["spec"]["template"]["spec"]["containers"][0]
    assert "labels" not in deployment["metadata"]


def test_migration_from_client_side_apply(cluster, namespace, applied):
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=CONFIG)
    fields = managers(shown(cluster, "-n", namespace, "cm", "settings"))
    assert set(fields) == {("kubectl-client-side-apply", "Update", "")}
    applied(CONFIG.replace(', b: "1"', ""))
    settings = shown(cluster, "-n", namespace, "cm", "settings")
    assert settings["data"] == {"a": "1"}, "what client-side apply owned went over and was removed"
    assert ("kubectl-client-side-apply", "Update", "") not in managers(settings)
    # And back: client-side apply goes on where server-side apply was.
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=CONFIG.replace('a: "1"', 'a: "5"'))
    assert cluster.get("-n", namespace, "cm", "settings")["data"] == {"a": "5", "b": "1"}


def test_dry_run_and_diff(cluster, namespace, applied):
    assert "serverside-applied (server dry run)" in applied(CONFIG, "--dry-run=server")
    assert cluster.kubectl("get", "-n", namespace, "cm", "settings", check=False).returncode == 1
    applied(CONFIG)
    before = shown(cluster, "-n", namespace, "cm", "settings")
    changed = CONFIG.replace('a: "1"', 'a: "7"')
    applied(changed, "--dry-run=server")
    diff = cluster.kubectl("diff", "--server-side", "-n", namespace, "-f", "-", input=changed, check=False)
    assert diff.returncode == 1, diff.stderr
    lines = [line for line in diff.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert lines == ['-  a: "1"', '+  a: "7"']
    same = cluster.kubectl("diff", "--server-side", "-n", namespace, "-f", "-", input=CONFIG, check=False)
    assert (same.returncode, same.stdout) == (0, "")
    assert shown(cluster, "-n", namespace, "cm", "settings") == before


def test_faults_are_told(cluster, namespace, applied):
    unknown = applied(CONFIG + "spec: {}\n", "--validate=false", check=False)
    assert "failed to create typed patch object" in unknown.stderr
    assert ".spec: field not declared in schema" in unknown.stderr
    twice = DEPLOYMENT.replace("        - containerPort: 80\n", "        - containerPort: 80\n" * 2)
    duplicate = applied(twice, check=False)
    assert 'duplicate entries for key [containerPort=80,protocol="TCP"]' in duplicate.stderr
    assert cluster.kubectl("get", "-n", namespace, "deployment", "web", check=False).returncode == 1


def test_status_subresource(cluster, namespace, applied):
    claim = """
apiVersion: v1
kind: Pod
metadata: {name: waits}
spec:
  nodeSelector: {nowhere: "true"}
  containers: [{name: c, image: apus}]
status:
  conditions:
  - {type: example.org/Checked, status: "True", lastProbeTime: null, lastTransitionTime: null}
"""
    applied(claim)
    status = applied(claim, "--subresource=status", "--field-manager=checker", check=False)
    assert status.returncode == 0, status.stderr
    pod = shown(cluster, "-n", namespace, "pod", "waits")
    assert "True" in [c["status"] for c in pod["status"]["conditions"] if c["type"] == "example.org/Checked"]
    assert list(managers(pod)["checker", "Apply", "status"]) == ["f:status"]
    assert "f:status" not in managers(pod)["kubectl", "Apply", ""]


def test_python_client_applies(cluster, namespace, api):
    maps = api.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "py"}, "data": {"k": "1"}}
    made = maps.server_side_apply(body=body, namespace=namespace, field_manager="python")
    assert made.data.k == "1"
    assert managers(made.to_dict()) == {("python", "Apply", ""): {"f:data": {"f:k": {}}}}
    body["data"]["k"] = "2"
    with pytest.raises(ConflictError) as refused:
        maps.server_side_apply(body=body, namespace=namespace, field_manager="other")
    status = json.loads(refused.value.body)
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "python": .data.k'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "python"', "field": ".data.k"}]
    taken = maps.server_side_apply(body=body, namespace=namespace, field_manager="other", force_conflicts=True)
    assert managers(taken.to_dict()) == {("other", "Apply", ""): {"f:data": {"f:k": {}}}}


def test_python_client_is_tracked(cluster, namespace):
    core = client.CoreV1Api(config.new_client_from_config(cluster.kubeconfig))
    made = core.create_namespaced_config_map(
        namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="typed"), data={"a": "1"}),
        field_manager="typed-client")
    entry, = made.metadata.managed_fields
    assert (entry.manager, entry.operation, entry.api_version) == ("typed-client", "Update", "v1")
    assert entry.time is not None
    # A program without a name of its own is known by its user agent.
    patched = core.patch_namespaced_config_map("typed", namespace, {"data": {"b": "2"}})
    assert {e.manager for e in patched.metadata.managed_fields} == {"typed-client", "OpenAPI-Generator"}
    # Reading and writing back keeps all managers.
    again = core.replace_namespaced_config_map("typed", namespace, patched)
    assert again.metadata.managed_fields == patched.metadata.managed_fields
    assert again.metadata.resource_version == patched.metadata.resource_version


def test_huge_and_hostile_bodies(cluster, namespace):
    """Bodies that would grow or nest without bound are refused at once, and nothing is made of them."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    api_client = config.new_client_from_config(cluster.kubeconfig)
    for body, code, text in [
        (bomb, 400, "excessive aliasing"), ("? *a\n", 400, "error decoding YAML"),
        ("[" * 100_000, 400, "error decoding YAML"), ("{a: " * 50_000, 400, "error decoding YAML"),
        ("- " * 100_000, 400, "error decoding YAML"), ("x" * (4 << 20), 413, "too large"),
    ]:
        answer = api_client.rest_client.pool_manager.request(
            "PATCH", f"{cluster.url}/api/v1/namespaces/{namespace}/configmaps/bomb?fieldManager=m", body=body.encode(),
            headers={"Content-Type": "application/apply-patch+yaml"}, timeout=60, retries=False)
        assert answer.status == code, answer.data
        assert text in answer.data.decode()
    assert cluster.kubectl("get", "-n", namespace, "cm", "bomb", check=False).returncode == 1
    # As many fields as fit are taken, and told apart.
    many = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "many"},
            "data": {f"k{n}": "v" for n in range(10_000)}}
    maps = dynamic.DynamicClient(api_client).resources.get(api_version="v1", kind="ConfigMap")
    maps.server_side_apply(body=many, namespace=namespace, field_manager="m")
    del many["data"]["k5000"]
    fewer = maps.server_side_apply(body=many, namespace=namespace, field_manager="m")
    assert len(fewer.to_dict()["data"]) == 9999


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: robots.apply.example.org}
spec:
  group: apply.example.org
  scope: Namespaced
  names: {plural: robots, kind: Robot}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: &subresources {status: {}, scale: {specReplicasPath: .spec.arms, statusReplicasPath: .status.arms}}
    schema: &schema
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              arms: {type: integer}
              tags: {type: array, x-kubernetes-list-type: set, items: {type: string}}
              tools:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, size: {type: integer}}
              plan: {type: array, items: {type: string}}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status: {type: object, properties: {arms: {type: integer}}}
  - name: v2
    served: true
    storage: false
    subresources: *subresources
    schema: *schema
"""


def test_custom_resources(cluster, namespace, applied, api):
    """Lists of a custom resource merge by what its schema says, in all its versions."""
    from conftest import wait_for
    cluster.apply(DEFINITION)
    cluster.kubectl("wait", "--for=condition=Established", "crd/robots.apply.example.org", "--timeout=20s")
    wait_for(lambda: "robots" in cluster.kubectl("api-resources", "--api-group=apply.example.org"), 20, "discovery")

    def robot(spec, version="v1"):
        return json.dumps({"apiVersion": f"apply.example.org/{version}", "kind": "Robot",
                           "metadata": {"name": "r"}, "spec": spec})
    applied(robot({"tags": ["a"], "tools": [{"name": "saw", "size": 1}], "plan": ["x"], "free": {"a": {"b": 1}}}))
    applied(robot({"tags": ["b"], "tools": [{"name": "drill"}, {"name": "saw"}], "free": {"a": {"c": [2]}}}),
            "--field-manager=two")
    made = shown(cluster, "-n", namespace, "robot", "r")
    assert made["spec"] == {
        "tags": ["a", "b"], "tools": [{"name": "drill"}, {"name": "saw", "size": 1}], "plan": ["x"],
        "free": {"a": {"b": 1, "c": [2]}}}
    assert managers(made)["two", "Apply", ""]["f:spec"] == {
        "f:free": {"f:a": {".": {}, "f:c": {}}}, "f:tags": {'v:"b"': {}},
        "f:tools": {'k:{"name":"drill"}': {".": {}, "f:name": {}}, 'k:{"name":"saw"}': {".": {}, "f:name": {}}}}
    refused = applied(robot({"plan": ["y"]}, "v2"), "--field-manager=two", check=False)
    assert 'conflict with "kubectl": .spec.plan' in refused.stderr
    # The same applier in another version takes back what it no longer applies.
    applied(robot({"tags": ["b"]}, "v2"), "--field-manager=two")
    left = shown(cluster, "-n", namespace, "robot", "r")["spec"]
    assert left["tools"] == [{"name": "saw", "size": 1}] and left["free"] == {"a": {"b": 1}}
    # A fault of the schema is a fault of the apply; status and scale are apart.
    unknown = applied(robot({"legs": 2}), "--validate=false", check=False)
    assert ".spec.legs: field not declared in schema" in unknown.stderr
    status = json.loads(robot({}))
    status["status"] = {"arms": 4}
    del status["spec"]
    applied(json.dumps(status), "--subresource=status", "--field-manager=watcher")
    cluster.kubectl("scale", "-n", namespace, "robot", "r", "--replicas=3")
    made = shown(cluster, "-n", namespace, "robot", "r")
    assert (made["spec"]["arms"], made["status"]["arms"]) == (3, 4)
    assert managers(made)["watcher", "Apply", "status"] == {"f:status": {"f:arms": {}}}
    assert managers(made)["kubectl", "Update", "scale"] == {"f:spec": {"f:arms": {}}}
    before = made["metadata"]["generation"]
    applied(robot({"tags": ["b"]}, "v2"), "--field-manager=two")
    assert cluster.get("-n", namespace, "robot", "r")["metadata"]["generation"] == before
    cluster.kubectl("delete", "crd", "robots.apply.example.org")

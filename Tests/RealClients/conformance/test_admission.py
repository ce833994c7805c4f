# SPDX-License-Identifier: Apache-2.0
"""Quota, limit ranges, runtime classes, service accounts, pods and their data: what the server decides by itself."""
import base64
import time

import pytest
from kubernetes import client, watch
from kubernetes.client.rest import ApiException

from conftest import wait_for

SLEEP = ["sh", "-c", "exec sleep 1000"]


def refused(call, code, *fragments):
    """What the server says when it refuses."""
    with pytest.raises(ApiException) as error:
        call()
    assert error.value.status == code, error.value.body
    for fragment in fragments:
        assert fragment in error.value.body, error.value.body
    return error.value.body


def pod(name, resources=None, **spec):
    container = {"name": "c", "image": "pause", "command": SLEEP, "resources": resources or {}}
    return {"metadata": {"name": name, "labels": {"name": name}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}}


def quota(name, hard, **spec):
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}


def uses(core, namespace, name, **expected):
    """Waits until the quota's status shows these amounts used (underscores for dots, two for slashes)."""
    wanted = {key.replace("__", "/").replace("_", "."): value for key, value in expected.items()}

    def status():
        used = core.read_namespaced_resource_quota(name, namespace).status.used or {}
        return all(used.get(key) == value for key, value in wanted.items())
    wait_for(status, 15, f"quota {name} to show {wanted}")


@pytest.mark.spec(
    "[sig-api-machinery] ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated.")
def test_quota_status(core, namespace):
    before = core.list_namespaced_resource_quota(namespace).items
    assert before == []
    made = core.create_namespaced_resource_quota(
        namespace, quota("q", {"services": "10", "pods": "5", "cpu": "1", "memory": "500Mi", "count/replicasets.apps": "5"}))
    assert made.spec.hard["memory"] == "500Mi"
    uses(core, namespace, "q", services="0", pods="0", cpu="0", memory="0", count__replicasets_apps="0")
    assert core.read_namespaced_resource_quota("q", namespace).status.hard == made.spec.hard


@pytest.mark.spec("[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a service.")
def test_quota_of_services(core, namespace):
    core.create_namespaced_resource_quota(
        namespace, quota("q", {"services": "2", "services.nodeports": "1", "services.loadbalancers": "1"}))
    uses(core, namespace, "q", services="0")

    def service(name, kind):
        return {"metadata": {"name": name}, "spec": {"type": kind, "ports": [{"port": 80}], "selector": {"a": "b"}}}

    core.create_namespaced_service(namespace, service("cluster", "ClusterIP"))
    core.create_namespaced_service(namespace, service("node", "NodePort"))
    uses(core, namespace, "q", services="2", services_nodeports="1")
    refused(lambda: core.create_namespaced_service(namespace, service("third", "LoadBalancer")), 403,
            "exceeded quota: q, requested: services=1,services.nodeports=1, used: services=2,services.nodeports=1, "
            "limited: services=2,services.nodeports=1")
    refused(lambda: core.patch_namespaced_service("cluster", namespace, {"spec": {"type": "NodePort"}}), 403,
            "exceeded quota: q, requested: services.nodeports=1")
    for name in ("cluster", "node"):
        core.delete_namespaced_service(name, namespace)
    uses(core, namespace, "q", services="0", services_nodeports="0", services_loadbalancers="0")


@pytest.mark.spec("[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a secret.",
                  "[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a configMap.")
def test_quota_of_data(core, namespace):
    wait_for(lambda: core.list_namespaced_config_map(namespace).items, what="kube-root-ca.crt")
    core.create_namespaced_resource_quota(namespace, quota("q", {"secrets": "1", "configmaps": "2"}))
    uses(core, namespace, "q", secrets="0", configmaps="1")
    core.create_namespaced_secret(namespace, {"metadata": {"name": "s"}, "stringData": {"k": "v"}})
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "m"}, "data": {"k": "v"}})
    uses(core, namespace, "q", secrets="1", configmaps="2")
    refused(lambda: core.create_namespaced_secret(namespace, {"metadata": {"name": "t"}}), 403,
            "exceeded quota: q, requested: secrets=1, used: secrets=1, limited: secrets=1")
    refused(lambda: core.create_namespaced_config_map(namespace, {"metadata": {"name": "n"}}), 403, "exceeded quota")
    core.delete_namespaced_secret("s", namespace)
    core.delete_namespaced_config_map("m", namespace)
    uses(core, namespace, "q", secrets="0", configmaps="1")


@pytest.mark.spec("[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod.")
def test_quota_of_pods(core, namespace):
    core.create_namespaced_resource_quota(namespace, quota("q", {
        "pods": "5", "cpu": "1", "memory": "500Mi", "requests.ephemeral-storage": "50Gi", "requests.example.com/dongle": "3"}))
    uses(core, namespace, "q", pods="0", cpu="0")
    fits = {"requests": {"cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", "example.com/dongle": "2"},
            "limits": {"example.com/dongle": "2"}}
    core.create_namespaced_pod(namespace, pod("fits", fits))
    uses(core, namespace, "q", pods="1", cpu="500m", memory="252Mi")
    used = core.read_namespaced_resource_quota("q", namespace).status.used
    assert used["requests.ephemeral-storage"] == "30Gi" and used["requests.example.com/dongle"] == "2"
    refused(lambda: core.create_namespaced_pod(namespace, pod("large", {"requests": {"cpu": "600m", "memory": "100Mi"}})),
            403, "exceeded quota: q, requested: cpu=600m, used: cpu=500m, limited: cpu=1")
    refused(lambda: core.create_namespaced_pod(namespace, pod("many", {
        "requests": {"cpu": "10m", "memory": "1Mi", "example.com/dongle": "2"}, "limits": {"example.com/dongle": "2"}})), 403,
        "requests.example.com/dongle=2")
    refused(lambda: core.create_namespaced_pod(namespace, pod("silent")), 403, "failed quota: q: must specify cpu for: c; memory for: c")
    labelled = core.patch_namespaced_pod("fits", namespace, {"metadata": {"labels": {"x": "y"}}})
    assert labelled.metadata.labels["x"] == "y"
    refused(lambda: core.patch_namespaced_pod("fits", namespace, {"spec": {"containers": [
        {"name": "c", "resources": {"requests": {"cpu": "700m"}}}]}}), 422, "pod updates may not change fields")
    core.delete_namespaced_pod("fits", namespace, grace_period_seconds=0)
    uses(core, namespace, "q", pods="0", cpu="0", memory="0")


@pytest.mark.spec("[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replica set.",
                  "[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replication "
                  "controller.")
def test_quota_of_controllers(api, core, namespace):
    apps = client.AppsV1Api(api)
    core.create_namespaced_resource_quota(
        namespace, quota("q", {"count/replicasets.apps": "1", "replicationcontrollers": "1"}))
    uses(core, namespace, "q", count__replicasets_apps="0", replicationcontrollers="0")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    apps.create_namespaced_replica_set(namespace, {"metadata": {"name": "rs"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}})
    core.create_namespaced_replication_controller(namespace, {"metadata": {"name": "rc"}, "spec": {
        "replicas": 0, "selector": {"a": "b"}, "template": template}})
    uses(core, namespace, "q", count__replicasets_apps="1", replicationcontrollers="1")
    apps.delete_namespaced_replica_set("rs", namespace)
    core.delete_namespaced_replication_controller("rc", namespace)
    uses(core, namespace, "q", count__replicasets_apps="0", replicationcontrollers="0")


@pytest.mark.spec("[sig-api-machinery] ResourceQuota should verify ResourceQuota with best effort scope.",
                  "[sig-api-machinery] ResourceQuota should verify ResourceQuota with terminating scopes.")
def test_quota_scopes(core, namespace):
    scopes = {"besteffort": "BestEffort", "not-besteffort": "NotBestEffort", "terminating": "Terminating",
              "not-terminating": "NotTerminating"}
    for name, scope in scopes.items():
        core.create_namespaced_resource_quota(namespace, quota(name, {"pods": "5"}, scopes=[scope]))

    def all_use(**expected):
        for name in scopes:
            uses(core, namespace, name, pods=expected[name.replace("-", "_")])

    all_use(besteffort="0", not_besteffort="0", terminating="0", not_terminating="0")
    core.create_namespaced_pod(namespace, pod("plain"))
    all_use(besteffort="1", not_besteffort="0", terminating="0", not_terminating="1")
    core.delete_namespaced_pod("plain", namespace, grace_period_seconds=0)
    all_use(besteffort="0", not_besteffort="0", terminating="0", not_terminating="0")
    core.create_namespaced_pod(
        namespace, pod("bound", {"requests": {"cpu": "10m"}, "limits": {"cpu": "20m"}}, activeDeadlineSeconds=3600))
    all_use(besteffort="0", not_besteffort="1", terminating="1", not_terminating="0")
    core.delete_namespaced_pod("bound", namespace, grace_period_seconds=0)
    all_use(besteffort="0", not_besteffort="0", terminating="0", not_terminating="0")


@pytest.mark.spec("[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota.",
                  "[sig-api-machinery] ResourceQuota should manage the lifecycle of a ResourceQuota")
def test_quota_lifecycle(core, namespace):
    core.create_namespaced_resource_quota(namespace, quota("q", {"cpu": "500m", "memory": "200Mi"}))
    present = core.read_namespaced_resource_quota("q", namespace)
    present.spec.hard = {"cpu": "1", "memory": "1Gi"}
    wait_for(lambda: core.read_namespaced_resource_quota("q", namespace).status.used, what="a status")
    present.metadata.resource_version = None
    changed = core.replace_namespaced_resource_quota("q", namespace, present)
    assert changed.spec.hard == {"cpu": "1", "memory": "1Gi"}
    patched = core.patch_namespaced_resource_quota("q", namespace, {
        "metadata": {"labels": {"team": "a"}}, "spec": {"hard": {"memory": "750Mi"}}})
    assert patched.spec.hard["memory"] == "750Mi" and patched.metadata.labels == {"team": "a"}
    assert [item.metadata.name for item in core.list_resource_quota_for_all_namespaces(label_selector="team=a").items
            if item.metadata.namespace == namespace] == ["q"]
    core.delete_collection_namespaced_resource_quota(namespace, label_selector="team=a")
    refused(lambda: core.read_namespaced_resource_quota("q", namespace), 404)


@pytest.mark.spec("[sig-api-machinery] ResourceQuota should apply changes to a resourcequota status")
def test_quota_status_is_kept_true(core, namespace):
    core.create_namespaced_resource_quota(namespace, quota("q", {"cpu": "500m", "memory": "500Mi"}))
    uses(core, namespace, "q", cpu="0")
    present = core.read_namespaced_resource_quota_status("q", namespace)
    present.status.hard = {"cpu": "1", "memory": "1Gi"}
    assert core.replace_namespaced_resource_quota_status("q", namespace, present).status.hard["cpu"] == "1"
    # The controller puts the status right again.
    wait_for(lambda: core.read_namespaced_resource_quota("q", namespace).status.hard == {"cpu": "500m", "memory": "500Mi"},
             what="the status to be recalculated")
    patched = core.patch_namespaced_resource_quota_status("q", namespace, {"status": {"used": {"cpu": "250m"}}})
    assert patched.status.used["cpu"] == "250m"
    uses(core, namespace, "q", cpu="0")


@pytest.mark.spec("[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those "
                  "defaults applied.")
def test_limit_range_defaults(core, namespace):
    def amounts(cpu, memory, storage):
        return {"cpu": cpu, "memory": memory, "ephemeral-storage": storage}
    limits = {"type": "Container", "min": amounts("50m", "100Mi", "100Gi"), "max": amounts("500m", "500Mi", "500Gi"),
              "default": amounts("500m", "500Mi", "500Gi"), "defaultRequest": amounts("100m", "200Mi", "200Gi")}
    stream = watch.Watch()
    made = core.create_namespaced_limit_range(namespace, {"metadata": {"name": "l"}, "spec": {"limits": [limits]}})
    for event in stream.stream(core.list_namespaced_limit_range, namespace, timeout_seconds=10):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "l")
        stream.stop()
    assert made.spec.limits[0].default_request["cpu"] == "100m"

    core.create_namespaced_pod(namespace, pod("silent"))
    resources = core.read_namespaced_pod("silent", namespace).spec.containers[0].resources
    assert resources.requests == amounts("100m", "200Mi", "200Gi")
    assert resources.limits == amounts("500m", "500Mi", "500Gi")
    core.create_namespaced_pod(namespace, pod("partly", {"requests": amounts("150m", "150Mi", "150Gi"), "limits": {"cpu": "300m"}}))
    resources = core.read_namespaced_pod("partly", namespace).spec.containers[0].resources
    assert resources.requests == amounts("150m", "150Mi", "150Gi")
    assert resources.limits == amounts("300m", "500Mi", "500Gi")

    refused(lambda: core.create_namespaced_pod(namespace, pod("small", {"requests": amounts("10m", "50Mi", "50Gi")})), 403,
            "minimum cpu usage per Container is 50m, but request is 10m")
    refused(lambda: core.create_namespaced_pod(namespace, pod("large", {"limits": amounts("600m", "600Mi", "600Gi")})), 403,
            "maximum memory usage per Container is 500Mi, but limit is 600Mi")
    made.spec.limits[0].min = amounts("9m", "49Mi", "49Gi")
    made.metadata.resource_version = None
    core.replace_namespaced_limit_range("l", namespace, made)
    core.create_namespaced_pod(namespace, pod("small", {"requests": amounts("10m", "50Mi", "50Gi")}))
    core.delete_namespaced_limit_range("l", namespace)
    core.create_namespaced_pod(namespace, pod("large", {"limits": amounts("600m", "600Mi", "1Gi")}))


@pytest.mark.spec("[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection")
def test_limit_ranges_by_collection(core, namespace):
    for name in ("a", "b"):
        core.create_namespaced_limit_range(namespace, {
            "metadata": {"name": name, "labels": {"set": namespace}},
            "spec": {"limits": [{"type": "Container", "max": {"cpu": "500m"}}]}})
    assert len(core.list_limit_range_for_all_namespaces(label_selector=f"set={namespace}").items) == 2
    patched = core.patch_namespaced_limit_range("a", namespace, {
        "metadata": {"labels": {"a": "static"}}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "400m"}}]}})
    assert patched.spec.limits[0].max["cpu"] == "400m"
    core.delete_collection_namespaced_limit_range(namespace, label_selector="a=static")
    assert [item.metadata.name for item in core.list_namespaced_limit_range(namespace).items] == ["b"]


@pytest.mark.spec("[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [NodeConformance]",
                  "[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass [NodeConformance]",
                  "[sig-node] RuntimeClass should support RuntimeClasses API operations")
def test_runtime_classes(api, core, namespace):
    nodes = client.NodeV1Api(api)
    assert "node.k8s.io" in [group.name for group in client.ApisApi(api).get_api_versions().groups]
    assert "runtimeclasses" in [resource.name for resource in nodes.get_api_resources().resources]
    refused(lambda: core.create_namespaced_pod(namespace, pod("p", runtimeClassName="none")), 403,
            'pod rejected: RuntimeClass \\"none\\" not found')
    name = f"{namespace}-a"
    label = {"test": namespace}
    made = nodes.create_runtime_class({"metadata": {"name": name, "labels": label}, "handler": "h",
                                       "overhead": {"podFixed": {"cpu": "10m"}}})
    refused(lambda: nodes.create_runtime_class({"metadata": {"name": name}, "handler": "h"}), 409, "already exists")
    assert nodes.read_runtime_class(name).handler == "h"
    seen = core.create_namespaced_pod(namespace, pod("p", runtimeClassName=name))
    assert seen.spec.overhead == {"cpu": "10m"}
    refused(lambda: nodes.patch_runtime_class(name, {"handler": "i"}), 422, "field is immutable")
    assert nodes.patch_runtime_class(name, {"metadata": {"annotations": {"patched": "true"}}}).metadata.annotations
    made = nodes.read_runtime_class(name)
    made.metadata.annotations["updated"] = "true"
    assert nodes.replace_runtime_class(name, made).metadata.annotations["updated"] == "true"
    events = watch.Watch().stream(nodes.list_runtime_class, label_selector=f"test={namespace}", timeout_seconds=5)
    assert next(events)["object"].metadata.name == name
    nodes.delete_runtime_class(name)
    refused(lambda: nodes.read_runtime_class(name), 404)
    refused(lambda: core.create_namespaced_pod(namespace, pod("q", runtimeClassName=name)), 403, "not found")
    nodes.create_runtime_class({"metadata": {"name": f"{namespace}-b", "labels": label}, "handler": "h"})
    nodes.delete_collection_runtime_class(label_selector=f"test={namespace}")
    assert nodes.list_runtime_class(label_selector=f"test={namespace}").items == []


@pytest.mark.spec("[sig-node] Sysctls [LinuxOnly] [NodeConformance] should reject invalid sysctls")
def test_invalid_sysctls(core, namespace):
    names = ["foo-", "kernel.shmmax", "safe-and-unsafe", "bar..", "kernel/shmmax/"]
    body = refused(lambda: core.create_namespaced_pod(namespace, pod(
        "p", securityContext={"sysctls": [{"name": name, "value": "1"} for name in names]})), 422)
    for name, is_bad in zip(names, [True, False, False, True, True]):
        assert (f'Invalid value: \\"{name}\\"' in body) == is_bad, body


@pytest.mark.spec("[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and "
                  "limits for memory and cpu")
def test_qos_class(core, namespace):
    amounts = {"cpu": "100m", "memory": "100Mi"}
    core.create_namespaced_pod(namespace, pod("guaranteed", {"requests": amounts, "limits": amounts}))
    core.create_namespaced_pod(namespace, pod("burstable", {"requests": amounts}))
    core.create_namespaced_pod(namespace, pod("besteffort"))
    for name, expected in (("guaranteed", "Guaranteed"), ("burstable", "Burstable"), ("besteffort", "BestEffort")):
        assert core.read_namespaced_pod(name, namespace).status.qos_class == expected


@pytest.mark.spec("[sig-node] Kubelet when scheduling a busybox command that always fails in a pod should be possible to "
                  "delete [NodeConformance]")
def test_a_failing_pod_can_be_deleted(core, namespace):
    failing = pod("fails")
    failing["spec"]["containers"][0]["command"] = ["/bin/false"]
    core.create_namespaced_pod(namespace, failing)
    core.delete_namespaced_pod("fails", namespace)
    wait_for(lambda: not core.list_namespaced_pod(namespace).items, 30, "the pod to be gone")


@pytest.mark.spec("[sig-node] Probing container with readiness probe that fails should never be ready and never restart "
                  "[NodeConformance]")
def test_a_failing_readiness_probe(core, namespace):
    unready = pod("unready")
    unready["spec"]["containers"][0]["readinessProbe"] = {
        "exec": {"command": ["/bin/false"]}, "periodSeconds": 1, "initialDelaySeconds": 1}
    core.create_namespaced_pod(namespace, unready)
    wait_for(lambda: core.read_namespaced_pod("unready", namespace).status.phase == "Running", what="the pod to run")
    end = time.monotonic() + 4
    while time.monotonic() < end:
        status = core.read_namespaced_pod("unready", namespace).status
        assert {c.type: c.status for c in status.conditions}["Ready"] == "False"
        assert status.container_statuses[0].restart_count == 0
        time.sleep(0.5)


@pytest.mark.spec("[sig-node] ConfigMap should fail to create ConfigMap with empty key",
                  "[sig-node] ConfigMap should run through a ConfigMap lifecycle",
                  "[sig-node] ConfigMap should update ConfigMap successfully [NodeConformance]")
def test_config_maps(core, namespace):
    refused(lambda: core.create_namespaced_config_map(namespace, {"metadata": {"name": "e"}, "data": {"": "v"}}), 422,
            "data[]", "a valid config key must consist of")
    made = core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "m", "labels": {"test": namespace}}, "data": {"k": "v"}})
    made.data = {"k": "w"}
    core.replace_namespaced_config_map("m", namespace, made)
    assert core.read_namespaced_config_map("m", namespace).data == {"k": "w"}
    patched = core.patch_namespaced_config_map("m", namespace, {"metadata": {"labels": {"l": "1"}}, "data": {"p": "q"}})
    assert patched.data == {"k": "w", "p": "q"} and patched.metadata.labels["l"] == "1"
    found = core.list_config_map_for_all_namespaces(label_selector=f"test={namespace}").items
    assert [item.metadata.name for item in found] == ["m"]
    core.delete_collection_namespaced_config_map(namespace, label_selector=f"test={namespace}")
    assert core.list_namespaced_config_map(namespace, label_selector=f"test={namespace}").items == []


@pytest.mark.spec("[sig-node] Secrets should fail to create secret due to empty secret key",
                  "[sig-node] Secrets should patch a secret")
def test_secrets(core, namespace):
    refused(lambda: core.create_namespaced_secret(namespace, {
        "metadata": {"name": "e"}, "data": {"": base64.b64encode(b"v").decode()}}), 422, "data[]")
    core.create_namespaced_secret(namespace, {"metadata": {"name": "s", "labels": {"test": namespace}},
                                              "type": "Opaque", "data": {"k": base64.b64encode(b"v").decode()}})
    changed = base64.b64encode(b"w").decode()
    core.patch_namespaced_secret("s", namespace, {"metadata": {"labels": {"patched": "true"}}, "data": {"k": changed}})
    seen = core.read_namespaced_secret("s", namespace)
    assert seen.data == {"k": changed} and seen.metadata.labels == {"test": namespace, "patched": "true"}
    core.delete_collection_namespaced_secret(namespace, label_selector="patched=true")
    assert core.list_secret_for_all_namespaces(label_selector=f"test={namespace}").items == []


@pytest.mark.spec("[sig-storage] ConfigMap should be immutable if `immutable` field is set",
                  "[sig-storage] Secrets should be immutable if `immutable` field is set")
@pytest.mark.parametrize("kind", ["config_map", "secret"])
def test_immutable_data(core, namespace, kind):
    def call(verb, *arguments):
        return getattr(core, f"{verb}_namespaced_{kind}")(*arguments)
    value = base64.b64encode(b"v").decode()
    made = call("create", namespace, {"metadata": {"name": "x"}, "data": {"k": value}})
    made.data["l"] = value
    made = call("replace", "x", namespace, made)
    made.immutable = True
    made = call("replace", "x", namespace, made)
    made.data["m"] = value
    refused(lambda: call("replace", "x", namespace, made), 422, "field is immutable when `immutable` is set")
    made = call("read", "x", namespace)
    made.immutable = False
    refused(lambda: call("replace", "x", namespace, made), 422, "field is immutable when `immutable` is set")
    made = call("read", "x", namespace)
    made.metadata.labels = {"a": "b"}
    assert call("replace", "x", namespace, made).metadata.labels == {"a": "b"}
    call("delete", "x", namespace)


@pytest.mark.spec("[sig-auth] ServiceAccounts should allow opting out of API token automount")
def test_token_automount(core, namespace):
    wait_for(lambda: core.list_namespaced_service_account(namespace).items, what="the default account")
    for name, automount in (("mount", True), ("nomount", False)):
        core.create_namespaced_service_account(namespace, {
            "metadata": {"name": name}, "automountServiceAccountToken": automount})
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "unsaid"}})
    for account, said, expected in [
            ("unsaid", None, True), ("unsaid", True, True), ("unsaid", False, False), ("mount", None, True),
            ("mount", False, False), ("nomount", None, False), ("nomount", True, True), ("nomount", False, False)]:
        spec = {"serviceAccountName": account}
        if said is not None:
            spec["automountServiceAccountToken"] = said
        made = core.create_namespaced_pod(namespace, pod(f"{account}-{said}".lower(), **spec))
        paths = [mount.mount_path for mount in made.spec.containers[0].volume_mounts or []]
        assert ("/var/run/secrets/kubernetes.io/serviceaccount" in paths) == expected, (account, said)


@pytest.mark.spec("[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace")
def test_root_certificate(core, namespace):
    def certificate():
        maps = {item.metadata.name: item for item in core.list_namespaced_config_map(namespace).items}
        return maps.get("kube-root-ca.crt")

    first = wait_for(certificate, what="kube-root-ca.crt")
    text = first.data["ca.crt"]
    assert text.startswith("-----BEGIN CERTIFICATE-----")
    core.delete_namespaced_config_map("kube-root-ca.crt", namespace)
    wait_for(lambda: certificate() and certificate().metadata.uid != first.metadata.uid, what="it to be made again")
    changed = certificate()
    changed.data = {"ca.crt": ""}
    core.replace_namespaced_config_map("kube-root-ca.crt", namespace, changed)
    wait_for(lambda: certificate().data["ca.crt"] == text, what="it to be put right")

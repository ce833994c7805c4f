# SPDX-License-Identifier: Apache-2.0
"""Admission as people and programs meet it: quota under load, Pod Security, priorities, limits, accounts."""
import concurrent.futures
import json

import pytest
from kubernetes import client, config
from kubernetes.client.rest import ApiException

from conftest import wait_for

POD = {"containers": [{"name": "c", "image": "x", "command": ["sh", "-c", "exec sleep 1000"]}],
       "terminationGracePeriodSeconds": 0}
GOOD = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"}}


@pytest.fixture(scope="module")
def core(cluster):
    return client.CoreV1Api(config.new_client_from_config(cluster.kubeconfig))


def pod(name, **spec):
    return {"metadata": {"name": name}, "spec": {**POD, **spec}}


def message(call):
    with pytest.raises(ApiException) as error:
        call()
    return error.value.status, json.loads(error.value.body)["message"]


def test_concurrent_creates_never_exceed_a_quota(cluster, core, namespace):
    cluster.kubectl("create", "quota", "few", "-n", namespace, "--hard=count/leases.coordination.k8s.io=7,pods=3")
    leases = client.CoordinationV1Api(core.api_client)

    def lease(index):
        try:
            leases.create_namespaced_lease(namespace, {"metadata": {"name": f"l{index}"}, "spec": {}})
            return True
        except ApiException as error:
            assert error.status == 403 and "exceeded quota: few" in error.body
            return False

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lease, range(60)))
    assert sum(made) == 7
    assert len(leases.list_namespaced_lease(namespace).items) == 7
    # What is deleted makes room at once.
    first = leases.list_namespaced_lease(namespace).items[0].metadata.name
    leases.delete_namespaced_lease(first, namespace)
    assert lease("again")
    assert not lease("toomany")
    wait_for(lambda: core.read_namespaced_resource_quota("few", namespace).status.used
             == {"count/leases.coordination.k8s.io": "7", "pods": "0"}, what="the quota's status")
    # A dry run takes nothing.
    leases.delete_namespaced_lease("lagain", namespace)
    for _ in range(3):
        leases.create_namespaced_lease(namespace, {"metadata": {"name": "dry"}, "spec": {}}, dry_run="All")
    assert lease("real")


def test_a_quota_holds_back_a_deployment(cluster, core, namespace):
    cluster.kubectl("create", "quota", "two", "-n", namespace, "--hard=pods=2")
    cluster.kubectl("create", "deployment", "web", "-n", namespace, "--image=x", "--replicas=3", "--", "sleep", "1000")
    wait_for(lambda: len(core.list_namespaced_pod(namespace).items) == 2, what="two pods")

    def failure():
        sets = cluster.get("replicasets", "-n", namespace)["items"]
        return [c for c in sets[0]["status"].get("conditions", []) if c["type"] == "ReplicaFailure"]
    condition = wait_for(failure, what="the replica set to say why")[0]
    assert condition["reason"] == "FailedCreate"
    assert 'exceeded quota: two, requested: pods=1, used: pods=2, limited: pods=2' in condition["message"]
    # More room is used without anybody asking.
    cluster.kubectl("patch", "quota", "two", "-n", namespace, "--patch", '{"spec":{"hard":{"pods":"3"}}}')
    wait_for(lambda: len(core.list_namespaced_pod(namespace).items) == 3, 30, "the third pod")
    assert "pods" in cluster.kubectl("describe", "quota", "two", "-n", namespace)


def test_quota_of_a_custom_kind(cluster, namespace):
    group = f"{namespace}.example.com"
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
           "metadata": {"name": f"widgets.{group}"},
           "spec": {"group": group, "scope": "Namespaced",
                    "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
                    "versions": [{"name": "v1", "served": True, "storage": True,
                                  "schema": {"openAPIV3Schema": {"type": "object"}}}]}}
    cluster.apply(json.dumps(crd))
    try:
        cluster.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=20s")
        cluster.kubectl("create", "quota", "one", "-n", namespace, f"--hard=count/widgets.{group}=1")

        def widget(name):
            text = json.dumps({"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": name}})
            return cluster.kubectl("create", "-n", namespace, "-f", "-", input=text, check=False)
        assert wait_for(lambda: widget("a").returncode == 0, what="the kind to be served")
        second = widget("b")
        assert f"exceeded quota: one, requested: count/widgets.{group}=1" in second.stderr, second.stderr
        wait_for(lambda: cluster.get("quota", "one", "-n", namespace)["status"].get("used") == {
            f"count/widgets.{group}": "1"}, 20, "the status to count it")
    finally:
        cluster.kubectl("delete", "crd", f"widgets.{group}")


def test_pod_security(cluster, core, namespace):
    core.create_namespaced_pod(namespace, pod("before"))
    labelled = cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted",
                               "pod-security.kubernetes.io/enforce-version=v1.36", check=False)
    assert f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "restricted:v1.36"' in \
        labelled.stderr
    assert "before: allowPrivilegeEscalation != false, unrestricted capabilities" in labelled.stderr
    status, text = message(lambda: core.create_namespaced_pod(namespace, pod("bad", hostPID=True)))
    assert status == 403
    assert text == (
        'pods "bad" is forbidden: violates PodSecurity "restricted:v1.36": host namespaces (hostPID=true), '
        'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != '
        'true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" '
        'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")')
    good = pod("good")
    good["spec"]["containers"] = [{**POD["containers"][0], "securityContext": GOOD}]
    core.create_namespaced_pod(namespace, good)
    warned = cluster.kubectl("create", "deployment", "d", "-n", namespace, "--image=x", check=False)
    assert warned.returncode == 0
    assert 'Warning: would violate PodSecurity "restricted:v1.36"' in warned.stderr
    wrong = cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/warn=strict", check=False)
    assert "must be one of privileged, baseline, restricted" in wrong.stderr
    # Labels and annotations of what is there may change still.
    core.patch_namespaced_pod("before", namespace, {"metadata": {"labels": {"a": "b"}}})
    status, text = message(lambda: core.patch_namespaced_pod("before", namespace, {"spec": {"containers": [
        {"name": "c", "image": "y"}]}}))
    assert status == 403 and "violates PodSecurity" in text


def test_priorities(cluster, core, namespace):
    assert "system-node-critical" in cluster.kubectl("get", "priorityclasses")
    scheduling = client.SchedulingV1Api(core.api_client)
    name = f"{namespace}-high"
    scheduling.create_priority_class({"metadata": {"name": name}, "value": 1000, "preemptionPolicy": "Never"})
    try:
        made = core.create_namespaced_pod(namespace, pod("p", priorityClassName=name))
        assert (made.spec.priority, made.spec.preemption_policy) == (1000, "Never")
        critical = core.create_namespaced_pod(namespace, pod("q", priorityClassName="system-cluster-critical"))
        assert critical.spec.priority == 2000000000
        assert message(lambda: core.create_namespaced_pod(namespace, pod("r", priorityClassName="none"))) == (
            403, 'pods "r" is forbidden: no PriorityClass with name none was found')
        assert message(lambda: core.create_namespaced_pod(namespace, pod("r", priority=5)))[0] == 403
        assert "may not be changed in an update." in message(lambda: scheduling.patch_priority_class(name, {"value": 5}))[1]
        assert "reserved for system use only" in message(lambda: scheduling.create_priority_class(
            {"metadata": {"name": "system-x"}, "value": 1}))[1]
    finally:
        scheduling.delete_priority_class(name)


def test_service_accounts(cluster, core, namespace):
    status, text = message(lambda: core.create_namespaced_pod(namespace, pod("p", serviceAccountName="absent")))
    assert (status, text) == (
        403, f'pods "p" is forbidden: error looking up service account {namespace}/absent: serviceaccount "absent" not found')
    talking = pod("talks")
    talking["spec"]["containers"][0] = {**POD["containers"][0], "command": [
        "sh", "-c", 'cat "$APUS_SERVICE_ACCOUNT/namespace"; echo; head -1 "$APUS_SERVICE_ACCOUNT/ca.crt"; '
                    'cut -c1-2 "$APUS_SERVICE_ACCOUNT/token"; exec sleep 1000']}
    core.create_namespaced_pod(namespace, talking)
    logged = wait_for(lambda: len(cluster.kubectl("logs", "talks", "-n", namespace, check=False).stdout.split("\n")) > 3
                      and cluster.kubectl("logs", "talks", "-n", namespace), what="the pod to talk")
    assert logged.split("\n")[:3] == [namespace, "-----BEGIN CERTIFICATE-----", "ey"]
    reasons = [event["reason"] for event in cluster.get("events", "-n", namespace)["items"]]
    assert "MountPathNotMounted" not in reasons, "a volume that every pod has is nothing to tell"
    core.patch_namespaced_service_account("default", namespace, {"imagePullSecrets": [{"name": "pull"}]})
    made = core.create_namespaced_pod(namespace, pod("pulls"))
    assert [secret.name for secret in made.spec.image_pull_secrets] == ["pull"]


def test_a_pod_right_after_its_namespace(cluster):
    """The default account of a new namespace is waited for, as upstream does."""
    for index in range(5):
        name = f"fresh-{index}"
        text = "\n---\n".join(json.dumps(item) for item in [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
            {"apiVersion": "v1", "kind": "Pod", **pod("p"), "metadata": {"name": "p", "namespace": name}}])
        cluster.kubectl("create", "-f", "-", input=text)
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_claims_keep_the_limits_of_their_namespace(core, namespace):
    core.create_namespaced_limit_range(namespace, {"metadata": {"name": "l"}, "spec": {"limits": [
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}},
        {"type": "Pod", "max": {"memory": "1Gi"}, "maxLimitRequestRatio": {"memory": "2"}}]}})

    def claim(storage):
        return core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": "c"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}})
    assert message(lambda: claim("500Mi"))[1] == (
        'persistentvolumeclaims "c" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi')
    assert "maximum storage usage per PersistentVolumeClaim is 2Gi" in message(lambda: claim("3Gi"))[1]
    claim("1Gi")
    greedy = pod("p")
    greedy["spec"]["containers"] = [{**POD["containers"][0], "resources": {
        "requests": {"memory": "100Mi"}, "limits": {"memory": "2Gi"}}}]
    assert message(lambda: core.create_namespaced_pod(namespace, greedy))[1] == (
        'pods "p" is forbidden: [maximum memory usage per Pod is 1Gi, but limit is 2Gi, memory max limit to request ratio '
        'per Pod is 2, but provided ratio is 20.480000]')

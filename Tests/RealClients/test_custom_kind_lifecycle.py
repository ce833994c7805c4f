# SPDX-License-Identifier: Apache-2.0
"""Custom kinds that have only just come: their owners and dependents, their namespaces, their definitions go as those
of kinds that were always there, by kubectl. Nothing here may wait for a controller to look around by itself."""
import json
import random

import pytest

from conftest import wait_for

# The garbage collector looks around by itself every 30 s.
SOON = 8


def crd(group, kind, scope="Namespaced"):
    plural = kind.lower() + "s"
    return json.dumps({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group, "scope": scope, "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}],
        },
    })


@pytest.fixture
def group(cluster):
    """A group of its own with the kinds Parent and Child."""
    group = "".join(random.choice("abcdefghijkmnpqrstuvwxyz") for _ in range(8)) + ".example.com"
    for kind in ("Parent", "Child"):
        cluster.apply(crd(group, kind))
    yield group
    for kind in ("parents", "childs"):
        cluster.kubectl("delete", "crd", f"{kind}.{group}", "--ignore-not-found", "--wait=false")


def make(cluster, namespace, group, kind, name, owner=None, block=False, finalizers=()):
    """Creates an object with an owner of kind Parent; its uid."""
    metadata = {"name": name, "namespace": namespace, "finalizers": list(finalizers)}
    if owner:
        metadata["ownerReferences"] = [{"apiVersion": f"{group}/v1", "kind": "Parent", "name": "parent", "uid": owner,
                                        "blockOwnerDeletion": block}]
    document = json.dumps({"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata})
    return json.loads(cluster.kubectl("create", "-f", "-", "-o", "json", input=document))["metadata"]["uid"]


def names(cluster, namespace, resource):
    return cluster.kubectl("-n", namespace, "get", resource, "-o", "jsonpath={.items[*].metadata.name}").split()


def test_background(cluster, namespace, group):
    uid = make(cluster, namespace, group, "Parent", "parent")
    make(cluster, namespace, group, "Child", "child", uid)
    cluster.kubectl("-n", namespace, "delete", f"parents.{group}", "parent", "--wait=false")
    wait_for(lambda: not names(cluster, namespace, f"childs.{group}"), SOON, "the child to go")


def test_foreground(cluster, namespace, group):
    uid = make(cluster, namespace, group, "Parent", "parent")
    make(cluster, namespace, group, "Child", "child", uid, block=True, finalizers=["example.com/hold"])
    cluster.kubectl("-n", namespace, "delete", f"parents.{group}", "parent", "--cascade=foreground", "--wait=false")

    def going():
        child = json.loads(cluster.kubectl("-n", namespace, "get", f"childs.{group}", "child", "-o", "json"))
        return child["metadata"].get("deletionTimestamp")

    wait_for(going, SOON, "the child to be deleted")
    parent = json.loads(cluster.kubectl("-n", namespace, "get", f"parents.{group}", "parent", "-o", "json"))
    assert parent["metadata"]["finalizers"] == ["foregroundDeletion"]
    cluster.kubectl("-n", namespace, "patch", f"childs.{group}", "child", "--type=merge", "-p",
                    '{"metadata": {"finalizers": null}}')
    wait_for(lambda: not names(cluster, namespace, f"parents.{group}"), SOON, "the parent to go after its child")


def test_orphan(cluster, namespace, group):
    uid = make(cluster, namespace, group, "Parent", "parent")
    make(cluster, namespace, group, "Child", "child", uid)
    cluster.kubectl("-n", namespace, "delete", f"parents.{group}", "parent", "--cascade=orphan", "--wait=false")
    wait_for(lambda: not names(cluster, namespace, f"parents.{group}"), SOON, "the parent to go")
    child = json.loads(cluster.kubectl("-n", namespace, "get", f"childs.{group}", "child", "-o", "json"))
    assert "ownerReferences" not in child["metadata"] and "deletionTimestamp" not in child["metadata"]


def test_built_in_dependents(cluster, namespace, group):
    """The other way round: what is built in goes with its custom owner."""
    uid = make(cluster, namespace, group, "Parent", "parent")
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "child", "namespace": namespace, "ownerReferences": [
            {"apiVersion": f"{group}/v1", "kind": "Parent", "name": "parent", "uid": uid}]}}))
    # While the owner is there it stays.
    assert "child" in names(cluster, namespace, "configmaps")
    cluster.kubectl("-n", namespace, "delete", f"parents.{group}", "parent")
    wait_for(lambda: "child" not in names(cluster, namespace, "configmaps"), SOON, "the config map to go")


def test_quota(cluster, namespace, group):
    """A quota that names a kind before there is one counts its objects as soon as there is."""
    other = f"other-{group}"
    cluster.kubectl("-n", namespace, "create", "quota", "q", f"--hard=count/things.{other}=2")

    def used():
        quota = json.loads(cluster.kubectl("-n", namespace, "get", "quota", "q", "-o", "json"))
        return quota.get("status", {}).get("used", {}).get(f"count/things.{other}")

    cluster.apply(crd(other, "Thing"))
    for name in ("a", "b"):
        make(cluster, namespace, other, "Thing", name)
    wait_for(lambda: used() == "2", 5, "the quota to count")
    assert "exceeded quota" in cluster.kubectl(
        "create", "-f", "-", check=False, input=json.dumps({
            "apiVersion": f"{other}/v1", "kind": "Thing", "metadata": {"name": "c", "namespace": namespace}})).stderr
    # A definition that comes back begins with nothing.
    cluster.kubectl("delete", "crd", f"things.{other}")
    wait_for(lambda: used() == "0", 5, "the quota to forget")
    cluster.apply(crd(other, "Thing"))
    make(cluster, namespace, other, "Thing", "a")
    wait_for(lambda: used() == "1", 5, "the quota to count again")
    cluster.kubectl("delete", "crd", f"things.{other}")


def test_a_namespace_waits_for_finalizers(cluster, group):
    namespace = "going-" + group.split(".")[0]
    cluster.kubectl("create", "namespace", namespace)
    make(cluster, namespace, group, "Parent", "free")
    make(cluster, namespace, group, "Parent", "held", finalizers=["example.com/hold"])
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")

    def conditions():
        status = json.loads(cluster.kubectl("get", "namespace", namespace, "-o", "json"))["status"]
        assert status["phase"] == "Terminating"
        return {one["type"]: one for one in status.get("conditions", [])}

    def waits():
        return conditions().get("NamespaceFinalizersRemaining", {}).get("status") == "True"

    wait_for(waits, SOON, "the namespace to tell what it waits for")
    told = conditions()
    assert {name: (one["status"], one["reason"]) for name, one in told.items()} == {
        "NamespaceDeletionDiscoveryFailure": ("False", "ResourcesDiscovered"),
        "NamespaceDeletionGroupVersionParsingFailure": ("False", "ParsedGroupVersions"),
        "NamespaceDeletionContentFailure": ("False", "ContentDeleted"),
        "NamespaceContentRemaining": ("True", "SomeResourcesRemain"),
        "NamespaceFinalizersRemaining": ("True", "SomeFinalizersRemain"),
    }
    assert told["NamespaceContentRemaining"]["message"] == (
        f"Some resources are remaining: parents.{group} has 1 resource instances")
    assert told["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances")
    assert names(cluster, namespace, f"parents.{group}") == ["held"]
    assert "because it is being terminated" in cluster.kubectl(
        "create", "-f", "-", check=False, input=json.dumps({
            "apiVersion": f"{group}/v1", "kind": "Parent", "metadata": {"name": "late", "namespace": namespace}})).stderr
    cluster.kubectl("-n", namespace, "patch", f"parents.{group}", "held", "--type=merge", "-p",
                    '{"metadata": {"finalizers": null}}')
    wait_for(lambda: cluster.kubectl("get", "namespace", namespace, "--ignore-not-found") == "", SOON,
             "the namespace to go")


def test_a_definition_takes_its_objects_along(cluster, namespace, group):
    make(cluster, namespace, group, "Parent", "free")
    make(cluster, namespace, group, "Parent", "held", finalizers=["example.com/hold"])
    name = f"parents.{group}"
    before = json.loads(cluster.kubectl("get", "crd", name, "-o", "json"))
    assert "customresourcecleanup.apiextensions.k8s.io" not in before["metadata"].get("finalizers", [])
    cluster.kubectl("delete", "crd", name, "--wait=false")
    wait_for(lambda: names(cluster, namespace, name) == ["held"], SOON, "all but what is held to go")
    definition = json.loads(cluster.kubectl("get", "crd", name, "-o", "json"))
    assert definition["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    terminating = next(one for one in definition["status"]["conditions"] if one["type"] == "Terminating")
    assert terminating["status"] == "True"
    refused = cluster.kubectl("create", "-f", "-", check=False, input=json.dumps(
        {"apiVersion": f"{group}/v1", "kind": "Parent", "metadata": {"name": "late", "namespace": namespace}}))
    assert refused.returncode != 0
    cluster.kubectl("-n", namespace, "patch", name, "held", "--type=merge", "-p",
                    '{"metadata": {"finalizers": null}}')
    wait_for(lambda: cluster.kubectl("get", "crd", name, "--ignore-not-found") == "", SOON, "the definition to go")
    assert "the server doesn't have a resource type" in cluster.kubectl("get", name, check=False).stderr

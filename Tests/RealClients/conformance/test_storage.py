# SPDX-License-Identifier: Apache-2.0
"""Volumes, claims, the kinds of storage.k8s.io, immutable ConfigMaps and Secrets, nodes and leases."""
import datetime
import uuid

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from conftest import wait_for

MERGE = "application/merge-patch+json"


@pytest.fixture
def label():
    """A label that only this test's objects carry."""
    return {"e2e-test": uuid.uuid4().hex[:12]}


def selector(labels):
    return ",".join(f"{key}={value}" for key, value in labels.items())


def refused(code, call, *arguments, **options):
    with pytest.raises(ApiException) as error:
        call(*arguments, **options)
    assert error.value.status == code
    return error.value


def walk(resource, body, label, change, namespace=None):
    """Creates, gets, lists, patches, updates, deletes one object, then a collection of one, by the dynamic client.

    `change(object)` changes what an update may change; the object after the update is returned.
    """
    place = {"namespace": namespace} if namespace else {}
    labels = selector(label)
    body = {**body, "metadata": {**body["metadata"], "labels": dict(label)}}
    name = body["metadata"]["name"]
    created = resource.create(body=body, **place)
    assert created.metadata.name == name and created.metadata.uid
    assert resource.get(name=name, **place).metadata.uid == created.metadata.uid
    assert [item.metadata.name for item in resource.get(label_selector=labels, **place).items] == [name]
    patched = resource.patch(name=name, body={"metadata": {"labels": {"patched": "yes"}}}, content_type=MERGE, **place)
    assert patched.metadata.labels["patched"] == "yes"
    full = patched.to_dict()
    full["metadata"]["labels"]["updated"] = "yes"
    change(full)
    updated = resource.replace(body=full, **place)
    assert updated.metadata.labels["updated"] == "yes"
    assert updated.metadata.resourceVersion != patched.metadata.resourceVersion
    resource.delete(name=name, **place)
    wait_for(lambda: not resource.get(label_selector=labels, **place).items, 30, f"{name} to be gone")
    body["metadata"]["name"] = f"{name}-2"
    resource.create(body=body, **place)
    resource.delete(label_selector=labels, **place)
    wait_for(lambda: not resource.get(label_selector=labels, **place).items, 30, "the collection to be empty")
    return updated


@pytest.mark.spec("[sig-storage] StorageClasses CSI Conformance should run through the lifecycle of a StorageClass")
def test_storage_class(dyn, label):
    resource = dyn.resources.get(api_version="storage.k8s.io/v1", kind="StorageClass")
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"generateName": "e2e-", "name": f"e2e-{label['e2e-test']}"}, "provisioner": "e2e-fake"}

    def change(full):
        full["allowVolumeExpansion"] = True

    updated = walk(resource, body, label, change)
    assert updated.allowVolumeExpansion is True
    assert updated.reclaimPolicy == "Delete" and updated.volumeBindingMode == "Immediate"


@pytest.mark.spec(
    "[sig-storage] VolumeAttributesClass [FeatureGate:VolumeAttributesClass] should run through the lifecycle of a "
    "VolumeAttributesClass")
def test_volume_attributes_class(dyn, label):
    resource = dyn.resources.get(api_version="storage.k8s.io/v1", kind="VolumeAttributesClass")
    name = f"e2e-{label['e2e-test']}"
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttributesClass", "metadata": {"name": name},
            "driverName": "e2e-fake.csi.test", "parameters": {"iops": "1000"}}
    walk(resource, body, label, lambda full: None)


@pytest.mark.spec("[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver")
def test_csi_driver(dyn, label):
    resource = dyn.resources.get(api_version="storage.k8s.io/v1", kind="CSIDriver")
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver",
            "metadata": {"name": f"inline-driver-{label['e2e-test']}"},
            "spec": {"volumeLifecycleModes": ["Ephemeral"], "podInfoOnMount": False}}

    def change(full):
        full["spec"]["storageCapacity"] = True

    updated = walk(resource, body, label, change)
    assert updated.spec.storageCapacity is True and updated.spec.volumeLifecycleModes == ["Ephemeral"]


@pytest.mark.spec("[sig-storage] CSINodes CSI Conformance should run through the lifecycle of a csinode")
def test_csi_node(dyn, label):
    resource = dyn.resources.get(api_version="storage.k8s.io/v1", kind="CSINode")
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode",
            "metadata": {"name": f"e2e-csinode-{label['e2e-test']}"}, "spec": {"drivers": []}}

    def change(full):
        full["spec"]["drivers"] = [{"name": "e2e.example", "nodeID": "n1", "topologyKeys": []}]

    updated = walk(resource, body, label, change)
    assert updated.spec.drivers[0].nodeID == "n1"


@pytest.mark.spec("[sig-storage] CSIStorageCapacity should support CSIStorageCapacities API operations")
def test_csi_storage_capacity(cluster, dyn, api, label, namespace):
    groups = client.ApisApi(api).get_api_versions().groups
    group = next(group for group in groups if group.name == "storage.k8s.io")
    assert "v1" in [version.version for version in group.versions]
    assert "csistoragecapacities" in [item.name for item in client.StorageV1Api(api).get_api_resources().resources]
    resource = dyn.resources.get(api_version="storage.k8s.io/v1", kind="CSIStorageCapacity")
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIStorageCapacity",
            "metadata": {"name": f"e2e-{label['e2e-test']}"}, "storageClassName": "e2e-fake"}
    storage = client.StorageV1Api(api)
    start = storage.list_namespaced_csi_storage_capacity(namespace).metadata.resource_version

    def change(full):
        full["capacity"] = "10Gi"

    updated = walk(resource, body, label, change, namespace)
    assert updated.capacity == "10Gi"
    seen = []
    for event in watch.Watch().stream(
            storage.list_namespaced_csi_storage_capacity, namespace, resource_version=start, timeout_seconds=20,
            label_selector=selector(label)):
        seen.append(event["type"])
        if len(seen) == 6:
            break
    assert seen == ["ADDED", "MODIFIED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    everywhere = storage.list_csi_storage_capacity_for_all_namespaces(label_selector=selector(label))
    assert everywhere.items == []
    other = dict(body, metadata={"name": "immutable"})
    resource.create(body=other, namespace=namespace)
    changed = cluster.kubectl("-n", namespace, "patch", "csistoragecapacity", "immutable", "--type=merge", "-p",
                              '{"storageClassName":"other"}', check=False)
    assert "storageClassName: Invalid value" in changed.stderr and "field is immutable" in changed.stderr


@pytest.mark.spec("[sig-storage] CSIInlineVolumes should support CSIVolumeSource in Pod API")
def test_csi_inline_volume(core, namespace, label):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "inline", "labels": label},
           "spec": {"nodeSelector": {"no-such": "node"}, "containers": [
               {"name": "c", "image": "x", "command": ["true"],
                "volumeMounts": [{"name": "v", "mountPath": "/mnt"}]}],
               "volumes": [{"name": "v", "csi": {"driver": "e2e.example", "volumeAttributes": {"a": "b"}}}]}}
    core.create_namespaced_pod(namespace, pod)
    got = core.read_namespaced_pod("inline", namespace)
    assert got.spec.volumes[0].csi.driver == "e2e.example"
    listed = core.list_namespaced_pod(namespace, label_selector=selector(label)).items
    assert [item.metadata.name for item in listed] == ["inline"]
    patched = core.patch_namespaced_pod("inline", namespace, {"metadata": {"labels": {"patched": "yes"}}})
    assert patched.metadata.labels["patched"] == "yes"
    assert patched.spec.volumes[0].csi.volume_attributes == {"a": "b"}
    core.delete_namespaced_pod("inline", namespace, grace_period_seconds=0)
    wait_for(lambda: not core.list_namespaced_pod(namespace, label_selector=selector(label)).items,
             what="the pod to be gone")


def volume_pair(name, namespace, label):
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name, "labels": label},
              "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": name,
                       "persistentVolumeReclaimPolicy": "Retain",
                       "nodeAffinity": {"required": {"nodeSelectorTerms": [
                           {"matchExpressions": [{"key": "e2e", "operator": "In", "values": ["none"]}]}]}},
                       "csi": {"driver": "e2e-driver", "volumeHandle": name}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "labels": label},
             "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": name,
                      "resources": {"requests": {"storage": "1Gi"}}}}
    return volume, claim


@pytest.mark.spec(
    "[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC")
def test_volume_lifecycle(core, namespace, label):
    name = f"e2e-{label['e2e-test']}"
    labels = selector(label)
    volume, claim = volume_pair(name, namespace, label)
    core.create_persistent_volume(volume)
    core.create_namespaced_persistent_volume_claim(namespace, claim)
    assert len(core.list_persistent_volume(label_selector=labels).items) == 1
    assert len(core.list_namespaced_persistent_volume_claim(namespace, label_selector=labels).items) == 1
    patched = core.patch_persistent_volume(name, {"metadata": {"labels": {"patched": "yes"}}})
    assert patched.metadata.labels["patched"] == "yes"
    patched = core.patch_namespaced_persistent_volume_claim(
        name, namespace, {"metadata": {"labels": {"patched": "yes"}}})
    assert patched.metadata.labels["patched"] == "yes"
    wait_for(lambda: core.read_namespaced_persistent_volume_claim(name, namespace).status.phase == "Bound",
             what="the claim to be bound")
    core.delete_namespaced_persistent_volume_claim(name, namespace)
    wait_for(lambda: not core.list_namespaced_persistent_volume_claim(namespace, label_selector=labels).items,
             what="the claim to be gone")
    core.delete_persistent_volume(name)
    wait_for(lambda: not core.list_persistent_volume(label_selector=labels).items, what="the volume to be gone")
    core.create_persistent_volume(volume)
    core.create_namespaced_persistent_volume_claim(namespace, claim)

    def relabel(read, replace):
        def attempt():
            found = read()
            found.metadata.labels["updated"] = "yes"
            try:
                return replace(found).metadata.labels["updated"] == "yes"
            except ApiException as error:
                assert error.status == 409
                return False
        wait_for(attempt, what="an update that meets no other")

    relabel(lambda: core.read_persistent_volume(name), lambda found: core.replace_persistent_volume(name, found))
    relabel(lambda: core.read_namespaced_persistent_volume_claim(name, namespace),
            lambda found: core.replace_namespaced_persistent_volume_claim(name, namespace, found))
    core.delete_collection_namespaced_persistent_volume_claim(namespace, label_selector=labels)
    wait_for(lambda: not core.list_namespaced_persistent_volume_claim(namespace, label_selector=labels).items,
             what="the claims to be gone")
    core.delete_collection_persistent_volume(label_selector=labels)
    wait_for(lambda: not core.list_persistent_volume(label_selector=labels).items, what="the volumes to be gone")


def without_conflict(update):
    """What `update()`, which reads and writes an object, gives once nobody else writes the object in between."""
    def attempt():
        try:
            return update()
        except ApiException as error:
            assert error.status == 409
            return None
    return wait_for(attempt, what="an update that meets no other")


@pytest.mark.spec("[sig-storage] PersistentVolumes CSI Conformance should apply changes to a pv/pvc status")
def test_volume_status(core, namespace, label):
    name = f"e2e-{label['e2e-test']}"
    volume, claim = volume_pair(name, namespace, label)
    core.create_persistent_volume(volume)
    core.create_namespaced_persistent_volume_claim(namespace, claim)
    wait_for(lambda: core.read_persistent_volume(name).status.phase == "Bound"
             and core.read_namespaced_persistent_volume_claim(name, namespace).status.phase == "Bound",
             what="both to be bound")
    patch = {"status": {"message": "StatusPatched", "reason": "E2E patchStatus"}}
    patched = core.patch_persistent_volume_status(name, patch)
    assert patched.status.message == "StatusPatched" and patched.status.reason == "E2E patchStatus"
    condition = {"type": "StatusPatched", "status": "True", "reason": "E2E patchedStatus", "message": "by test"}
    patched = core.patch_namespaced_persistent_volume_claim_status(
        name, namespace, {"status": {"conditions": [condition]}})
    assert [entry.type for entry in patched.status.conditions] == ["StatusPatched"]

    def update_volume():
        read = core.read_persistent_volume_status(name)
        read.status.reason = "E2E updateStatus"
        read.spec.capacity = {"storage": "9Gi"}
        return core.replace_persistent_volume_status(name, read)

    def update_claim():
        read = core.read_namespaced_persistent_volume_claim_status(name, namespace)
        read.status.conditions.append(client.V1PersistentVolumeClaimCondition(
            type="StatusUpdated", status="True", reason="E2E", message="by test"))
        return core.replace_namespaced_persistent_volume_claim_status(name, namespace, read)

    # Controllers may still be adding finalizers, or looking at the status that was patched.
    updated = without_conflict(update_volume)
    assert updated.status.reason == "E2E updateStatus" and updated.spec.capacity == {"storage": "1Gi"}
    updated = without_conflict(update_claim)
    assert [entry.type for entry in updated.status.conditions] == ["StatusPatched", "StatusUpdated"]
    core.delete_namespaced_persistent_volume_claim(name, namespace)
    wait_for(lambda: not core.list_namespaced_persistent_volume_claim(namespace).items, what="the claim to be gone")
    core.delete_persistent_volume(name)


@pytest.mark.spec(
    "[sig-storage] ConfigMap should be immutable if `immutable` field is set",
    "[sig-storage] Secrets should be immutable if `immutable` field is set")
@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_immutable(core, namespace, kind):
    suffix = {"ConfigMap": "config_map", "Secret": "secret"}[kind]
    create, read, replace, delete = (
        getattr(core, f"{verb}_namespaced_{suffix}") for verb in ["create", "read", "replace", "delete"])
    value = {"ConfigMap": "value", "Secret": "dmFsdWU="}[kind]
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "immutable"}, "data": {"key": value}}
    create(namespace, body)
    found = read("immutable", namespace)
    found.data["key2"] = value
    found = replace("immutable", namespace, found)
    found.immutable = True
    found = replace("immutable", namespace, found)
    found.data["key3"] = value
    error = refused(422, replace, "immutable", namespace, found)
    assert "field is immutable when `immutable` is set" in error.body
    found = read("immutable", namespace)
    found.immutable = False
    refused(422, replace, "immutable", namespace, found)
    found = read("immutable", namespace)
    found.metadata.labels = {"may": "change"}
    assert replace("immutable", namespace, found).metadata.labels == {"may": "change"}
    delete("immutable", namespace)
    refused(404, read, "immutable", namespace)


@pytest.mark.spec("[sig-node] Node Lifecycle should run through the lifecycle of a node")
def test_node_lifecycle(core, label):
    name = f"e2e-fake-node-{label['e2e-test']}"
    labels = selector(label)
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": label},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "message": "Set from e2e test", "reason": "E2E"}]}}
    created = core.create_node(body)
    assert created.metadata.name == name
    assert core.read_node(name).metadata.uid == created.metadata.uid
    assert [node.metadata.name for node in core.list_node(label_selector=labels).items] == [name]
    patched = core.patch_node(name, {"metadata": {"labels": {"patched": "yes"}}})
    assert patched.metadata.labels["patched"] == "yes"

    def update():
        found = core.read_node(name)
        found.metadata.labels["updated"] = "yes"
        try:
            return core.replace_node(name, found).metadata.labels["updated"] == "yes"
        except ApiException as error:
            assert error.status == 409
            return False

    wait_for(update, what="an update that meets no other")
    core.delete_node(name)
    wait_for(lambda: not core.list_node(label_selector=labels).items, what="the node to be gone")


@pytest.mark.spec("[sig-node] Lease lease API should be available")
def test_lease(api, namespace, label):
    leases = client.CoordinationV1Api(api)
    name = "lease"
    now = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone.utc)

    def lease(name, **spec):
        return client.V1Lease(metadata=client.V1ObjectMeta(name=name, labels=dict(label)),
                              spec=client.V1LeaseSpec(**spec))

    created = leases.create_namespaced_lease(namespace, lease(
        name, holder_identity="holder", lease_duration_seconds=30, acquire_time=now, renew_time=now,
        lease_transitions=0))
    read = leases.read_namespaced_lease(name, namespace)
    assert read.spec == created.spec and read.spec.renew_time == now
    later = now + datetime.timedelta(seconds=10, microseconds=7)
    read.spec = client.V1LeaseSpec(holder_identity="holder2", lease_duration_seconds=60, acquire_time=later,
                                   renew_time=later, lease_transitions=1)
    leases.replace_namespaced_lease(name, namespace, read)
    read = leases.read_namespaced_lease(name, namespace)
    assert read.spec.holder_identity == "holder2" and read.spec.renew_time == later
    patched = leases.patch_namespaced_lease(name, namespace, {"spec": {
        "holderIdentity": "holder3", "leaseDurationSeconds": 70, "leaseTransitions": 2}})
    assert (patched.spec.holder_identity, patched.spec.lease_duration_seconds, patched.spec.lease_transitions) == (
        "holder3", 70, 2)
    leases.create_namespaced_lease(namespace, lease("lease-2", holder_identity="other"))
    assert len(leases.list_namespaced_lease(namespace, label_selector=selector(label)).items) == 2
    leases.delete_collection_namespaced_lease(namespace, label_selector=selector(label))
    assert leases.list_namespaced_lease(namespace, label_selector=selector(label)).items == []
    leases.create_namespaced_lease(namespace, lease(name, holder_identity="again"))
    leases.delete_namespaced_lease(name, namespace)
    refused(404, leases.read_namespaced_lease, name, namespace)

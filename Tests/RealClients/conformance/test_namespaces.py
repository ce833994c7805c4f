# SPDX-License-Identifier: Apache-2.0
"""The life of a namespace."""
import json

import pytest
from kubernetes.client.rest import ApiException

from conftest import wait_for

from .operations import random_name


@pytest.fixture
def own(core):
    """A namespace that the test may delete."""
    name = random_name("ns-")
    core.create_namespace({"metadata": {"name": name}})
    yield name
    try:
        core.delete_namespace(name)
    except ApiException as error:
        assert error.status in (404, 409)


def is_gone(core, name):
    try:
        core.read_namespace(name)
    except ApiException as error:
        return error.status == 404
    return False


@pytest.mark.spec("[sig-api-machinery] Namespaces [Serial] should patch a Namespace")
def test_patch(core, own):
    core.patch_namespace(own, {"metadata": {"labels": {"testLabel": "testValue"}}})
    labels = core.read_namespace(own).metadata.labels
    assert labels == {"testLabel": "testValue", "kubernetes.io/metadata.name": own}


@pytest.mark.spec("[sig-api-machinery] Namespaces [Serial] should apply an update to a Namespace")
def test_update(core, own):
    namespace = core.read_namespace(own)
    namespace.metadata.labels["updated"] = "yes"
    core.replace_namespace(own, namespace)
    found = core.list_namespace(label_selector="updated=yes", field_selector=f"metadata.name={own}")
    assert [one.metadata.name for one in found.items] == [own]


@pytest.mark.spec("[sig-api-machinery] Namespaces [Serial] should apply changes to a namespace status")
def test_status(core, api, own):
    assert core.read_namespace_status(own).status.phase == "Active"
    condition = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched by a test"}
    patched = core.patch_namespace_status(
        own, {"metadata": {"annotations": {"e2e-patched-ns-status": own}}, "status": {"conditions": [condition]}})
    assert patched.metadata.annotations["e2e-patched-ns-status"] == own
    assert [one.type for one in patched.status.conditions] == ["StatusPatch"]
    namespace = core.read_namespace(own)
    namespace.status.conditions.append({"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "m"})
    updated = core.replace_namespace_status(own, namespace)
    assert [one.type for one in updated.status.conditions] == ["StatusPatch", "StatusUpdate"]
    assert updated.status.phase == "Active"


@pytest.mark.spec("[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace")
def test_finalizer(cluster, core, own):
    namespace = json.loads(cluster.kubectl("get", "namespace", own, "-o", "json"))
    assert namespace["spec"]["finalizers"] == ["kubernetes"]
    namespace["spec"]["finalizers"].append("e2e.example.com/fakeFinalizer")
    core.replace_namespace_finalize(own, namespace)
    core.delete_namespace(own)
    left = wait_for(lambda: core.read_namespace(own).spec.finalizers == ["e2e.example.com/fakeFinalizer"]
                    and core.read_namespace(own), what="the controller's own finalizer to go")
    assert left.status.phase == "Terminating"
    left.spec.finalizers = []
    core.replace_namespace_finalize(own, left)
    wait_for(lambda: is_gone(core, own), what="the namespace to be gone")


@pytest.mark.spec("[sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a "
                  "namespace is deleted")
def test_services_go_with_it(cluster, core, own):
    core.create_namespaced_service(own, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    cluster.kubectl("delete", "namespace", own, "--timeout=60s")
    assert is_gone(core, own)
    core.create_namespace({"metadata": {"name": own}})
    assert core.list_namespaced_service(own).items == []
    with pytest.raises(ApiException) as error:
        core.read_namespaced_service("s", own)
    assert error.value.status == 404

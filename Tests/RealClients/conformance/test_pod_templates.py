# SPDX-License-Identifier: Apache-2.0
"""PodTemplates."""
import pytest
from kubernetes.client.rest import ApiException

from .operations import random_name


def template(name, labels):
    return {"metadata": {"name": name, "labels": labels},
            "template": {"spec": {"containers": [{"name": "nginx", "image": "nginx"}]}}}


@pytest.mark.spec("[sig-node] PodTemplates should run the lifecycle of PodTemplates")
def test_lifecycle(core, namespace):
    label = random_name("nginx-")
    core.create_namespaced_pod_template(namespace, template("nginx", {"podtemplate-static": label}))
    listed = core.list_pod_template_for_all_namespaces(label_selector=f"podtemplate-static={label}")
    assert len(listed.items) == 1
    core.patch_namespaced_pod_template("nginx", namespace, {"metadata": {"labels": {"podtemplate": "patched"}}})
    assert core.read_namespaced_pod_template("nginx", namespace).metadata.labels["podtemplate"] == "patched"
    core.delete_namespaced_pod_template("nginx", namespace)
    assert core.list_pod_template_for_all_namespaces(label_selector=f"podtemplate-static={label}").items == []


@pytest.mark.spec("[sig-node] PodTemplates should delete a collection of pod templates")
def test_collection(core, namespace):
    for name in ["test-podtemplate-1", "test-podtemplate-2", "test-podtemplate-3"]:
        core.create_namespaced_pod_template(namespace, template(name, {"podtemplate-set": "true"}))
    assert len(core.list_namespaced_pod_template(namespace, label_selector="podtemplate-set=true").items) == 3
    core.delete_collection_namespaced_pod_template(namespace, label_selector="podtemplate-set=true")
    assert core.list_namespaced_pod_template(namespace, label_selector="podtemplate-set=true").items == []


@pytest.mark.spec("[sig-node] PodTemplates should replace a pod template")
def test_replace(core, namespace):
    made = core.create_namespaced_pod_template(namespace, template("t", {"podtemplate-set": "true"}))
    made.metadata.annotations = {"updated": "true"}
    core.replace_namespaced_pod_template("t", namespace, made)
    assert core.read_namespaced_pod_template("t", namespace).metadata.annotations["updated"] == "true"
    with pytest.raises(ApiException) as error:
        core.replace_namespaced_pod_template("t", namespace, made)
    assert error.value.status == 409

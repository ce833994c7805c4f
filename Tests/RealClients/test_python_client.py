# SPDX-License-Identifier: Apache-2.0
"""The Python `kubernetes` client against `apus up` (must hold 1)."""
import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException


@pytest.fixture(scope="module")
def api(cluster):
    return config.new_client_from_config(cluster.kubeconfig)


def config_map(name, data=None):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"made": "here"}), data=data or {"k": "v"})


def test_create_list_patch_delete(api, namespace):
    core = client.CoreV1Api(api)
    for index in range(7):
        core.create_namespaced_config_map(namespace, config_map(f"c{index}"))
    page = core.list_namespaced_config_map(namespace, limit=3, label_selector="made=here")
    names = [item.metadata.name for item in page.items]
    while page.metadata._continue:
        page = core.list_namespaced_config_map(namespace, limit=3, label_selector="made=here",
                                               _continue=page.metadata._continue)
        names += [item.metadata.name for item in page.items]
    assert names == [f"c{index}" for index in range(7)]
    core.patch_namespaced_config_map("c1", namespace, {"data": {"k": "w"}})
    assert core.read_namespaced_config_map("c1", namespace).data == {"k": "w"}
    core.delete_namespaced_config_map("c1", namespace)
    with pytest.raises(ApiException) as error:
        core.read_namespaced_config_map("c1", namespace)
    assert error.value.status == 404
    core.delete_collection_namespaced_config_map(namespace, label_selector="made=here")
    assert core.list_namespaced_config_map(namespace, label_selector="made=here").items == []


def test_stale_write_is_a_conflict(api, namespace):
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map(namespace, config_map("c"))
    first = core.read_namespaced_config_map("c", namespace)
    second = core.read_namespaced_config_map("c", namespace)
    first.data = {"k": "1"}
    core.replace_namespaced_config_map("c", namespace, first)
    second.data = {"k": "2"}
    with pytest.raises(ApiException) as error:
        core.replace_namespaced_config_map("c", namespace, second)
    assert error.value.status == 409 and "the object has been modified" in error.value.body
    assert core.read_namespaced_config_map("c", namespace).data == {"k": "1"}


def test_watch_sees_changes_in_order(api, namespace):
    core = client.CoreV1Api(api)
    selector = "metadata.name=w"
    start = core.list_namespaced_config_map(namespace, field_selector=selector).metadata.resource_version
    core.create_namespaced_config_map(namespace, config_map("w"))
    core.patch_namespaced_config_map("w", namespace, {"data": {"k": "2"}})
    core.delete_namespaced_config_map("w", namespace)
    seen = []
    for event in watch.Watch().stream(core.list_namespaced_config_map, namespace, field_selector=selector,
                                      resource_version=start, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            break
    assert seen == [("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")]


def test_watch_of_a_version_from_the_future_or_compacted_is_told(api, namespace):
    core = client.CoreV1Api(api)
    with pytest.raises(ApiException) as error:
        for _ in watch.Watch().stream(core.list_namespaced_config_map, namespace, resource_version="nonsense",
                                      timeout_seconds=5):
            pass
    assert error.value.status in (400, 410)


def test_deployment_and_scale(api, namespace):
    apps = client.AppsV1Api(api)
    labels = {"app": "py"}
    container = client.V1Container(name="main", image="x", command=["sleep", "1000"])
    apps.create_namespaced_deployment(namespace, client.V1Deployment(
        metadata=client.V1ObjectMeta(name="py"),
        spec=client.V1DeploymentSpec(
            replicas=1, selector=client.V1LabelSelector(match_labels=labels),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(labels=labels),
                spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=0)))))
    for event in watch.Watch().stream(apps.list_namespaced_deployment, namespace, timeout_seconds=60):
        if (event["object"].status.ready_replicas or 0) == 1:
            break
    else:
        pytest.fail("the deployment did not become ready")
    apps.patch_namespaced_deployment_scale("py", namespace, {"spec": {"replicas": 2}})
    assert apps.read_namespaced_deployment_scale("py", namespace).spec.replicas == 2


def test_dynamic_client(api, namespace):
    services = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="Service")
    services.create(namespace=namespace, body={
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}]}})
    assert services.get(namespace=namespace, name="s").spec.clusterIP.startswith("127.")

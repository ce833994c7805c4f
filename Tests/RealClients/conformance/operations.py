# SPDX-License-Identifier: Apache-2.0
"""What the specs "should support … API operations" have in common: every verb of a kind, by the dynamic client."""
import copy
import json
import random

import pytest
from kubernetes.client.rest import ApiException


def random_name(prefix):
    return prefix + "".join(random.choice("abcdefghijkmnpqrstuvwxyz") for _ in range(8))


def check_discovery(cluster, api_version, plural, namespaced, verbs):
    """The group, its version and the resource are found, with all verbs."""
    path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    resources = json.loads(cluster.kubectl("get", "--raw", path))["resources"]
    resource = next(resource for resource in resources if resource["name"] == plural)
    assert resource["namespaced"] == namespaced and set(verbs) <= set(resource["verbs"])
    if "/" in api_version:
        group, version = api_version.split("/")
        groups = {one["name"]: one for one in json.loads(cluster.kubectl("get", "--raw", "/apis"))["groups"]}
        assert version in [one["version"] for one in groups[group]["versions"]]


ALL_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def api_operations(cluster, dyn, api_version, kind, plural, make, namespace=None, update=None, status=None,
                   names=None):
    """Creates three objects of `make(name)` and does with them what clients do.

    `update(object)` changes an object for PUT and returns what to look up afterwards; `status` is a value for the
    subresource and is expected to come back."""
    check_discovery(cluster, api_version, plural, namespace is not None, ALL_VERBS)
    resource = dyn.resources.get(api_version=api_version, kind=kind)
    place = {"namespace": namespace} if namespace else {}
    label = random_name("special-")
    names = names or [random_name("op-") for _ in range(3)]

    def body(name):
        made = copy.deepcopy(make(name))
        made.update({"apiVersion": api_version, "kind": kind})
        made.setdefault("metadata", {}).update({"name": name})
        made["metadata"].setdefault("labels", {})["special-label"] = label
        return made

    selector = f"special-label={label}"
    start = resource.get(label_selector=selector, **place).metadata.resourceVersion
    created = [resource.create(body=body(name), **place) for name in names]
    assert len({one.metadata.uid for one in created}) == 3
    with pytest.raises(ApiException) as error:
        resource.create(body=body(names[0]), **place)
    assert error.value.status == 409
    assert resource.get(name=names[0], **place).metadata.uid == created[0].metadata.uid
    listed = resource.get(label_selector=selector, **place)
    assert sorted(one.metadata.name for one in listed.items) == sorted(names)
    if namespace:
        everywhere = resource.get(label_selector=selector)
        assert len(everywhere.items) == 3
    # From the version before the creations a watch sees them, and what comes then.
    patched = resource.patch(name=names[0], body={"metadata": {"annotations": {"patched": "true"}}},
                             content_type="application/merge-patch+json", **place)
    assert patched.metadata.annotations["patched"] == "true"
    fresh = resource.get(name=names[0], **place).to_dict()
    fresh["metadata"]["annotations"]["updated"] = "true"
    expected = update(fresh) if update else None
    updated = resource.replace(body=fresh, **place)
    assert updated.metadata.annotations["updated"] == "true"
    if expected:
        assert expected(updated.to_dict())
    fresh["metadata"]["resourceVersion"] = created[0].metadata.resourceVersion
    with pytest.raises(ApiException) as error:
        resource.replace(body=fresh, **place)
    assert error.value.status == 409
    if status is not None:
        answer = resource.status.patch(name=names[0], body={"metadata": {"annotations": {"patchedstatus": "true"}},
                                                            "status": status},
                                       content_type="application/merge-patch+json", **place).to_dict()
        assert_contains(answer["status"], status)
        assert answer["metadata"]["annotations"]["patchedstatus"] == "true"
        fresh = resource.get(name=names[0], **place).to_dict()
        answer = resource.status.replace(name=names[0], body=fresh, **place).to_dict()
        assert_contains(answer["status"], status)
        assert_contains(resource.status.get(name=names[0], **place).to_dict()["status"], status)
    resource.delete(name=names[0], **place)
    with pytest.raises(ApiException) as error:
        resource.get(name=names[0], **place)
    assert error.value.status == 404
    resource.delete(label_selector=selector, **place)
    assert resource.get(label_selector=selector, **place).items == []
    seen = []
    for event in resource.watch(resource_version=start, label_selector=selector, timeout=30, **place):
        seen.append((event["type"], event["object"].metadata.name))
        if len([one for one in seen if one[0] == "DELETED"]) == 3:
            break
    assert seen[:3] == [("ADDED", name) for name in names]
    assert ("MODIFIED", names[0]) in seen
    assert sorted(name for kind, name in seen if kind == "DELETED") == sorted(names)


def assert_contains(actual, expected):
    """Every member of `expected` is in `actual`, which may have more (times, defaults)."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert key in actual, (key, actual)
            assert_contains(actual[key], value)
    elif isinstance(expected, list):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected):
            assert_contains(one, other)
    else:
        assert actual == expected

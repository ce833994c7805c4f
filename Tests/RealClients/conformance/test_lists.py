# SPDX-License-Identifier: Apache-2.0
"""Lists in chunks, and forms of answers that a resource does not have."""
import json

import pytest
from kubernetes.client.rest import ApiException


def template(name):
    return {"metadata": {"name": name}, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}


@pytest.mark.spec("[sig-api-machinery] Servers with support for API chunking should return chunks of results for list "
                  "calls")
def test_chunks(core, namespace):
    total = 40
    for index in range(total):
        core.create_namespaced_pod_template(namespace, template(f"template-{index:04}"))
    for limit in [1, 7, 39, 40, 41]:
        found, token, version = [], None, None
        while True:
            page = core.list_namespaced_pod_template(namespace, limit=limit, _continue=token)
            assert len(page.items) <= limit
            found += [one.metadata.name for one in page.items]
            version = version or page.metadata.resource_version
            assert page.metadata.resource_version == version, "all pages are of one moment"
            token = page.metadata._continue
            if not token:
                assert not page.metadata.remaining_item_count
                break
            assert page.metadata.remaining_item_count == total - len(found)
            if len(found) == limit:
                # What is made now does not show up in this list.
                core.create_namespaced_pod_template(namespace, template(f"template-9{limit:03}"))
                core.delete_namespaced_pod_template(f"template-9{limit:03}", namespace)
        assert found == [f"template-{index:04}" for index in range(total)]
    full = core.list_namespaced_pod_template(namespace, limit=total)
    assert len(full.items) == total and not full.metadata._continue


@pytest.mark.spec("[sig-api-machinery] Servers with support for API chunking should support continue listing from the "
                  "last key if the original version has been compacted away, though the list is inconsistent [Slow]")
def test_compacted(core, namespace):
    for index in range(20):
        core.create_namespaced_pod_template(namespace, template(f"template-{index:04}"))
    page = core.list_namespaced_pod_template(namespace, limit=5)
    token = page.metadata._continue
    # The window of old versions is bounded in bytes: this pushes the page's version out of it.
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "big"}})
    for index in range(24):
        core.patch_namespaced_config_map("big", namespace, {"data": {"k": str(index) + "x" * 900_000}})
    core.create_namespaced_pod_template(namespace, template("template-0007b"))
    core.delete_namespaced_pod_template("template-0010", namespace)
    with pytest.raises(ApiException) as error:
        core.list_namespaced_pod_template(namespace, limit=5, _continue=token)
    status = json.loads(error.value.body)
    assert error.value.status == 410 and status["reason"] == "Expired"
    inconsistent = status["metadata"]["continue"]
    page = core.list_namespaced_pod_template(namespace, limit=5, _continue=inconsistent)
    found = [one.metadata.name for one in page.items]
    version = page.metadata.resource_version
    while page.metadata._continue:
        page = core.list_namespaced_pod_template(namespace, limit=5, _continue=page.metadata._continue)
        assert page.metadata.resource_version == version, "from here on it is consistent again"
        found += [one.metadata.name for one in page.items]
    expected = [f"template-{index:04}" for index in range(5, 20) if index != 10] + ["template-0007b"]
    assert found == sorted(expected)


@pytest.mark.spec("[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend "
                  "which does not implement metadata")
def test_table_of_a_review(api):
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
              "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    with pytest.raises(ApiException) as error:
        api.call_api("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "POST", body=review,
                     header_params={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io",
                                    "Content-Type": "application/json"},
                     auth_settings=["BearerToken"], response_type="object")
    assert error.value.status == 406 and json.loads(error.value.body)["reason"] == "NotAcceptable"

# SPDX-License-Identifier: Apache-2.0
"""Dynamic resource allocation: the kinds of resource.k8s.io."""
import json

import pytest

from .operations import api_operations

VERSION = "resource.k8s.io/v1"


@pytest.mark.spec("[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 DeviceClass")
def test_device_class(cluster, dyn):
    def make(name):
        return {"spec": {"selectors": [{"cel": {"expression": 'device.driver == "dra.example.com"'}}]}}

    def update(body):
        body["spec"]["config"] = [{"opaque": {"driver": "dra.example.com", "parameters": {"a": "b"}}}]
        return lambda answer: answer["spec"]["config"][0]["opaque"]["parameters"] == {"a": "b"}

    api_operations(cluster, dyn, VERSION, "DeviceClass", "deviceclasses", make, update=update)


def claim():
    return {"devices": {"requests": [{"name": "req-0", "exactly": {"deviceClassName": "class-0"}}]}}


@pytest.mark.spec("[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim")
def test_resource_claim(cluster, dyn, namespace):
    result = {"driver": "dra.example.com", "pool": "pool-0", "device": "device-0", "request": "req-0"}
    api_operations(cluster, dyn, VERSION, "ResourceClaim", "resourceclaims", lambda name: {"spec": claim()}, namespace,
                   status={"allocation": {"devices": {"results": [result]}}})


@pytest.mark.spec("[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate")
def test_resource_claim_template(cluster, dyn, namespace):
    api_operations(cluster, dyn, VERSION, "ResourceClaimTemplate", "resourceclaimtemplates",
                   lambda name: {"spec": {"metadata": {"labels": {"a": "b"}}, "spec": claim()}}, namespace)


@pytest.mark.spec("[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice")
def test_resource_slice(cluster, dyn):
    def make(name):
        return {"spec": {"driver": "dra.example.com", "nodeName": "node-0",
                         "pool": {"name": name, "generation": 1, "resourceSliceCount": 1},
                         "devices": [{"name": "device-0", "attributes": {"model": {"string": "x"}},
                                      "capacity": {"memory": {"value": "1Gi"}}}]}}

    def update(body):
        body["spec"]["devices"].append({"name": "device-1"})
        return lambda answer: answer["metadata"]["generation"] == 2 and len(answer["spec"]["devices"]) == 2

    api_operations(cluster, dyn, VERSION, "ResourceSlice", "resourceslices", make, update=update)


def test_columns_and_refusals(cluster, namespace):
    manifest = {"apiVersion": VERSION, "kind": "ResourceClaim", "metadata": {"name": "c", "namespace": namespace},
                "spec": claim()}
    cluster.apply(json.dumps(manifest))
    assert cluster.kubectl("get", "resourceclaim", "-n", namespace, "--no-headers").split()[:2] == ["c", "pending"]
    manifest["spec"]["devices"]["requests"][0]["name"] = "other"
    refused = cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest), check=False)
    assert refused.returncode != 0 and "field is immutable" in refused.stderr

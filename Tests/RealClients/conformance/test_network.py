# SPDX-License-Identifier: Apache-2.0
"""Services and their endpoints, ingresses, addresses of services."""
import pytest
from kubernetes import client
from kubernetes.client.rest import ApiException

from conftest import wait_for

from .operations import api_operations, random_name


@pytest.mark.spec("[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server",
                  "[sig-network] API Server should provide secure master service")
def test_service_of_the_server(cluster, api, core):
    service = core.read_namespaced_service("kubernetes", "default")
    assert [(port.port, port.name) for port in service.spec.ports] == [(443, "https")]
    endpoints = core.read_namespaced_endpoints("kubernetes", "default")
    addresses = {address.ip for subset in endpoints.subsets for address in subset.addresses}
    assert addresses == {cluster.url.split("//")[1].split(":")[0]}
    slices = client.DiscoveryV1Api(api).list_namespaced_endpoint_slice(
        "default", label_selector="kubernetes.io/service-name=kubernetes")
    assert {address for one in slices.items for end in one.endpoints for address in end.addresses} == addresses
    assert slices.items[0].ports[0].port == int(cluster.url.rsplit(":", 1)[1])


def endpoints_or_none(core, name, namespace):
    try:
        return core.read_namespaced_endpoints(name, namespace)
    except ApiException as error:
        assert error.status == 404
        return None


@pytest.mark.spec("[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector "
                  "that matches no pods",
                  "[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector "
                  "that matches no pods")
def test_service_without_pods(api, core, namespace):
    discovery = client.DiscoveryV1Api(api)
    selector = "kubernetes.io/service-name=empty"
    core.create_namespaced_service(namespace, {"metadata": {"name": "empty"}, "spec": {
        "selector": {"does-not-match-anything": "1"}, "ports": [{"name": "example", "port": 80}]}})
    endpoints = wait_for(lambda: endpoints_or_none(core, "empty", namespace), what="Endpoints")
    assert not endpoints.subsets
    slices = wait_for(lambda: discovery.list_namespaced_endpoint_slice(namespace, label_selector=selector).items,
                      what="a slice")
    assert len(slices) == 1 and not slices[0].endpoints
    core.delete_namespaced_service("empty", namespace)
    wait_for(lambda: endpoints_or_none(core, "empty", namespace) is None, what="the Endpoints to go")
    wait_for(lambda: not discovery.list_namespaced_endpoint_slice(namespace, label_selector=selector).items,
             what="the slice to go")


@pytest.mark.spec("[sig-network] EndpointSlice should support creating EndpointSlice API operations")
def test_endpoint_slice_operations(cluster, dyn, namespace):
    def make(name):
        return {"addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4", "5.6.7.8"]}]}

    def update(body):
        body["endpoints"] = [{"addresses": ["9.9.9.9"]}]
        return lambda answer: answer["endpoints"][0]["addresses"] == ["9.9.9.9"]

    api_operations(cluster, dyn, "discovery.k8s.io/v1", "EndpointSlice", "endpointslices", make, namespace, update)


@pytest.mark.spec("[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update "
                  "and delete")
def test_mirroring(api, core, namespace):
    discovery = client.DiscoveryV1Api(api)
    core.create_namespaced_service(namespace, {"metadata": {"name": "custom"}, "spec": {
        "ports": [{"name": "example", "port": 80}]}})

    def mirrored():
        return discovery.list_namespaced_endpoint_slice(namespace, label_selector="kubernetes.io/service-name=custom").items

    core.create_namespaced_endpoints(namespace, {
        "metadata": {"name": "custom"},
        "subsets": [{"ports": [{"name": "example", "port": 80}], "addresses": [{"ip": "10.1.2.3"}]}]})
    first, = wait_for(mirrored, what="a slice")
    assert [(end.addresses, end.conditions.ready) for end in first.endpoints] == [(["10.1.2.3"], True)]
    assert [(port.name, port.port, port.protocol) for port in first.ports] == [("example", 80, "TCP")]
    assert first.metadata.labels["endpointslice.kubernetes.io/managed-by"] == \
        "endpointslicemirroring-controller.k8s.io"
    assert [owner.kind for owner in first.metadata.owner_references] == ["Endpoints"]
    core.patch_namespaced_endpoints("custom", namespace, {
        "subsets": [{"ports": [{"name": "example", "port": 80}], "addresses": [{"ip": "10.2.3.4"}]}]})
    wait_for(lambda: [end.addresses for one in mirrored() for end in one.endpoints] == [["10.2.3.4"]],
             what="the new address")
    assert [one.metadata.name for one in mirrored()] == [first.metadata.name]
    core.delete_namespaced_endpoints("custom", namespace)
    wait_for(lambda: not mirrored(), what="the slice to go")


@pytest.mark.spec("[sig-network] Endpoints should test the lifecycle of an Endpoint")
def test_endpoints_lifecycle(core, namespace):
    label = random_name("t")
    core.create_namespaced_endpoints(namespace, {
        "metadata": {"name": "testservice", "labels": {"test-endpoint-static": label}},
        "subsets": [{"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}]})
    selector = f"test-endpoint-static={label}"
    found = core.list_endpoints_for_all_namespaces(label_selector=selector).items
    assert [one.metadata.name for one in found] == ["testservice"]
    endpoints = found[0]
    endpoints.metadata.labels["test-service"] = "updated"
    core.replace_namespaced_endpoints("testservice", namespace, endpoints)
    core.patch_namespaced_endpoints("testservice", namespace, {
        "metadata": {"labels": {"test-service": "patched"}},
        "subsets": [{"addresses": [{"ip": "10.0.0.25"}], "ports": [{"name": "http-test", "port": 8080}]}]})
    read = core.read_namespaced_endpoints("testservice", namespace)
    assert read.metadata.labels["test-service"] == "patched"
    assert read.subsets[0].addresses[0].ip == "10.0.0.25" and read.subsets[0].ports[0].name == "http-test"
    core.delete_collection_namespaced_endpoints(namespace, label_selector=selector)
    assert core.list_namespaced_endpoints(namespace, label_selector=selector).items == []


@pytest.mark.spec("[sig-network] Ingress API should support creating Ingress API operations")
def test_ingress_operations(cluster, dyn, namespace):
    def make(name):
        return {"spec": {"defaultBackend": {"service": {"name": "default-backend", "port": {"number": 80}}},
                         "rules": [{"host": f"{name}.example.com", "http": {"paths": [
                             {"path": "/", "pathType": "ImplementationSpecific",
                              "backend": {"service": {"name": "test-backend", "port": {"number": 8080}}}}]}}]}}

    def update(body):
        body["spec"]["ingressClassName"] = "class"
        return lambda answer: answer["metadata"]["generation"] == 2

    api_operations(cluster, dyn, "networking.k8s.io/v1", "Ingress", "ingresses", make, namespace, update,
                   status={"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}})


def test_ingress_columns(cluster, namespace):
    cluster.kubectl("create", "ingress", "web", "-n", namespace, "--class=c", "--rule=a.example/x*=s:80,tls=t")
    line = cluster.kubectl("get", "ingress", "-n", namespace, "--no-headers").split()
    assert line[:3] == ["web", "c", "a.example"] and line[3:5] == ["80,", "443"]
    refused = cluster.kubectl("create", "ingress", "bad", "-n", namespace, "--rule=1.2.3.4/x=s:80", check=False)
    assert 'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address' in refused.stderr


@pytest.mark.spec("[sig-network] IngressClass API should support creating IngressClass API operations")
def test_ingress_class_operations(cluster, dyn):
    def make(name):
        return {"spec": {"controller": "example.com/controller"}}

    api_operations(cluster, dyn, "networking.k8s.io/v1", "IngressClass", "ingressclasses", make)


@pytest.mark.spec("[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations")
def test_ip_address_operations(cluster, dyn):
    def make(name):
        return {"spec": {"parentRef": {"group": "", "resource": "services", "name": "fake", "namespace": "default"}}}

    api_operations(cluster, dyn, "networking.k8s.io/v1", "IPAddress", "ipaddresses", make,
                   names=["192.168.3.1", "192.168.3.2", "2001:db8::ffff"])


@pytest.mark.spec("[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations")
def test_service_cidr_operations(cluster, dyn):
    def make(name):
        return {"spec": {"cidrs": ["10.107.0.0/16"]}}

    api_operations(cluster, dyn, "networking.k8s.io/v1", "ServiceCIDR", "servicecidrs", make,
                   status={"conditions": [{"type": "StatusPatched", "status": "True", "reason": "E2E", "message": "m",
                                           "lastTransitionTime": "2024-01-01T00:00:00Z"}]})
    default = dyn.resources.get(api_version="networking.k8s.io/v1", kind="ServiceCIDR").get(name="kubernetes")
    assert [(one.type, one.status) for one in default.status.conditions] == [("Ready", "True")]
    address = cluster.get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"]
    assert default.spec.cidrs[0].split(".")[:2] == address.split(".")[:2]


@pytest.mark.spec("[sig-network] Services should complete a service status lifecycle")
def test_service_status(core, namespace):
    core.create_namespaced_service(namespace, {"metadata": {"name": "lb", "labels": {"test-service-static": "true"}},
                                               "spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/x",
                                                        "ports": [{"name": "http", "port": 80, "targetPort": 80}]}})
    assert not core.read_namespaced_service_status("lb", namespace).status.load_balancer.ingress
    patched = core.patch_namespaced_service_status("lb", namespace, {
        "metadata": {"annotations": {"patchedstatus": "true"}},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}})
    assert patched.status.load_balancer.ingress[0].ip == "203.0.113.1"
    assert patched.metadata.annotations["patchedstatus"] == "true"
    service = core.read_namespaced_service("lb", namespace)
    service.status.conditions = [{"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set by a test",
                                  "lastTransitionTime": "2024-01-01T00:00:00Z"}]
    updated = core.replace_namespaced_service_status("lb", namespace, service)
    assert [one.type for one in updated.status.conditions] == ["StatusUpdate"]
    core.patch_namespaced_service("lb", namespace, {"metadata": {"labels": {"test-service": "patched"}}})
    read = core.read_namespaced_service("lb", namespace)
    assert read.metadata.labels["test-service"] == "patched"
    assert read.status.load_balancer.ingress[0].ip == "203.0.113.1", "the status is still there"
    core.delete_namespaced_service("lb", namespace)
    with pytest.raises(ApiException) as error:
        core.read_namespaced_service("lb", namespace)
    assert error.value.status == 404


@pytest.mark.spec("[sig-network] Services should delete a collection of services")
def test_service_collection(core, namespace):
    for name, label in [("e2e-svc-a", "one"), ("e2e-svc-b", "one"), ("e2e-svc-c", "two")]:
        core.create_namespaced_service(namespace, {"metadata": {"name": name, "labels": {"set": label}},
                                                   "spec": {"ports": [{"port": 8001}]}})
    core.delete_collection_namespaced_service(namespace, label_selector="set=one")
    assert [one.metadata.name for one in core.list_namespaced_service(namespace).items] == ["e2e-svc-c"]


@pytest.mark.spec("[sig-network] Services should find a service from listing all namespaces")
def test_find_a_service(core):
    found = core.list_service_for_all_namespaces(field_selector="metadata.name=kubernetes")
    assert [(one.metadata.namespace, one.metadata.name) for one in found.items] == [("default", "kubernetes")]

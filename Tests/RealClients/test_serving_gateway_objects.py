# SPDX-License-Identifier: Apache-2.0
"""Objects of the Gateway API by kubectl and the kubernetes client: what a gateway says of them, and that it goes by
them."""
import base64
import json

import pytest
import requests
from kubernetes import client, config

from conftest import wait_for
from scaling_fixture import apply_kinds, deployment, free_port, gateway, service

GROUP = "gateway.networking.k8s.io"


@pytest.fixture(scope="module")
def served(cluster):
    """A platform with the kinds, a class, and a gateway that runs."""
    apply_kinds(cluster)
    cluster.apply(json.dumps({"apiVersion": f"{GROUP}/v1", "kind": "GatewayClass", "metadata": {"name": "apus"},
                              "spec": {"controllerName": "serving.apus.dev/gateway"}}))
    role = gateway(cluster).start()
    yield role
    role.stop()


@pytest.fixture(scope="module")
def api(cluster):
    return client.CustomObjectsApi(config.new_client_from_config(cluster.kubeconfig))


def listen(cluster, namespace, port, name="gw", protocol="HTTP", **listener):
    cluster.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "Gateway", "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": "apus",
                 "listeners": [{"name": "main", "port": port, "protocol": protocol, **listener}]}}))


def route(cluster, namespace, backends, name="web", **spec):
    cluster.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "HTTPRoute", "metadata": {"name": name, "namespace": namespace},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": backends}], **spec}}))


def condition(conditions, kind):
    found = next((c for c in conditions if c["type"] == kind), None)
    return found and f"{found['status']} {found['reason']}"


def parent(api, namespace, kind, name="web"):
    """A condition of a route, by its first parent."""
    found = api.get_namespaced_custom_object(GROUP, "v1", namespace, "httproutes", name)
    parents = found.get("status", {}).get("parents", [])
    return parents and condition(parents[0]["conditions"], kind)


def test_a_gateway_is_programmed_and_serves(served, cluster, namespace, api):
    port = free_port()
    cluster.apply(deployment("web", replicas=1), "-n", namespace)
    cluster.apply(service("web"), "-n", namespace)
    listen(cluster, namespace, port)
    route(cluster, namespace, [{"name": "web", "port": 80}])
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Programmed", "gateway/gw", "--timeout=60s")
    wait_for(lambda: parent(api, namespace, "Accepted") == "True Accepted", what="the route to be accepted")
    wait_for(lambda: parent(api, namespace, "ResolvedRefs") == "True ResolvedRefs", what="references to be resolved")
    answer = wait_for(lambda: (a := requests.get(f"http://127.0.0.1:{port}/x", timeout=60)).status_code == 200 and a,
                      what="an answer through the gateway")
    assert answer.text.startswith("web-")
    found = wait_for(lambda: (g := api.get_namespaced_custom_object(GROUP, "v1", namespace, "gateways", "gw")) and g[
        "status"]["listeners"][0]["attachedRoutes"] == 1 and g, what="the count of routes")
    assert found["status"]["addresses"] == [{"type": "IPAddress", "value": "127.0.0.1"}]
    listener = found["status"]["listeners"][0]
    assert listener["attachedRoutes"] == 1 and condition(listener["conditions"], "Programmed") == "True Programmed"
    assert cluster.kubectl("get", "gatewayclass", "apus", "-o",
                           "jsonpath={.status.conditions[?(@.type=='Accepted')].status}") == "True"
    # Server-side apply: the fields are the gateway's.
    managers = {m["manager"] for m in found["metadata"].get("managedFields", []) if m.get("subresource") == "status"}
    assert managers == {"apus-gateway"}
    # And what is taken away is gone.
    cluster.kubectl("delete", "httproute", "web", "-n", namespace)
    wait_for(lambda: requests.get(f"http://127.0.0.1:{port}/x", timeout=60).status_code == 404, what="404")


def test_what_is_wrong_is_said(served, cluster, namespace, api):
    listen(cluster, namespace, free_port(), hostname="a.example.com")
    route(cluster, namespace, [{"name": "none", "port": 80}])
    wait_for(lambda: parent(api, namespace, "ResolvedRefs") == "False BackendNotFound", what="BackendNotFound")
    cluster.apply(service("none"), "-n", namespace)
    wait_for(lambda: parent(api, namespace, "ResolvedRefs") == "True ResolvedRefs", what="the Service to be seen")
    route(cluster, namespace, [{"name": "none", "port": 80}], hostnames=["b.example.com"])
    wait_for(lambda: parent(api, namespace, "Accepted") == "False NoMatchingListenerHostname", what="no hostname")
    listen(cluster, namespace, free_port(), protocol="UDP")

    def refused():
        found = json.loads(cluster.kubectl("get", "gateway", "gw", "-n", namespace, "-o", "json"))
        listeners = found.get("status", {}).get("listeners", [])
        return listeners and condition(listeners[0]["conditions"], "Accepted")

    wait_for(lambda: refused() == "False UnsupportedProtocol", what="the protocol to be refused")


def test_a_port_that_is_taken(served, cluster, namespace):
    import socket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen(cluster, namespace, taken.getsockname()[1])
        wait_for(lambda: "PortUnavailable" in cluster.kubectl("get", "gateway", "gw", "-n", namespace, "-o", "json"),
                 what="PortUnavailable")


def test_other_namespaces_need_a_grant(served, cluster, namespace, api):
    other = namespace + "-other"
    cluster.kubectl("create", "namespace", other)
    cluster.apply(service("web"), "-n", other)
    listen(cluster, namespace, free_port())
    route(cluster, namespace, [{"name": "web", "namespace": other, "port": 80}])
    wait_for(lambda: parent(api, namespace, "ResolvedRefs") == "False RefNotPermitted", what="RefNotPermitted")
    cluster.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1beta1", "kind": "ReferenceGrant", "metadata": {"name": "g", "namespace": other},
        "spec": {"from": [{"group": GROUP, "kind": "HTTPRoute", "namespace": namespace}],
                 "to": [{"group": "", "kind": "Service"}]}}))
    wait_for(lambda: parent(api, namespace, "ResolvedRefs") == "True ResolvedRefs", what="the grant to count")
    cluster.kubectl("delete", "namespace", other, "--wait=false")


def test_words_of_others_stay(served, cluster, namespace, api):
    listen(cluster, namespace, free_port())
    cluster.apply(service("web"), "-n", namespace)
    route(cluster, namespace, [{"name": "web", "port": 80}])
    wait_for(lambda: parent(api, namespace, "ResolvedRefs") == "True ResolvedRefs", what="references to be resolved")
    theirs = {"parentRef": {"name": "elsewhere"}, "controllerName": "example.com/other", "conditions": []}

    def added():
        found = api.get_namespaced_custom_object(GROUP, "v1", namespace, "httproutes", "web")
        found["status"]["parents"].append(theirs)
        try:
            api.replace_namespaced_custom_object_status(GROUP, "v1", namespace, "httproutes", "web", found)
        except client.ApiException as error:
            # The gateway has written meanwhile: read again, as any controller does.
            if error.status != 409:
                raise
            return False
        return True

    wait_for(added, what="the status with another's words")
    route(cluster, namespace, [{"name": "gone", "port": 80}])

    def both():
        parents = api.get_namespaced_custom_object(GROUP, "v1", namespace, "httproutes", "web")["status"]["parents"]
        names = {p["controllerName"]: p for p in parents}
        mine = names.get("serving.apus.dev/gateway")
        return mine and condition(mine["conditions"], "ResolvedRefs") == "False BackendNotFound" and names

    assert wait_for(both, what="the new status")["example.com/other"]["parentRef"] == {"name": "elsewhere"}


def test_policies_of_a_route(served, cluster, namespace):
    """An API key by a Secret, attached to the route."""
    port = free_port()
    cluster.apply(deployment("web", replicas=1), "-n", namespace)
    cluster.apply(service("web"), "-n", namespace)
    listen(cluster, namespace, port)
    route(cluster, namespace, [{"name": "web", "port": 80}])
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
                              "data": {"ann": base64.b64encode(b"open-sesame").decode()}}), "-n", namespace)
    cluster.apply(json.dumps({
        "apiVersion": "serving.apus.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": {"name": "keys"},
        "spec": {"targetRefs": [{"group": GROUP, "kind": "HTTPRoute", "name": "web"}],
                 "apiKeys": {"secretRefs": [{"name": "keys"}]}}}), "-n", namespace)
    url = f"http://127.0.0.1:{port}/"

    def status(**headers):
        try:
            return requests.get(url, headers=headers, timeout=60).status_code
        except requests.ConnectionError:
            return None

    # The route may be there before its policy.
    wait_for(lambda: status() == 401, what="the policy to close")
    wait_for(lambda: status(**{"x-api-key": "open-sesame"}) == 200, what="the key to open")
    assert status() == 401 and status(**{"x-api-key": "wrong"}) == 401

    def accepted():
        # Statuses come after what they say is so.
        ancestors = cluster.get("trafficpolicy", "keys", "-n", namespace).get("status", {}).get("ancestors", [])
        return ancestors and condition(ancestors[0]["conditions"], "Accepted") == "True Accepted"

    wait_for(accepted, what="the policy's status")


def test_the_gateway_says_where_it_is(served, cluster):
    leases = cluster.get("leases", "-A", "-l", "serving.apus.dev/role=gateway")["items"]
    assert [l["metadata"]["annotations"]["serving.apus.dev/activity"] for l in leases] == [f"http://{served.address}"]

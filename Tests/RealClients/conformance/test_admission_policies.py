# SPDX-License-Identifier: Apache-2.0
"""Policies in CEL that decide about writes and change objects."""
import contextlib
import json

import pytest
from kubernetes import client
from kubernetes.client.rest import ApiException

from .operations import api_operations, random_name

GROUP = "admissionregistration.k8s.io/v1"
VALIDATING = "[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] "
MUTATING = "[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] "


def rules(*resources, operations=("CREATE", "UPDATE"), group="apps"):
    return [{"apiGroups": [group], "apiVersions": ["v1"], "operations": list(operations),
             "resources": list(resources)}]


@pytest.fixture
def policy(dyn, core, namespace):
    """Makes a policy and its binding, which are for objects of the test's namespace only, and deletes them."""
    core.patch_namespace(namespace, {"metadata": {"labels": {namespace: ""}}})
    with contextlib.ExitStack() as stack:
        def make(kind, spec, binding=None):
            name = random_name("policy-")
            spec.setdefault("matchConstraints", {})["namespaceSelector"] = {"matchLabels": {namespace: ""}}
            for one, body in ((kind, spec), (kind + "Binding", {"policyName": name, **(binding or {})})):
                resource = dyn.resources.get(api_version=GROUP, kind=one)
                resource.create(body={"apiVersion": GROUP, "kind": one, "metadata": {"name": name}, "spec": body})
                stack.callback(lambda resource=resource: resource.delete(name=name))
            return name
        yield make


def deployment(name, replicas):
    labels = {"app": name}
    return {"metadata": {"name": name, "labels": labels}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "nginx", "image": "nginx:latest", "command": ["sleep", "1000"]}]}}}}


@pytest.mark.spec(VALIDATING + "should validate against a Deployment")
def test_deployment_is_validated(api, dyn, namespace, policy):
    name = policy("ValidatingAdmissionPolicy", {
        "matchConstraints": {"resourceRules": rules("deployments")},
        "validations": [
            {"expression": "object.spec.replicas > 1", "messageExpression":
                "'wants replicas > 1, got ' + string(object.spec.replicas)"},
            {"expression": "namespaceObject.metadata.name == '%s'" % namespace, "message": "Namespace is wrong"},
        ]}, {"validationActions": ["Deny"]})
    apps = client.AppsV1Api(api)
    with pytest.raises(ApiException) as error:
        apps.create_namespaced_deployment(namespace, deployment("replicated", 1))
    status = json.loads(error.value.body)
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["message"] == (
        'deployments.apps "replicated" is forbidden: '
        f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: wants replicas > 1, got 1")
    apps.create_namespaced_deployment(namespace, deployment("replicated", 2))
    # The rules name Deployments only.
    dyn.resources.get(api_version="apps/v1", kind="ReplicaSet").create(
        body={"apiVersion": "apps/v1", "kind": "ReplicaSet", **deployment("replica-set", 1)}, namespace=namespace)
    with pytest.raises(ApiException) as error:
        apps.patch_namespaced_deployment("replicated", namespace, {"spec": {"replicas": 0}})
    assert "got 0" in json.loads(error.value.body)["message"]
    apps.delete_namespaced_deployment("replicated", namespace)


@pytest.mark.spec(VALIDATING + "should allow expressions to refer variables.")
def test_variables(api, namespace, policy):
    policy("ValidatingAdmissionPolicy", {
        "matchConstraints": {"resourceRules": rules("deployments", "replicasets")},
        "variables": [
            {"name": "replicas", "expression": "object.spec.replicas"},
            {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
        ],
        "validations": [
            {"expression": "variables.replicas > 1"},
            {"expression": "variables.oddReplicas", "message": "must be odd"},
        ]}, {"validationActions": ["Deny"]})
    apps = client.AppsV1Api(api)
    for replicas, message in ((1, "failed expression: variables.replicas > 1"), (2, "must be odd")):
        with pytest.raises(ApiException) as error:
            apps.create_namespaced_deployment(namespace, deployment("odd", replicas))
        assert json.loads(error.value.body)["message"].endswith("denied request: " + message)
    apps.create_namespaced_deployment(namespace, deployment("odd", 3))
    with pytest.raises(ApiException):
        apps.create_namespaced_replica_set(namespace, deployment("even", 2))
    apps.delete_namespaced_deployment("odd", namespace)


def test_types_are_checked(cluster, dyn, policy):
    name = policy("ValidatingAdmissionPolicy", {
        "matchConstraints": {"resourceRules": rules("deployments")},
        "validations": [{"expression": "object.spec.replicas > '1'"},
                        {"expression": "object.spec.replicas > 1", "message": "wants more"}]},
        {"validationActions": ["Deny"]})
    found = dyn.resources.get(api_version=GROUP, kind="ValidatingAdmissionPolicy").get(name=name).to_dict()["status"]
    assert found["observedGeneration"] == 1
    warnings = found["typeChecking"]["expressionWarnings"]
    assert [one["fieldRef"] for one in warnings] == ["spec.validations[0].expression"]
    assert "apps/v1, Kind=Deployment" in warnings[0]["warning"]
    assert "found no matching overload for '_>_' applied to '(int, string)'" in warnings[0]["warning"]
    assert name in cluster.kubectl("get", "validatingadmissionpolicies")


def test_kubectl_sees_refusals_and_warnings(cluster, namespace, policy):
    policy("ValidatingAdmissionPolicy", {
        "matchConstraints": {"resourceRules": rules("configmaps", group="")},
        "validations": [{"expression": "object.metadata.name != 'bad'", "message": "that name is bad"}]},
        {"validationActions": ["Warn"]})
    warned = cluster.kubectl("create", "configmap", "bad", "-n", namespace, check=False)
    assert warned.returncode == 0 and "Warning: Validation failed for ValidatingAdmissionPolicy" in warned.stderr
    assert "that name is bad" in warned.stderr
    policy("ValidatingAdmissionPolicy", {
        "matchConstraints": {"resourceRules": rules("configmaps", group="", operations=["DELETE"])},
        "validations": [{"expression": "oldObject.metadata.name != 'bad'", "message": "it stays"}]},
        {"validationActions": ["Deny"]})
    refused = cluster.kubectl("delete", "configmap", "bad", "-n", namespace, check=False)
    assert refused.returncode != 0 and "it stays" in refused.stderr


def test_parameters_are_custom_resources(cluster, namespace, policy):
    group = random_name("limits") + ".example.com"
    cluster.apply(json.dumps({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"replicalimits.{group}"},
        "spec": {"group": group, "scope": "Namespaced",
                 "names": {"plural": "replicalimits", "singular": "replicalimit", "kind": "ReplicaLimit"},
                 "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                     "type": "object", "properties": {"maxReplicas": {"type": "integer"}}}}}]}}))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/replicalimits.{group}", "--timeout=30s")
    cluster.apply(json.dumps({
        "apiVersion": f"{group}/v1", "kind": "ReplicaLimit", "metadata": {"name": "limit", "namespace": namespace},
        "maxReplicas": 3}))
    policy("ValidatingAdmissionPolicy", {
        "paramKind": {"apiVersion": f"{group}/v1", "kind": "ReplicaLimit"},
        "matchConstraints": {"resourceRules": rules("deployments")},
        "validations": [{"expression": "object.spec.replicas <= params.maxReplicas", "messageExpression":
                         "'at most ' + string(params.maxReplicas)"}]},
        {"validationActions": ["Deny"], "paramRef": {"name": "limit", "parameterNotFoundAction": "Deny"}})
    fine = deployment("fine", 0)
    many = deployment("many", 4)
    for one in (fine, many):
        one.update({"apiVersion": "apps/v1", "kind": "Deployment"})
    cluster.apply(json.dumps(fine), "-n", namespace)
    refused = cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(many), check=False)
    assert refused.returncode != 0 and "denied request: at most 3" in refused.stderr
    cluster.kubectl("delete", f"crd/replicalimits.{group}", "--wait=false")


@pytest.mark.spec(VALIDATING + "should support ValidatingAdmissionPolicy API operations")
def test_validating_operations(cluster, dyn):
    def make(name):
        return {"spec": {"matchConstraints": {
            "namespaceSelector": {"matchLabels": {"nobody": "has-this"}}, "resourceRules": rules("deployments")},
            "validations": [{"expression": "object.spec.replicas <= 100"}]}}

    def update(body):
        body["spec"]["validations"] = [{"expression": "object.spec.replicas <= 200"}]
        return lambda answer: answer["metadata"]["generation"] == 2 and answer["status"]["observedGeneration"] == 2

    condition = {"type": "StatusPatched", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z",
                 "reason": "E2E", "message": "set by a test"}
    api_operations(cluster, dyn, GROUP, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", make,
                   update=update, status={"conditions": [condition]})


@pytest.mark.spec(VALIDATING + "should support ValidatingAdmissionPolicyBinding API operations")
def test_validating_binding_operations(cluster, dyn):
    def make(name):
        return {"spec": {"policyName": "replicalimit-policy.example.com", "validationActions": ["Deny"]}}

    def update(body):
        body["spec"]["validationActions"] = ["Warn"]
        return lambda answer: answer["spec"]["validationActions"] == ["Warn"]

    api_operations(cluster, dyn, GROUP, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", make,
                   update=update)


def mutation(expression, patch_type="ApplyConfiguration"):
    member = patch_type[0].lower() + patch_type[1:] if patch_type != "JSONPatch" else "jsonPatch"
    return {"patchType": patch_type, member: {"expression": expression}}


@pytest.mark.spec(MUTATING + "should mutate a Deployment")
def test_deployment_is_changed(api, namespace, policy):
    policy("MutatingAdmissionPolicy", {
        "matchConstraints": {"resourceRules": rules("deployments")}, "reinvocationPolicy": "Never",
        "mutations": [mutation("Object{spec: Object.spec{replicas: object.spec.replicas + 1}}")]})
    made = client.AppsV1Api(api).create_namespaced_deployment(namespace, deployment("changed", 1))
    assert made.spec.replicas == 2
    assert made.spec.template.spec.containers[0].image == "nginx:latest"
    client.AppsV1Api(api).delete_namespaced_deployment("changed", namespace)


@pytest.mark.spec(MUTATING + "should mutate a Deployment with annotations")
def test_annotations_are_added(api, namespace, policy):
    policy("MutatingAdmissionPolicy", {
        "matchConstraints": {"resourceRules": rules("deployments")}, "reinvocationPolicy": "IfNeeded",
        "mutations": [
            mutation("Object{metadata: Object.metadata{annotations: {'my-foo-annotation': 'myAnnotationValue'}}}"),
            mutation("[JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('example.com/by'),"
                     " value: request.userInfo.username}]", "JSONPatch")]})
    body = deployment("annotated", 0)
    body["metadata"]["annotations"] = {"kept": "yes"}
    made = client.AppsV1Api(api).create_namespaced_deployment(namespace, body)
    assert made.metadata.annotations["my-foo-annotation"] == "myAnnotationValue"
    assert made.metadata.annotations["example.com/by"] and made.metadata.annotations["kept"] == "yes"


@pytest.mark.spec(MUTATING + "should support MutatingAdmissionPolicy API operations")
def test_mutating_operations(cluster, dyn):
    def make(name):
        return {"spec": {"matchConstraints": {
            "namespaceSelector": {"matchLabels": {"nobody": "has-this"}}, "resourceRules": rules("deployments")},
            "reinvocationPolicy": "Never",
            "mutations": [mutation("Object{spec: Object.spec{replicas: 100}}")]}}

    def update(body):
        body["spec"]["mutations"] = [mutation("Object{spec: Object.spec{replicas: 200}}")]
        return lambda answer: answer["metadata"]["generation"] == 2

    api_operations(cluster, dyn, GROUP, "MutatingAdmissionPolicy", "mutatingadmissionpolicies", make, update=update)


@pytest.mark.spec(MUTATING + "should support MutatingAdmissionPolicyBinding API operations")
def test_mutating_binding_operations(cluster, dyn):
    def make(name):
        return {"spec": {"policyName": "replicalimit-policy.example.com"}}

    def update(body):
        body["spec"]["policyName"] = "other-policy.example.com"
        return lambda answer: answer["spec"]["policyName"] == "other-policy.example.com"

    api_operations(cluster, dyn, GROUP, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", make,
                   update=update)

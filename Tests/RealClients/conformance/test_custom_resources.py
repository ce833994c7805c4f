# SPDX-License-Identifier: Apache-2.0
"""CustomResourceDefinitions, discovery and OpenAPI of their kinds, and field validation."""
import contextlib
import json
import random

import pytest
from kubernetes import client, watch
from kubernetes.client.rest import ApiException

from conftest import wait_for

V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
FOO = {
    "type": "object", "description": "Foo CRD for Testing",
    "properties": {
        "spec": {
            "type": "object", "description": "Specification of Foo",
            "properties": {
                "bars": {
                    "type": "array", "description": "List of Bars and their specs.",
                    "items": {
                        "type": "object", "required": ["name"],
                        "properties": {
                            "name": {"type": "string", "description": "Name of Bar."},
                            "age": {"type": "string", "description": "Age of Bar."},
                            "feeling": {"type": "string", "enum": ["Great", "Down"]},
                            "bazs": {"type": "array", "description": "List of Bazs.", "items": {"type": "string"}},
                        },
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"bars": {"type": "array", "items": OPEN}}},
    },
}
PORTS = {
    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    "items": {
        "type": "object", "required": ["containerPort", "protocol"],
        "properties": {
            "containerPort": {"type": "integer", "format": "int32"}, "hostIP": {"type": "string"},
            "hostPort": {"type": "integer", "format": "int32"}, "name": {"type": "string"},
            "protocol": {"type": "string"},
        },
    },
}
CRON = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "foo": {"type": "string"}, "ports": PORTS,
                "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
            },
        },
    },
}


def version(name, schema=OPEN, storage=True, served=True, **more):
    return {"name": name, "served": served, "storage": storage, "schema": {"openAPIV3Schema": schema}, **more}


class Kind:
    """A definition with a name of its own."""

    def __init__(self, api, versions, group=None, scope="Namespaced", labels=None):
        self.api = api
        word = "".join(random.choice("abcdefghijkmnpqrstuvwxyz") for _ in range(6))
        self.plural, self.kind, self.group = f"{word}s", word.capitalize(), group or f"{word}.example.com"
        self.name = f"{self.plural}.{self.group}"
        self.crds = client.ApiextensionsV1Api(api)
        self.body = {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name, "labels": labels or {}},
            "spec": {
                "group": self.group, "scope": scope, "versions": versions,
                "names": {"plural": self.plural, "singular": word, "kind": self.kind, "listKind": f"{self.kind}List"},
            },
        }

    def create(self):
        self.crds.create_custom_resource_definition(self.body)

        def established():
            conditions = self.crds.read_custom_resource_definition(self.name).status.conditions or []
            return {c.type: c.status for c in conditions}.get("Established") == "True"

        wait_for(established, what="the definition to be established")
        return self

    def delete(self):
        with contextlib.suppress(ApiException):
            self.crds.delete_custom_resource_definition(self.name)
        wait_for(lambda: raw(self.api, f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{self.name}",
                             check=False)[0] == 404, what="the definition to be gone")

    def definition(self, version):
        return ".".join(reversed(self.group.split("."))) + f".{version}.{self.kind}"

    def object(self, name, version="v1", **more):
        return {"apiVersion": f"{self.group}/{version}", "kind": self.kind, "metadata": {"name": name}, **more}

    def path(self, version="v1", namespace=None, name=""):
        place = f"/namespaces/{namespace}" if namespace else ""
        return f"/apis/{self.group}/{version}{place}/{self.plural}" + (f"/{name}" if name else "")


@contextlib.contextmanager
def kind(api, *versions, **more):
    made = Kind(api, list(versions), **more).create()
    try:
        yield made
    finally:
        made.delete()


def raw(api, path, method="GET", body=None, accept="application/json", content="application/json", check=True):
    """Status and JSON of a request that the client library does not touch."""
    configuration = api.configuration
    headers = {"Accept": accept, "Content-Type": content}
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    response = api.rest_client.pool_manager.request(method, configuration.host + path, headers=headers, body=data)
    if check:
        assert response.status < 300, response.data
    return response.status, json.loads(response.data), response.headers


def groups(api, accept):
    status, document, headers = raw(api, "/apis", accept=accept)
    return document, headers


# AggregatedDiscovery


@pytest.mark.spec(
    "[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers",
    "[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface")
def test_aggregated_discovery(api, cluster):
    for accept, version in [(V2, "v2"), (V2BETA1, "v2beta1")]:
        document, headers = groups(api, accept)
        assert document["kind"] == "APIGroupDiscoveryList"
        assert document["apiVersion"] == f"apidiscovery.k8s.io/{version}"
        assert f"v={version}" in headers["Content-Type"]
        names = {item["metadata"]["name"] for item in document["items"]}
        assert {"apps", "batch", "apiextensions.k8s.io"} <= names
        core = raw(api, "/api", accept=accept)[1]["items"][0]["versions"][0]
        assert {"pods", "namespaces"} <= {resource["resource"] for resource in core["resources"]}
        pods = next(resource for resource in core["resources"] if resource["resource"] == "pods")
        assert pods["scope"] == "Namespaced" and pods["responseKind"]["kind"] == "Pod"
    document, _ = groups(api, f"{V2BETA1},application/json")
    assert document["kind"] == "APIGroupDiscoveryList"
    document, _ = groups(api, "application/json")
    assert document["kind"] == "APIGroupList"
    assert "deployments" in cluster.kubectl("api-resources", "--api-group=apps", "-o", "name")


@pytest.mark.spec(
    "[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery request for CRDs",
    "[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface for CRDs")
def test_aggregated_discovery_of_custom_kinds(api, cluster):
    def versions(group):
        items = groups(api, V2)[0]["items"]
        found = [item for item in items if item["metadata"]["name"] == group]
        return {v["version"]: [r["resource"] for r in v["resources"]] for v in found[0]["versions"]} if found else {}

    with kind(api, version("v1"), version("v1beta1", storage=False)) as made:
        assert versions(made.group) == {"v1": [made.plural], "v1beta1": [made.plural]}
        assert list(versions(made.group)) == ["v1", "v1beta1"]
        listed = cluster.kubectl("api-resources", f"--api-group={made.group}", "--no-headers").split()
        assert listed == [made.plural, f"{made.group}/v1", "true", made.kind]
    assert versions(made.group) == {}
    assert raw(api, f"/apis/{made.group}/v1", check=False)[0] == 404


# Discovery


@pytest.mark.spec(
    "[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup",
    "[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup")
def test_discovery_of_each_group(api, run_async):
    group_list = client.ApisApi(api).get_api_versions()
    assert len(group_list.groups) > 10
    for group in group_list.groups:
        one = raw(api, f"/apis/{group.name}")[1]
        assert one["kind"] == "APIGroup" and one["name"] == group.name
        assert one["preferredVersion"]["groupVersion"] in [v["groupVersion"] for v in one["versions"]]
        for served in one["versions"]:
            resources = raw(api, f"/apis/{served['groupVersion']}")[1]
            assert resources["groupVersion"] == served["groupVersion"]
            assert resources["resources"], served

    wanted = {
        "AdmissionregistrationV1Api": "validatingadmissionpolicies", "AppsV1Api": "deployments",
        "ApiextensionsV1Api": "customresourcedefinitions", "AuthenticationV1Api": "tokenreviews",
        "AuthorizationV1Api": "selfsubjectaccessreviews", "BatchV1Api": "jobs", "CoordinationV1Api": "leases",
        "DiscoveryV1Api": "endpointslices", "EventsV1Api": "events", "NetworkingV1Api": "ingresses",
        "NodeV1Api": "runtimeclasses", "PolicyV1Api": "poddisruptionbudgets",
        "RbacAuthorizationV1Api": "clusterroles", "SchedulingV1Api": "priorityclasses",
        "StorageV1Api": "storageclasses", "AutoscalingV2Api": "horizontalpodautoscalers", "CoreV1Api": "pods",
    }

    async def found(aio):
        from kubernetes_asyncio import client as aio_client
        missing = []
        for name, resource in wanted.items():
            answer = await getattr(aio_client, name)(aio).get_api_resources()
            if resource not in [entry.name for entry in answer.resources]:
                missing.append((name, resource))
        return missing

    assert run_async(found) == []


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] should include custom resource "
    "definition resources in discovery documents")
def test_definitions_in_discovery(api):
    group = next(g for g in raw(api, "/apis")[1]["groups"] if g["name"] == "apiextensions.k8s.io")
    assert "apiextensions.k8s.io/v1" in [v["groupVersion"] for v in group["versions"]]
    one = raw(api, "/apis/apiextensions.k8s.io")[1]
    assert "v1" in [v["version"] for v in one["versions"]]
    resources = raw(api, "/apis/apiextensions.k8s.io/v1")[1]["resources"]
    assert {"customresourcedefinitions", "customresourcedefinitions/status"} <= {r["name"] for r in resources}


# CustomResourceDefinition


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition "
    "creating/deleting custom resource definition objects works")
def test_creating_and_deleting_definitions(api, cluster):
    with kind(api, version("v1beta1"), scope="Cluster") as made:
        assert made.kind in cluster.kubectl("get", "crd", made.name, "-o", "yaml")
        assert raw(api, made.path("v1beta1"))[1]["items"] == []
        assert raw(api, made.path("v1beta1"))[1]["kind"] == f"{made.kind}List"
    assert raw(api, made.path("v1beta1"), check=False)[0] == 404


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition "
    "listing custom resource definition objects works")
def test_listing_definitions(api):
    mark = str(random.randrange(10**9))
    crds = client.ApiextensionsV1Api(api)
    made = [Kind(api, [version("v1beta1")], scope="Cluster", labels={"mark": mark}).create() for _ in range(10)]
    with kind(api, version("v1beta1"), scope="Cluster") as other:
        found = crds.list_custom_resource_definition(label_selector=f"mark={mark}").items
        assert sorted(item.metadata.name for item in found) == sorted(one.name for one in made)
        crds.delete_collection_custom_resource_definition(label_selector=f"mark={mark}")
        wait_for(lambda: not crds.list_custom_resource_definition(label_selector=f"mark={mark}").items,
                 what="the labelled definitions to be gone")
        assert crds.read_custom_resource_definition(other.name).metadata.name == other.name


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition "
    "getting/updating/patching custom resource definition status sub-resource works")
def test_status_of_definitions(api, dyn):
    with kind(api, version("v1beta1"), scope="Cluster") as made:
        crds = dyn.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
        present = crds.status.get(name=made.name).to_dict()
        assert present["spec"]["group"] == made.group
        present["status"]["conditions"].append({"type": "StatusUpdate", "status": "True", "message": "updated"})
        updated = crds.status.replace(body=present)
        assert "updated" in [c.message for c in updated.status.conditions]
        patched = crds.status.patch(
            name=made.name, content_type="application/json-patch+json",
            body=[{"op": "add", "path": "/status/conditions/-",
                   "value": {"type": "StatusPatched", "status": "True", "message": "patched"}}])
        assert {"updated", "patched"} <= {c.message for c in patched.status.conditions}
        seen = crds.get(name=made.name).status.conditions
        assert {"updated", "patched"} <= {c.message for c in seen}


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourceDefinition Watch [Privileged:ClusterAdmin] CustomResourceDefinition Watch watch "
    "on custom resource definition objects")
def test_watching_custom_objects(api):
    with kind(api, version("v1beta1"), scope="Cluster") as made:
        custom = client.CustomObjectsApi(api)
        start = custom.list_cluster_custom_object(made.group, "v1beta1", made.plural)["metadata"]["resourceVersion"]
        names = ["name1", "name2"]
        for name in names:
            custom.create_cluster_custom_object(
                made.group, "v1beta1", made.plural,
                made.object(name, "v1beta1", content={"key": "value"}, num={"num1": 1, "num2": 1000000}))
        for name in names:
            custom.patch_cluster_custom_object(
                made.group, "v1beta1", made.plural, name, {"metadata": {"labels": {"x": name}}})
        for name in names:
            custom.delete_cluster_custom_object(made.group, "v1beta1", made.plural, name)
        seen = []
        for event in watch.Watch().stream(custom.list_cluster_custom_object, made.group, "v1beta1", made.plural,
                                          resource_version=start, timeout_seconds=20):
            seen.append((event["type"], event["object"]["metadata"]["name"]))
            if len(seen) == 6:
                break
        assert seen == [(type, name) for type in ["ADDED", "MODIFIED", "DELETED"] for name in names]


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for "
    "requests and from storage works")
def test_defaulting(api, run_async):
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    with kind(api, version("v1beta1", schema), scope="Cluster") as made:
        custom = client.CustomObjectsApi(api)

        def patch(*operations):
            crds = client.ApiextensionsV1Api(api)
            root = "/spec/versions/0/schema/openAPIV3Schema/properties"
            crds.patch_custom_resource_definition(
                made.name, [{**operation, "path": root + operation["path"]} for operation in operations])

        def read(name):
            return custom.get_cluster_custom_object(made.group, "v1beta1", made.plural, name)

        custom.create_cluster_custom_object(made.group, "v1beta1", made.plural, made.object("cr-1", "v1beta1"))
        assert "a" not in read("cr-1")
        patch({"op": "add", "path": "/a/default", "value": "A"})
        wait_for(lambda: read("cr-1").get("a") == "A", what="the default of what is stored")

        async def create(aio):
            from kubernetes_asyncio import client as aio_client
            return await aio_client.CustomObjectsApi(aio).create_cluster_custom_object(
                made.group, "v1beta1", made.plural, made.object("cr-2", "v1beta1"))

        assert run_async(create)["a"] == "A"
        patch({"op": "remove", "path": "/a/default"}, {"op": "add", "path": "/b/default", "value": "B"})
        wait_for(lambda: read("cr-2").get("b") == "B", what="the default of another field")
        assert read("cr-2")["a"] == "A"
        assert "a" not in read("cr-1")


# CustomResourcePublishOpenAPI


def definitions(api):
    return raw(api, "/openapi/v2")[1]["definitions"]


def kubectl_takes(cluster, namespace, body, plural):
    n = ["-n", namespace]
    name = body["metadata"]["name"]
    for command in ["create", "apply"]:
        cluster.kubectl(command, "-f", "-", *n, input=json.dumps(body))
        cluster.kubectl("delete", plural, name, *n)


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD with validation schema")
def test_openapi_with_a_schema(api, cluster, namespace):
    with kind(api, version("v1", FOO)) as made:
        kubectl_takes(cluster, namespace, made.object("a", spec={"bars": [{"name": "test-bar"}]}), made.name)
        n = ["-n", namespace]
        for spec, message in [
            ({"bars": [{"name": "b", "feeling": "Sad"}]},
             'spec.bars[0].feeling: Unsupported value: "Sad": supported values: "Great", "Down"'),
            ({"foo": True}, 'unknown field "spec.foo"'),
            ({"bars": [{"age": "10"}]}, "spec.bars[0].name: Required value"),
        ]:
            for command in ["create", "apply"]:
                refused = cluster.kubectl(command, "-f", "-", *n, input=json.dumps(made.object("a", spec=spec)),
                                          check=False)
                assert refused.returncode != 0 and message in refused.stderr, refused.stderr
        text = cluster.kubectl("explain", made.plural)
        for part in ["Foo CRD for Testing", "apiVersion", "<string>", "APIVersion defines", "spec", "<Object>",
                     "Specification of Foo"]:
            assert part in text
        metadata = cluster.kubectl("explain", f"{made.plural}.metadata")
        assert "Standard object's metadata" in metadata and "creationTimestamp" in metadata
        bars = cluster.kubectl("explain", f"{made.plural}.spec.bars")
        for part in ["bars <[]Object>", "List of Bars and their specs", "bazs", "<[]string>", "Name of Bar"]:
            assert part in bars
        missing = cluster.kubectl("explain", f"{made.plural}.spec.bars2", check=False)
        assert 'field "bars2" does not exist' in missing.stderr
        assert made.definition("v1") in definitions(api)
        v3 = raw(api, f"/openapi/v3/apis/{made.group}/v1")[1]
        published = v3["components"]["schemas"][made.definition("v1")]
        assert published["x-kubernetes-group-version-kind"] == [
            {"group": made.group, "version": "v1", "kind": made.kind}]
        assert published["properties"]["spec"]["properties"]["bars"]["items"]["required"] == ["name"]
        assert f"/apis/{made.group}/v1/namespaces/{{namespace}}/{made.plural}/{{name}}" in v3["paths"]
    assert made.definition("v1") not in definitions(api)
    assert f"apis/{made.group}/v1" not in raw(api, "/openapi/v3")[1]["paths"]


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD without validation schema",
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields "
    "at the schema root")
def test_openapi_of_unknown_fields_at_the_root(api, cluster, namespace):
    for schema in [OPEN, {**OPEN, "description": "unknown fields at the root", "properties": {
            "spec": {"type": "object"}, "status": {"type": "object"}}}]:
        with kind(api, version("v1", schema)) as made:
            body = made.object("a", a={"b": [{"c": "d"}]})
            kubectl_takes(cluster, namespace, body, made.name)
            created = raw(api, made.path(namespace=namespace), "POST", body)[1]
            assert created["a"] == {"b": [{"c": "d"}]}
            text = cluster.kubectl("explain", made.plural)
            assert made.kind in text
            if schema is OPEN:
                assert "<empty>" in text
            assert definitions(api)[made.definition("v1")].get("properties") is None


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields "
    "in an embedded object")
def test_openapi_of_unknown_fields_inside(api, cluster, namespace):
    schema = {
        "type": "object", "description": "preserve-unknown-properties in nested field for Testing",
        "properties": {
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "description": "open",
                     "properties": {"dummy": {"type": "string"}}},
            "status": {"type": "object"},
        },
    }
    with kind(api, version("v1", schema)) as made:
        kubectl_takes(cluster, namespace, made.object("a", spec={"a": None, "b": [{"c": "d"}]}), made.name)
        text = cluster.kubectl("explain", made.plural)
        assert "preserve-unknown-properties in nested field for Testing" in text
        published = definitions(api)[made.definition("v1")]["properties"]["spec"]
        assert published == {"x-kubernetes-preserve-unknown-fields": True, "description": "open"}


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of different "
    "groups",
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group "
    "but different versions",
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group "
    "and version but different kinds")
def test_openapi_of_several_definitions(api):
    waldo = {"type": "object", "properties": {"spec": {"type": "object", "description": "Specification of Waldo"}}}
    for first, second in [
        (dict(group="foo.example.com", version="v1"), dict(group="waldo.example.com", version="v1beta1")),
        (dict(group="common-group.example.com", version="v4"), dict(group="common-group.example.com", version="v5")),
        (dict(group="common-group.example.com", version="v6"), dict(group="common-group.example.com", version="v6")),
    ]:
        with kind(api, version(first["version"], FOO), group=first["group"]) as a, \
                kind(api, version(second["version"], waldo), group=second["group"]) as b:
            published = definitions(api)
            spec = published[a.definition(first["version"])]["properties"]["spec"]
            assert spec["description"] == "Specification of Foo"
            spec = published[b.definition(second["version"])]["properties"]["spec"]
            assert spec["description"] == "Specification of Waldo"
    with kind(api, version("v2", FOO), version("v3", FOO, storage=False)) as both:
        published = definitions(api)
        assert {both.definition("v2"), both.definition("v3")} <= set(published)


@pytest.mark.spec(
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] updates the published spec when one "
    "version gets renamed",
    "[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] removes definition from spec when one "
    "version gets changed to not be served")
def test_openapi_follows_the_versions(api):
    with kind(api, version("v2", FOO), version("v3", FOO, storage=False)) as made:
        made.crds.patch_custom_resource_definition(
            made.name, [{"op": "test", "path": "/spec/versions/1/name", "value": "v3"},
                        {"op": "replace", "path": "/spec/versions/1/name", "value": "v4"}])
        wait_for(lambda: made.definition("v4") in definitions(api), what="the new version")
        published = definitions(api)
        assert made.definition("v3") not in published and made.definition("v2") in published
        present = made.crds.read_custom_resource_definition(made.name)
        present.spec.versions[1].served = False
        made.crds.replace_custom_resource_definition(made.name, present)
        wait_for(lambda: made.definition("v4") not in definitions(api), what="the version to vanish")
        assert made.definition("v2") in definitions(api)
        assert raw(api, made.path("v4"), check=False)[0] == 404


# FieldValidation


def refusal(api, path, text, strictness="Strict"):
    status, answer, headers = raw(api, f"{path}?fieldValidation={strictness}&fieldManager=field_validation_mgr", "POST",
                                  text.encode(), check=False)
    return status, answer, [value for name, value in headers.items() if name.lower() == "warning"]


DEPLOYMENT = """
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "my-dep", %s "labels": {"app": "nginx"}},
 "spec": {%s "selector": {"matchLabels": {"app": "nginx"}},
  "template": {"metadata": {"labels": {"app": "nginx"}},
   "spec": {"containers": [{"name": "nginx", "image": "nginx:latest"}]}}}}
"""


@pytest.mark.spec(
    "[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object",
    "[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object")
def test_fields_of_typed_objects(api, namespace):
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    body = DEPLOYMENT % ("", '"unknownField": "foo", "replicas": 2, "replicas": 3,')
    status, answer, _ = refusal(api, path, body)
    assert status == 400
    assert 'strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas"' in answer["message"]
    status, answer, _ = refusal(api, path, DEPLOYMENT % ('"unknownMeta": "foo",', ""))
    assert status == 400 and 'strict decoding error: unknown field "metadata.unknownMeta"' in answer["message"]
    status, answer, warnings = refusal(api, path, body, "Warn")
    assert status == 201 and "spec.unknownField" in str(warnings) and "spec.replicas" in str(warnings)
    client.AppsV1Api(api).delete_namespaced_deployment("my-dep", namespace)


def test_strictness_of_definitions_is_kept(api):
    with kind(api, version("v1", CRON), scope="Cluster") as made:
        body = json.dumps(made.object("a", spec={"foo": "x", "bar": 1}))
        assert refusal(api, made.path(), body, "Strict")[0] == 400
        status, _, warnings = refusal(api, made.path(), body, "Ignore")
        assert status == 201 and not warnings


@pytest.mark.spec(
    "[sig-api-machinery] FieldValidation should create/apply a valid CR for CRD with validation schema",
    "[sig-api-machinery] FieldValidation should create/apply an invalid CR with extra properties for CRD with "
    "validation schema",
    "[sig-api-machinery] FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema",
    "[sig-api-machinery] FieldValidation should detect duplicates in a CR when preserving unknown fields")
def test_fields_of_custom_objects(api, cluster):
    spec = {"foo": "foo1", "cronSpec": "* * * * */5",
            "ports": [{"name": "x", "containerPort": 80, "protocol": "TCP"}]}
    with kind(api, version("v1beta1", CRON), version("v1", CRON, storage=False), scope="Cluster") as made:
        path = made.path("v1beta1")
        status, answer, _ = refusal(api, path, json.dumps(made.object("mytest", "v1beta1", spec=spec)))
        assert status == 201, answer
        body = json.dumps(made.object("other", "v1beta1", spec={**spec, "unknown": 1}, unknownField="unknown"))
        status, answer, _ = refusal(api, path, body)
        assert status == 400
        assert 'strict decoding error: unknown field "spec.unknown", unknown field "unknownField"' in answer["message"]
        out = cluster.kubectl("create", "-f", "-", "--validate=strict", input=body, check=False)
        assert out.returncode != 0 and 'unknown field "unknownField"' in out.stderr
        bad = json.dumps(made.object("other", "v1beta1", spec={**spec, "cronSpec": "never"}))
        status, answer, _ = refusal(api, path, bad)
        assert status == 422 and answer["details"]["causes"][0]["field"] == "spec.cronSpec"
        twice = spec["ports"] * 2
        status, answer, _ = refusal(api, path, json.dumps(made.object("other", "v1beta1", spec={"ports": twice})))
        assert status == 422 and "spec.ports[1]: Duplicate value" in answer["message"]
    with kind(api, version("v1beta1"), scope="Cluster") as made:
        path = made.path("v1beta1")
        status, answer, _ = refusal(
            api, path, json.dumps(made.object("mytest", "v1beta1", spec={**spec, "unknown": "uk1"})))
        assert status == 201 and answer["spec"]["unknown"] == "uk1"
        double = json.dumps(made.object("other", "v1beta1", spec=spec)).replace('"foo": "foo1"', '"foo": "a", "foo": "b"')
        status, answer, _ = refusal(api, path, double)
        assert status == 400 and 'duplicate field "spec.foo"' in answer["message"]


@pytest.mark.spec(
    "[sig-api-machinery] FieldValidation should detect unknown metadata fields in both the root and embedded object of "
    "a CR")
def test_metadata_of_custom_objects(api, namespace):
    template = {
        "type": "object", "x-kubernetes-embedded-resource": True,
        "properties": {
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}}, "spec": {"type": "object"},
        },
    }
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"template": template}}}}
    with kind(api, version("v1beta1", schema), scope="Cluster") as made:
        body = made.object("mytest", "v1beta1", spec={"free": 1, "template": {
            "apiversion": "foo/v1", "kind": "Sub",
            "metadata": {"unknownSubMeta": "unknown", "name": "subobject", "namespace": namespace}}})
        body["metadata"]["unknownMeta"] = "unknown"
        status, answer, _ = refusal(api, made.path("v1beta1"), json.dumps(body))
        assert status == 400
        for field in ["metadata.unknownMeta", "spec.template.metadata.unknownSubMeta", "spec.template.apiversion"]:
            assert f'unknown field "{field}"' in answer["message"], answer["message"]
        del body["metadata"]["unknownMeta"], body["spec"]["template"]["metadata"]["unknownSubMeta"]
        body["spec"]["template"]["apiVersion"] = body["spec"]["template"].pop("apiversion")
        status, answer, _ = refusal(api, made.path("v1beta1"), json.dumps(body))
        assert status == 201 and answer["spec"]["template"]["metadata"]["name"] == "subobject"


def apply(api, path, text, strictness="Strict"):
    """A server-side apply of YAML, as the specs' own client sends it."""
    status, answer, headers = raw(
        api, f"{path}?fieldManager=field_validation_mgr&fieldValidation={strictness}", "PATCH", text.encode(),
        content="application/apply-patch+yaml", check=False)
    return status, answer, [value for name, value in headers.items() if name.lower() == "warning"]


CRON_YAML = """
apiVersion: {group}/{version}
kind: {kind}
metadata:
  name: mytest
  finalizers:
  - test-finalizer
{more}spec:
{spec}  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP"""


def cron(made, spec="  foo: foo1\n", more=""):
    return CRON_YAML.format(group=made.group, version="v1beta1", kind=made.kind, spec=spec, more=more)


def release(api, made, name="mytest"):
    """Lets an object go that has a finalizer."""
    raw(api, made.path("v1beta1", name=name), "PATCH", b'{"metadata": {"finalizers": null}}',
        content="application/merge-patch+json", check=False)


@pytest.mark.spec(
    "[sig-api-machinery] FieldValidation should create/apply a valid CR for CRD with validation schema",
    "[sig-api-machinery] FieldValidation should create/apply an invalid CR with extra properties for CRD with "
    "validation schema")
def test_applied_fields_of_custom_objects(api):
    with kind(api, version("v1beta1", CRON), version("v1", CRON, storage=False), scope="Cluster") as made:
        path = made.path("v1beta1", name="mytest")
        for more, spec, fault in [
            ("unknownField: unknown\n", "  foo: foo1\n", ".unknownField"),
            ("", "  unknown: 1\n", ".spec.unknown"),
            ("  unknownMeta: x\n", "  foo: foo1\n", ".metadata.unknownMeta"),
        ]:
            for strictness in ["Strict", "Warn", "Ignore"]:
                status, answer, _ = apply(api, path, cron(made, spec, more), strictness)
                assert status == 500 and f"{fault}: field not declared in schema" in answer["message"], answer
        bad = cron(made).replace("    protocol: TCP", "    protocol: TCP\n    extra: x")
        status, answer, _ = apply(api, path, bad)
        assert status == 500
        assert '.spec.ports[containerPort=80,protocol="TCP"].extra: field not declared in schema' in answer["message"]
        assert raw(api, path, check=False)[0] == 404
        status, answer, warnings = apply(api, path, cron(made))
        assert status == 201 and not warnings, answer
        assert answer["spec"]["ports"] == [{"name": "x", "containerPort": 80, "protocol": "TCP"}]
        assert apply(api, path, cron(made))[0] == 200
        release(api, made)


@pytest.mark.spec(
    "[sig-api-machinery] FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema",
    "[sig-api-machinery] FieldValidation should detect duplicates in a CR when preserving unknown fields")
def test_applied_fields_that_are_kept(api):
    with kind(api, version("v1beta1"), scope="Cluster") as made:
        path = made.path("v1beta1", name="mytest")
        status, answer, warnings = apply(api, path, cron(made, "  unknown: uk1\n"))
        assert status == 201 and answer["spec"]["unknown"] == "uk1" and not warnings
        release(api, made)
    schema = json.loads(json.dumps(CRON))
    schema["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] = True
    with kind(api, version("v1beta1", schema), scope="Cluster") as made:
        path = made.path("v1beta1", name="mytest")
        double = cron(made, "  unknown: uk1\n  foo: foo1\n  foo: foo2\n")
        status, answer, _ = apply(api, path, double)
        assert status == 400
        assert answer["message"] == (
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n"
            '  line 11: key "foo" already set in map')
        status, answer, warnings = apply(api, path, double, "Warn")
        assert status == 201 and answer["spec"]["foo"] == "foo2"
        assert warnings == ['299 - "line 11: key \\"foo\\" already set in map"']
        status, _, warnings = apply(api, path, double, "Ignore")
        assert status == 200 and not warnings
        release(api, made)


@pytest.mark.spec(
    "[sig-api-machinery] FieldValidation should detect unknown metadata fields in both the root and embedded object of "
    "a CR")
def test_applied_metadata_of_custom_objects(api):
    template = {
        "type": "object", "x-kubernetes-embedded-resource": True,
        "properties": {
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}}, "spec": {"type": "object"},
        },
    }
    schema = json.loads(json.dumps(CRON))
    schema["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"] = True
    schema["properties"]["spec"]["properties"]["template"] = template
    with kind(api, version("v1beta1", schema), scope="Cluster") as made:
        path = made.path("v1beta1", name="mytest")
        inner = "  template:\n    apiVersion: foo/v1\n    kind: Sub\n    metadata:\n      name: subobject\n"
        bad = cron(made, inner + "      unknownSubMeta: unknown\n", "  unknownMeta: unknown\n")
        status, answer, _ = apply(api, path, bad.replace("apiVersion: foo", "apiversion: foo"))
        assert status == 500
        for field in [".metadata.unknownMeta", ".spec.template.metadata.unknownSubMeta", ".spec.template.apiversion"]:
            assert f"{field}: field not declared in schema" in answer["message"], answer["message"]
        status, answer, _ = apply(api, path, cron(made, inner))
        assert status == 201 and answer["spec"]["template"]["metadata"]["name"] == "subobject"
        release(api, made)


def test_applied_fields_of_typed_objects(api, namespace):
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/my-dep"
    status, answer, _ = apply(api, path, DEPLOYMENT % ('"unknownMeta": "foo",', '"unknownField": "foo",'))
    assert status == 500
    for field in [".metadata.unknownMeta", ".spec.unknownField"]:
        assert f"{field}: field not declared in schema" in answer["message"]
    double = DEPLOYMENT % ("", '"replicas": 2,\n"replicas": 3,')
    status, answer, _ = apply(api, path, double)
    assert status == 400 and 'line 4: key "replicas" already set in map' in answer["message"], answer
    status, answer, warnings = apply(api, path, double, "Warn")
    assert status == 201 and answer["spec"]["replicas"] == 3 and len(warnings) == 1


def test_unknown_fields_at_any_depth(api):
    """Of elements of lists and of values of maps, too."""
    item = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "list": {"type": "array", "items": item}, "map": {"type": "object", "additionalProperties": item},
        "nested": {"type": "array", "items": {"type": "array", "items": item}}}}}}
    with kind(api, version("v1", schema), scope="Cluster") as made:
        body = made.object("x", spec={
            "list": [{"a": "1"}, {"a": "2", "b": 1}], "map": {"k": {"c": 1}}, "nested": [[], [{"d": 1}]]})
        status, answer, _ = refusal(api, made.path(), json.dumps(body))
        assert status == 400
        assert answer["message"].endswith(
            'strict decoding error: unknown field "spec.list[1].b", unknown field "spec.map.k.c", '
            'unknown field "spec.nested[1][0].d"'), answer["message"]
        status, answer, warnings = refusal(api, made.path(), json.dumps(body), "Warn")
        assert status == 201 and len(warnings) == 3
        assert answer["spec"] == {"list": [{"a": "1"}, {"a": "2"}], "map": {"k": {}}, "nested": [[], [{}]]}


def test_definitions_are_warned_of(api):
    """What is accepted in a schema and does nothing, when it comes; not again."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    def warned(headers):
        return [value for name, value in headers.items() if name.lower() == "warning"]

    schema = {"type": "object", "properties": {
        "s": {"type": "string", "format": "gopher"}, "t": {"type": "string", "format": "date-time"},
        "i": {"type": "integer", "format": "int16"},
        "l": {"type": "array", "x-kubernetes-list-type": "set",
              "items": {"type": "object", "x-kubernetes-map-type": "atomic"}}}}
    made = Kind(api, [version("v1", schema)])
    try:
        status, _, headers = raw(api, path, "POST", json.dumps(made.body).encode())
        assert status == 201
        text = str(warned(headers))
        for part in ['unrecognized format \\"gopher', 'unrecognized format \\"int16',
                     "list-type: set for items of type"]:
            assert part.replace("\\", "") in text.replace("\\", ""), text
        assert "date-time" not in text
        present = raw(api, f"{path}/{made.name}")[1]
        present["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["n"] = {
            "type": "number", "format": "decimal"}
        status, _, headers = raw(api, f"{path}/{made.name}", "PUT", json.dumps(present).encode())
        text = str(warned(headers))
        assert status == 200 and "decimal" in text and "gopher" not in text and "list-type" not in text, text
    finally:
        made.delete()

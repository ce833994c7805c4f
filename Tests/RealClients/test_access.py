# SPDX-License-Identifier: Apache-2.0
"""Who may do what, with kubectl and the Python client: roles, tokens, impersonation, audit, encryption at rest."""
import base64
import json

import pytest
from kubernetes import client, config
from kubernetes.client.rest import ApiException

from conftest import wait_for


def can(cluster, *arguments, as_user):
    result = cluster.kubectl("auth", "can-i", *arguments, f"--as={as_user}", check=False)
    return result.stdout.split()[0] == "yes"


def refused(cluster, *arguments, **more):
    result = cluster.kubectl(*arguments, check=False, **more)
    assert result.returncode != 0, result.stdout
    return result.stderr


def token_client(cluster, token):
    settings = client.Configuration()
    config.load_kube_config(cluster.kubeconfig, client_configuration=settings)
    settings.cert_file = settings.key_file = None
    settings.api_key = {"authorization": f"Bearer {token}"}
    return client.ApiClient(settings)


def test_roles_and_bindings_by_kubectl(cluster, namespace):
    cluster.kubectl("-n", namespace, "create", "role", "reader", "--verb=get,list", "--resource=pods,pods/log")
    cluster.kubectl("-n", namespace, "create", "rolebinding", "read", "--role=reader", "--user=ann")
    assert can(cluster, "list", "pods", "-n", namespace, as_user="ann")
    assert can(cluster, "get", "pods/p", "--subresource=log", "-n", namespace, as_user="ann")
    assert not can(cluster, "delete", "pods", "-n", namespace, as_user="ann")
    assert not can(cluster, "list", "pods", "-n", "default", as_user="ann")
    assert refused(cluster, "get", "secrets", "-n", namespace, "--as=ann") == (
        f'Error from server (Forbidden): secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" '
        f'in the namespace "{namespace}"\n')
    listed = cluster.kubectl("auth", "can-i", "--list", "-n", namespace, "--as=ann")
    assert "pods/log" in listed and "[get list]" in listed
    described = cluster.kubectl("-n", namespace, "get", "rolebinding", "read", "-o", "wide")
    assert "Role/reader" in described and "ann" in described


def test_who_am_i(cluster):
    assert "apus-admin" in cluster.kubectl("auth", "whoami")
    answer = json.loads(cluster.kubectl("auth", "whoami", "--as=bob", "--as-group=dev", "--as-uid=7", "-o", "json"))
    user = answer["status"]["userInfo"]
    assert user["username"] == "bob" and user["uid"] == "7" and set(user["groups"]) == {"dev", "system:authenticated"}


def test_impersonation_needs_permission(cluster, namespace):
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "bot")
    bot = f"system:serviceaccount:{namespace}:bot"
    token = cluster.kubectl("-n", namespace, "create", "token", "bot").strip()
    error = refused(cluster, "get", "pods", f"--token={token}", f"--server={cluster.url}", "--as=ann",
                    "--kubeconfig=/dev/null", "--insecure-skip-tls-verify")
    assert error == (f'Error from server (Forbidden): users "ann" is forbidden: User "{bot}" cannot impersonate resource '
                     f'"users" in API group "" at the cluster scope\n')
    error = refused(cluster, "get", "pods", "--as=system:anonymous")
    assert 'User "system:anonymous" cannot list resource "pods"' in error


def test_an_account_with_a_role(cluster, namespace):
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "bot")
    cluster.kubectl("-n", namespace, "create", "rolebinding", "bot", "--clusterrole=edit", f"--serviceaccount={namespace}:bot")
    token = cluster.kubectl("-n", namespace, "create", "token", "bot", "--duration=10m").strip()
    with token_client(cluster, token) as api:
        core = client.CoreV1Api(api)
        core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c")))
        assert core.list_namespaced_secret(namespace).items is not None
        for forbidden in (lambda: core.list_namespaced_pod("default"), core.list_node):
            with pytest.raises(ApiException) as error:
                forbidden()
            assert error.value.status == 403
        cluster.kubectl("-n", namespace, "delete", "serviceaccount", "bot")
        with pytest.raises(ApiException) as error:
            core.list_namespaced_config_map(namespace)
        assert error.value.status == 401


def test_nobody_grants_what_they_do_not_have(cluster, namespace):
    cluster.kubectl("-n", namespace, "create", "rolebinding", "ann", "--clusterrole=admin", "--user=ann")
    cluster.kubectl("-n", namespace, "create", "role", "ok", "--verb=get", "--resource=pods", "--as=ann")
    error = refused(cluster, "-n", namespace, "create", "role", "no", "--verb=get", "--resource=nodes", "--as=ann")
    assert error == (
        'Error from server (Forbidden): roles.rbac.authorization.k8s.io "no" is forbidden: user "ann" '
        '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}\n')
    error = refused(cluster, "-n", namespace, "create", "rolebinding", "no", "--clusterrole=cluster-admin", "--user=bob",
                    "--as=ann")
    assert "is attempting to grant RBAC permissions not currently held" in error
    cluster.kubectl("-n", namespace, "create", "rolebinding", "yes", "--clusterrole=view", "--user=bob", "--as=ann")


def test_aggregated_roles_are_filled(cluster, namespace):
    name = f"monitoring-{namespace}"
    cluster.kubectl("create", "clusterrole", name, f"--aggregation-rule=to-{name}=true")
    try:
        cluster.kubectl("create", "clusterrole", f"{name}-a", "--verb=get", "--resource=services")
        cluster.kubectl("label", "clusterrole", f"{name}-a", f"to-{name}=true")
        wait_for(lambda: [rule["resources"] for rule in cluster.get("clusterrole", name).get("rules") or []] == [["services"]],
                 what="the rules of the role")
        cluster.kubectl("label", "clusterrole", f"{name}-a", "rbac.authorization.k8s.io/aggregate-to-view=true")
        cluster.kubectl("label", "clusterrole", f"{name}-a", f"to-{name}-")
        wait_for(lambda: not cluster.get("clusterrole", name).get("rules"), what="the rules to go")
    finally:
        cluster.kubectl("delete", "clusterrole", name, f"{name}-a")


def test_reconcile_of_a_manifest(cluster, namespace):
    manifest = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: r, namespace: {namespace}}}
rules:
- {{apiGroups: [""], resources: [pods], verbs: [get, list]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: b, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}}
subjects:
- {{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}}
"""
    assert "role.rbac.authorization.k8s.io/r reconciled" in cluster.kubectl("auth", "reconcile", "-f", "-", input=manifest)
    cluster.kubectl("auth", "reconcile", "-f", "-", input=manifest.replace("[get, list]", "[watch]"))
    assert can(cluster, "get", "pods", "-n", namespace, as_user="ann")
    assert can(cluster, "watch", "pods", "-n", namespace, as_user="ann")
    other = manifest.replace("name: r}", "name: view}").replace("kind: Role, name", "kind: ClusterRole, name")
    cluster.kubectl("auth", "reconcile", "-f", "-", input=other.split("---")[1])
    assert can(cluster, "list", "services", "-n", namespace, as_user="ann")


def test_a_token_of_a_pod_ends_with_the_pod(cluster, namespace):
    cluster.kubectl("-n", namespace, "run", "p", "--image=none", "--restart=Never", "--command", "--", "sleep", "100")
    wait_for(lambda: cluster.kubectl("-n", namespace, "get", "pod", "p", "-o", "jsonpath={.spec.nodeName}"),
             what="the pod to have a node")
    token = cluster.kubectl("-n", namespace, "create", "token", "default", "--bound-object-kind=Pod",
                            "--bound-object-name=p").strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["kubernetes.io"]["pod"]["name"] == "p" and claims["kubernetes.io"]["node"]["name"] == "apus"
    with token_client(cluster, token) as api:
        who = client.AuthenticationV1Api(api)
        body = client.V1SelfSubjectReview()
        assert who.create_self_subject_review(body).status.user_info.username == f"system:serviceaccount:{namespace}:default"
        cluster.kubectl("-n", namespace, "delete", "pod", "p", "--force", "--grace-period=0")
        with pytest.raises(ApiException) as error:
            who.create_self_subject_review(body)
        assert error.value.status == 401


def test_a_bootstrap_token(cluster):
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
              "metadata": {"name": "bootstrap-token-abcdef", "namespace": "kube-system"},
              "stringData": {"token-id": "abcdef", "token-secret": "0123456789abcdef",
                             "usage-bootstrap-authentication": "true"}}
    cluster.apply(json.dumps(secret))
    with token_client(cluster, "abcdef.0123456789abcdef") as api:
        user = client.AuthenticationV1Api(api).create_self_subject_review(client.V1SelfSubjectReview()).status.user_info
    assert user.username == "system:bootstrap:abcdef" and "system:bootstrappers" in user.groups
    cluster.kubectl("-n", "kube-system", "delete", "secret", "bootstrap-token-abcdef")
    with token_client(cluster, "abcdef.0123456789abcdef") as api, pytest.raises(ApiException) as error:
        client.CoreV1Api(api).list_node()
    assert error.value.status == 401


def test_a_pod_uses_its_own_token(cluster, namespace):
    """The token that the node agent puts into a pod is one of its account, and the discovery of its issuer works."""
    document = json.loads(cluster.kubectl("get", "--raw", "/.well-known/openid-configuration"))
    assert document["jwks_uri"].endswith("/openid/v1/jwks")
    keys = json.loads(cluster.kubectl("get", "--raw", "/openid/v1/jwks"))["keys"]
    token = cluster.kubectl("-n", namespace, "create", "token", "default").strip()
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header["kid"] in [key["kid"] for key in keys]


def test_components_have_no_more_than_their_roles(cluster):
    assert can(cluster, "create", "pods", "--subresource=binding", as_user="system:kube-scheduler")
    assert not can(cluster, "get", "secrets", as_user="system:kube-scheduler")
    assert [line for line in cluster.logged().splitlines() if "cannot" in line and "orbidden" in line] == []


POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, resources: [{group: "", resources: [secrets]}]}
- {level: Request, verbs: [create], resources: [{group: "", resources: [configmaps]}]}
- {level: None}
"""


def test_audit_and_encryption_over_restarts(own_cluster):
    policy = own_cluster.folder / "policy.yaml"
    policy.write_text(POLICY)
    log = own_cluster.data / "audit.log"
    own_cluster.arguments = ["--audit-policy", str(policy)]
    own_cluster.start()
    own_cluster.kubectl("create", "secret", "generic", "s", "--from-literal=password=correct-horse")
    own_cluster.kubectl("create", "configmap", "c", "--from-literal=key=battery-staple")
    assert "password" in own_cluster.get("secret", "s")["data"]

    def events():
        # The last line may be being written.
        return [json.loads(line) for line in log.read_text().split("\n")[:-1]] if log.exists() else []

    def written(resource):
        return next((e for e in events() if e["objectRef"]["resource"] == resource and e["verb"] == "create"
                     and e["user"]["username"] == "apus-admin"), None)

    made = wait_for(lambda: written("configmaps"), what="the audit events")
    assert made["requestObject"]["data"] == {"key": "battery-staple"}
    assert "correct-horse" not in log.read_text()
    assert base64.b64encode(b"correct-horse").decode() not in log.read_text()
    made = written("secrets")
    assert made["level"] == "Metadata" and made["sourceIPs"] == ["127.0.0.1"] and "requestObject" not in made
    own_cluster.stop()

    def on_disk():
        return b"".join(path.read_bytes() for path in (own_cluster.data / "store").iterdir())

    encoded = base64.b64encode(b"correct-horse")
    assert encoded not in on_disk() and b"battery-staple" in on_disk()
    keys = own_cluster.data / "encryption-keys.json"
    assert keys.stat().st_mode & 0o777 == 0o600
    before = keys.read_text()
    own_cluster.arguments = ["--rotate-encryption-key"]
    own_cluster.start()
    assert base64.b64decode(own_cluster.get("secret", "s")["data"]["password"]) == b"correct-horse"
    own_cluster.stop()
    assert len(json.loads(keys.read_text())["keys"]) == len(json.loads(before)["keys"]) + 1
    keys.rename(own_cluster.folder / "aside")
    assert own_cluster.start_fails() == (
        f"apus: {own_cluster.data}/store holds encrypted objects, but their key file {keys} is missing: restore it from a "
        f"backup\n")


def test_a_bad_audit_policy_is_one_sentence(own_cluster):
    policy = own_cluster.folder / "policy.yaml"
    own_cluster.arguments = ["--audit-policy", str(policy)]
    assert own_cluster.start_fails() == f"apus: the audit policy {policy} cannot be read: check --audit-policy\n"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Everything}]\n")
    assert own_cluster.start_fails() == (
        f'apus: the audit policy {policy} cannot be used: rules[0].level: Unsupported value: "Everything": supported '
        f'values: "None", "Metadata", "Request", "RequestResponse"\n')

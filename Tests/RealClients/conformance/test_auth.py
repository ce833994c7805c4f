# SPDX-License-Identifier: Apache-2.0
"""[sig-auth]: accounts, tokens, reviews and certificate signing requests."""
import base64
import subprocess
import threading

import pytest
from kubernetes import client, watch
from kubernetes.client.rest import ApiException


def account(name, **more):
    return client.V1ServiceAccount(metadata=client.V1ObjectMeta(name=name, labels={"e2e": name}), **more)


@pytest.mark.spec("[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview")
def test_a_token_is_reviewed(api, core, namespace):
    core.create_namespaced_service_account(namespace, account("a"))
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    token = core.create_namespaced_service_account_token("a", namespace, request).status.token
    review = client.AuthenticationV1Api(api).create_token_review(
        client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token)))
    assert review.status.error is None
    assert review.status.authenticated
    assert review.status.user.username == f"system:serviceaccount:{namespace}:a"
    assert set(review.status.user.groups) == {
        "system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"}


@pytest.mark.spec("[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount")
def test_life_of_an_account(core, namespace):
    seen = []
    started = threading.Event()

    def follow():
        stream = watch.Watch()
        for event in stream.stream(core.list_namespaced_service_account, namespace, label_selector="e2e=a",
                                   timeout_seconds=30):
            seen.append(event["type"])
            started.set()
            if event["type"] == "DELETED":
                stream.stop()

    watcher = threading.Thread(target=follow)
    watcher.start()
    core.create_namespaced_service_account(namespace, account("a"))
    assert core.read_namespaced_service_account("a", namespace).metadata.name == "a"
    assert started.wait(20)
    patched = core.patch_namespaced_service_account("a", namespace, {"automountServiceAccountToken": False})
    assert patched.automount_service_account_token is False
    everywhere = core.list_service_account_for_all_namespaces(label_selector="e2e=a").items
    assert [item.metadata.name for item in everywhere if item.metadata.namespace == namespace] == ["a"]
    core.delete_collection_namespaced_service_account(namespace, label_selector="e2e=a")
    watcher.join(20)
    assert seen[0] == "ADDED" and "MODIFIED" in seen and seen[-1] == "DELETED"
    with pytest.raises(ApiException) as error:
        core.read_namespaced_service_account("a", namespace)
    assert error.value.status == 404


@pytest.mark.spec("[sig-auth] ServiceAccounts should update a ServiceAccount")
def test_an_account_is_updated(core, namespace):
    made = core.create_namespaced_service_account(namespace, account("a", automount_service_account_token=False))
    assert made.automount_service_account_token is False
    made.automount_service_account_token = True
    core.replace_namespaced_service_account("a", namespace, made)
    assert core.read_namespaced_service_account("a", namespace).automount_service_account_token is True


@pytest.mark.spec("[sig-auth] SubjectReview should support SubjectReview API operations")
def test_reviews_of_subjects(api, core, namespace):
    core.create_namespaced_service_account(namespace, account("a"))
    user = f"system:serviceaccount:{namespace}:a"
    authorization = client.AuthorizationV1Api(api)
    attributes = client.V1ResourceAttributes(
        namespace=namespace, verb="list", resource="configmaps", version="v1")
    spec = client.V1SubjectAccessReviewSpec(
        user=user, groups=["system:authenticated"], resource_attributes=attributes)
    review = authorization.create_subject_access_review(client.V1SubjectAccessReview(spec=spec))
    assert review.status.allowed is False
    local = authorization.create_namespaced_local_subject_access_review(
        namespace,
        client.V1LocalSubjectAccessReview(metadata=client.V1ObjectMeta(namespace=namespace), spec=spec))
    assert local.status.allowed is False
    core.api_client.set_default_header("Impersonate-User", user)
    try:
        with pytest.raises(ApiException) as error:
            core.list_namespaced_config_map(namespace)
    finally:
        del core.api_client.default_headers["Impersonate-User"]
    assert error.value.status == 403
    assert f'User \\"{user}\\" cannot list resource \\"configmaps\\"' in error.value.body


def certificate_request(folder):
    key, request = folder / "key.pem", folder / "request.pem"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=e2e"],
        check=True, capture_output=True)
    return base64.b64encode(request.read_bytes()).decode()


@pytest.mark.spec("[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations")
def test_certificate_signing_requests(api, tmp_path):
    certificates = client.CertificatesV1Api(api)
    group = next(group for group in client.ApisApi(api).get_api_versions().groups
                 if group.name == "certificates.k8s.io")
    assert "v1" in [version.version for version in group.versions]
    served = {resource.name for resource in certificates.get_api_resources().resources}
    assert {"certificatesigningrequests", "certificatesigningrequests/approval",
            "certificatesigningrequests/status"} <= served
    request = certificate_request(tmp_path)
    signer = "example.com/e2e-apus"

    def create():
        return certificates.create_certificate_signing_request(client.V1CertificateSigningRequest(
            metadata=client.V1ObjectMeta(generate_name="e2e-example-csr-"),
            spec=client.V1CertificateSigningRequestSpec(
                request=request, signer_name=signer, expiration_seconds=3600,
                usages=["digital signature", "key encipherment", "server auth"])))

    made = create()
    name = made.metadata.name
    assert made.spec.username == "apus-admin"
    selector = f"spec.signerName={signer}"
    listed = certificates.list_certificate_signing_request(field_selector=selector)
    assert [item.metadata.name for item in listed.items] == [name]
    assert certificates.read_certificate_signing_request(name).metadata.uid == made.metadata.uid
    patched = certificates.patch_certificate_signing_request(name, {"metadata": {"annotations": {"patched": "true"}}})
    assert patched.metadata.annotations["patched"] == "true"
    patched.metadata.annotations["updated"] = "true"
    updated = certificates.replace_certificate_signing_request(name, patched)
    assert updated.metadata.annotations["updated"] == "true"
    events = watch.Watch().stream(
        certificates.list_certificate_signing_request, field_selector=selector,
        resource_version=listed.metadata.resource_version, timeout_seconds=20)
    first = next(event for event in events if event["type"] == "MODIFIED")
    assert first["object"].metadata.annotations["patched"] == "true"

    # approval: annotations and conditions, nothing else
    assert certificates.read_certificate_signing_request_approval(name).metadata.name == name
    change = {"metadata": {"annotations": {"patchedapproval": "true"}},
              "status": {"conditions": [{"type": "ApprovalPatch", "status": "True", "reason": "e2e"}]}}
    approval = certificates.patch_certificate_signing_request_approval(name, change)
    assert [condition.type for condition in approval.status.conditions] == ["ApprovalPatch"]
    assert approval.metadata.annotations["patchedapproval"] == "true"
    approval.status.conditions.append(client.V1CertificateSigningRequestCondition(
        type="Approved", status="True", reason="E2E", message="Set from an e2e test"))
    approval = certificates.replace_certificate_signing_request_approval(name, approval)
    assert [condition.type for condition in approval.status.conditions] == ["ApprovalPatch", "Approved"]

    # status: the certificate and other conditions
    assert certificates.read_certificate_signing_request_status(name).metadata.name == name
    certificate = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n").decode()
    status = certificates.patch_certificate_signing_request_status(
        name, {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"certificate": certificate}})
    assert status.status.certificate == certificate
    assert status.metadata.annotations["patchedstatus"] == "true"
    status.status.conditions.append(client.V1CertificateSigningRequestCondition(
        type="StatusUpdate", status="True", reason="E2E", message="Set from an e2e test"))
    status = certificates.replace_certificate_signing_request_status(name, status)
    assert {condition.type for condition in status.status.conditions} == {"ApprovalPatch", "Approved", "StatusUpdate"}

    certificates.delete_certificate_signing_request(name)
    with pytest.raises(ApiException) as error:
        certificates.read_certificate_signing_request(name)
    assert error.value.status == 404
    create()
    create()
    certificates.delete_collection_certificate_signing_request(field_selector=selector)
    assert certificates.list_certificate_signing_request(field_selector=selector).items == []

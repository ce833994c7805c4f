# SPDX-License-Identifier: Apache-2.0
"""TLS on both sides between a gateway and pods, with certificates that are made anew while requests go on."""
import base64
import json
import socket
import ssl
import time

import pytest
import requests

from conftest import wait_for
from scaling_fixture import apply_kinds, autoscaler, free_port, gateway

GROUP = "gateway.networking.k8s.io"
# Answers only who shows a certificate of the authority, with the files as they are now; says who that is.
BACKEND = """
import os, socket, ssl, threading
folder = os.environ["APUS_VOLUME_TLS"]
listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((os.environ["POD_IP"], 8443)); listener.listen(64)
def serve(client):
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        while True:
            # The files change while they are read.
            try: context.load_cert_chain(folder + "/tls.crt", folder + "/tls.key"); break
            except ssl.SSLError: pass
        context.load_verify_locations(folder + "/ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        with context.wrap_socket(client, server_side=True) as tls:
            while b"\\r\\n\\r\\n" not in tls.recv(65536): pass
            name = [value for part in tls.getpeercert()["subject"] for key, value in part if key == "commonName"][0]
            body = name.encode()
            tls.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    except OSError: pass
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


@pytest.fixture(scope="module")
def secured(cluster):
    apply_kinds(cluster)
    cluster.kubectl("create", "namespace", "kserve")
    cluster.apply(json.dumps({"apiVersion": f"{GROUP}/v1", "kind": "GatewayClass", "metadata": {"name": "apus"},
                              "spec": {"controllerName": "serving.apus.dev/gateway"}}))
    roles = [gateway(cluster).start(), autoscaler(cluster).start()]
    yield cluster
    for role in reversed(roles):
        role.stop()


def secret(cluster, namespace, name):
    found = cluster.kubectl("get", "secret", name, "-n", namespace, "-o", "json", "--ignore-not-found")
    return {key: base64.b64decode(value) for key, value in json.loads(found)["data"].items()} if found else None


def test_both_sides_show_certificates_that_are_renewed(secured, namespace):
    # Renewed after 40 s; whoever stands still for less than the rest does no harm.
    port, life = free_port(), "60s"
    tls = {"serving.apus.dev/tls": "true", "serving.apus.dev/tls-lifetime": life}
    secured.apply(json.dumps({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "annotations": tls},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "https", "port": 443, "targetPort": 8443}]}}),
        "-n", namespace)
    first = wait_for(lambda: secret(secured, namespace, "web-tls"), what="the Secret of the Service")
    field = {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    secured.apply(json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 0, "volumes": [{"name": "tls", "secret": {"secretName": "web-tls"}}],
                 "containers": [{"name": "main", "image": "host", "command": ["python3", "-c", BACKEND],
                                 "env": [{"name": "POD_IP", **field}],
                                 "volumeMounts": [{"name": "tls", "mountPath": "/tls"}]}]}}), "-n", namespace)
    secured.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "Gateway",
        "metadata": {"name": "gw", "namespace": namespace, "annotations": tls},
        "spec": {"gatewayClassName": "apus", "listeners": [{"name": "main", "port": port, "protocol": "HTTP"}],
                 "tls": {"backend": {"clientCertificateRef": {"name": "gw-tls"}}}}}))
    secured.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "HTTPRoute", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": "web", "port": 443}]}]}}))
    secured.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "BackendTLSPolicy", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "web"}],
                 "validation": {"hostname": f"web.{namespace}.svc",
                                "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "web-tls"}]}}}))

    def answer():
        try:
            return requests.get(f"http://127.0.0.1:{port}/", timeout=60)
        except requests.ConnectionError:
            return None

    wait_for(lambda: (a := answer()) is not None and a.status_code == 200, what="an answer through both certificates")
    # Without a certificate of the authority there is no answer.
    address = secured.kubectl("get", "pod", "web", "-n", namespace, "-o", "jsonpath={.status.podIP}")
    context = ssl.create_default_context(cadata=first["ca.crt"].decode())
    with pytest.raises(OSError):
        with context.wrap_socket(socket.create_connection((address, 8443), 10),
                                 server_hostname=f"web.{namespace}.svc") as bare:
            bare.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert bare.recv(100) == b"", "the pod answers a client without a certificate"
            raise OSError("closed")
    # While both certificates change, and after that, all requests are answered.
    gateways = secret(secured, namespace, "gw-tls")
    wrong, count, after = [], 0, 0
    deadline = time.monotonic() + 120
    while after < 20:
        assert time.monotonic() < deadline, "the certificates are not renewed"
        if after or count % 10 == 0 and (
                secret(secured, namespace, "web-tls")["tls.crt"] != first["tls.crt"]
                and secret(secured, namespace, "gw-tls")["tls.crt"] != gateways["tls.crt"]):
            after += 1
        a = answer()
        count += 1
        if a is None or a.status_code != 200 or a.text != f"gw.{namespace}":
            wrong.append((count, a and a.status_code, a and a.text))
        time.sleep(0.05)
    assert not wrong, f"{len(wrong)} of {count}: {wrong[:5]}"
    assert secret(secured, namespace, "web-tls")["ca.crt"] == first["ca.crt"]

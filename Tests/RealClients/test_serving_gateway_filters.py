# SPDX-License-Identifier: Apache-2.0
"""What rules and policies add to a request: the CORS filter as browsers see it, tokens by an issuer's own address."""
import http.server
import json
import subprocess
import threading
import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from conftest import wait_for
from gateway_fixture import Gateway, Origin, backend, policy, route, rule, upstream


@pytest.fixture(scope="module")
def origin():
    server = Origin("one")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gateway(origin):
    gateway = Gateway()
    yield gateway.start(upstream("one", origin.address))
    gateway.stop()


SHOP = {"allowOrigins": ["https://shop.test", "https://*.shop.test:8443"], "allowMethods": ["GET", "PUT"],
        "allowHeaders": ["x-token", "content-type"], "exposeHeaders": ["x-origin"], "allowCredentials": True,
        "maxAge": 600}
ALL = {"allowOrigins": ["*"], "allowMethods": ["*"], "allowHeaders": ["*"], "exposeHeaders": ["*"]}


def allowed(answer):
    """Fields of an answer that a browser goes by."""
    return {name.lower()[len("access-control-"):]: value for name, value in answer.headers.items()
            if name.lower().startswith("access-control-")}


def test_cors(gateway, origin):
    """Gateway API's HTTPCORSFilter by the Fetch Standard, with requests and curl as the browser."""
    def cors(rules):
        return [{"type": "CORS", "cors": rules}]

    gateway.reload(
        upstream("one", origin.address),
        route("shop", rule(backend("one"), path="/shop", filters=cors(SHOP))),
        route("all", rule(backend("one"), path="/all", filters=cors(ALL))),
        route("own", rule(backend("one"), path="/own", filters=cors({**ALL, "allowCredentials": True}))),
        route("get", rule(backend("one"), matches=[
            {"method": "GET", "path": {"type": "PathPrefix", "value": "/get"}}], filters=cors(SHOP))),
        route("plain", rule(backend("one"), path="/plain")),
        policy("shop", "shop", jwt={"issuer": "i", "jwks": '{"keys": []}'}))

    def preflight(path, origin="https://shop.test", method="PUT", headers="x-token"):
        return requests.options(gateway.url + path, timeout=60, headers={
            "Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers})

    before = origin.count()
    answer = preflight("/shop/a")
    assert answer.status_code == 204 and answer.headers["Vary"] == "Origin" and not answer.content
    assert allowed(answer) == {
        "allow-origin": "https://shop.test", "allow-credentials": "true", "allow-methods": "GET, PUT",
        "allow-headers": "x-token, content-type", "max-age": "600"}
    assert allowed(preflight("/shop", "https://a.shop.test:8443"))["allow-origin"] == "https://a.shop.test:8443"
    for stranger in ("https://shop.test.evil", "http://shop.test", "https://a.shop.test", "null"):
        assert allowed(preflight("/shop", stranger)) == {}
    assert allowed(preflight("/all")) == {
        "allow-origin": "*", "allow-methods": "*", "allow-headers": "*", "max-age": "5"}
    assert allowed(preflight("/own", method="DELETE", headers="x-a,x-b")) == {
        "allow-origin": "https://shop.test", "allow-credentials": "true", "allow-methods": "DELETE",
        "allow-headers": "x-a,x-b", "max-age": "5"}
    # A rule of one method is found by the method that the preflight asks for.
    assert allowed(preflight("/get", method="GET"))["allow-origin"] == "https://shop.test"
    assert preflight("/get", method="PUT").status_code == 404
    assert origin.count() == before

    # What is no preflight goes on; without a filter the backend's own words count.
    answer = requests.get(gateway.url + "/own", headers={"Origin": "https://a.test"}, timeout=60)
    exposed = allowed(answer)["expose-headers"].lower().split(", ")
    assert allowed(answer)["allow-origin"] == "https://a.test" and {"x-origin", "content-type"} <= set(exposed)
    assert allowed(requests.get(gateway.url + "/all", headers={"Origin": "https://a.test"}, timeout=60)) == {
        "allow-origin": "*", "expose-headers": "*"}
    answer = requests.get(gateway.url + "/get", headers={"Origin": "https://evil.test"}, timeout=60)
    assert answer.status_code == 200 and allowed(answer) == {} and answer.headers["Vary"] == "Origin"
    assert allowed(requests.get(gateway.url + "/get", timeout=60)) == {}
    # A page of an origin that is allowed can read refusals, too.
    answer = requests.get(gateway.url + "/shop", headers={"Origin": "https://shop.test"}, timeout=60)
    assert answer.status_code == 401 and allowed(answer)["allow-origin"] == "https://shop.test"
    assert origin.count() == before + 4
    assert preflight("/plain").status_code in (405, 501)
    for version in ("--http1.1", "--http2-prior-knowledge"):
        done = subprocess.run(
            ["curl", "-sSi", version, "-X", "OPTIONS", "-H", "Origin: https://shop.test", "-H",
             "Access-Control-Request-Method: GET", gateway.url + "/shop"], capture_output=True, text=True, timeout=60)
        assert " 204" in done.stdout.splitlines()[0]
        assert "access-control-allow-origin: https://shop.test" in done.stdout.lower()


class Issuer:
    """Gives its keys to whoever asks, unless it is `down`."""

    def __init__(self):
        self.keys, self.asked, self.down = {}, 0, False
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                issuer.asked += 1
                body = json.dumps({"keys": list(issuer.keys.values())}).encode()
                if issuer.down == "long":
                    body = b'{"keys": [' + b" " * (2 << 20) + b"]}"
                self.send_response(500 if issuer.down is True else 302 if self.path == "/moved" else 200)
                if self.path == "/moved":
                    self.send_header("Location", "/keys")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def new(self, name, algorithm="ES256"):
        if algorithm == "ES256":
            key = ec.generate_private_key(ec.SECP256R1())
            public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())
        else:
            key = rsa.generate_private_key(65537, 2048)
            public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())
        self.keys[name] = {**json.loads(public), "kid": name, "alg": algorithm, "use": "sig"}
        return key

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def test_tokens_by_the_issuers_address(gateway, origin):
    issuer = Issuer()
    try:
        first = issuer.new("one")
        issuer.keys["enc"] = {"kty": "oct", "use": "enc", "kid": "enc", "k": "c2VjcmV0"}
        rules = [upstream("one", origin.address)]
        for name, path in [("keys", "/keys"), ("moved", "/moved"), ("late", "/late")]:
            rules += [route(name, rule(backend("one"), path=path)),
                      policy(name, name, jwt={"issuer": "https://issuer.test", "jwksUri": issuer.address + path,
                                              "claimsToHeaders": {"sub": "X-User"}})]
        gateway.reload(*rules)

        def get(key, name, path="/keys", algorithm="ES256", **changes):
            claims = {"iss": "https://issuer.test", "sub": "anna", "exp": time.time() + 600, "jti": str(time.time()),
                      **changes}
            token = jwt.encode(claims, key, algorithm, headers={"kid": name})
            return requests.get(gateway.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=60)

        # Nothing is fetched before a token comes, nor for one of another issuer; then once for many.
        assert issuer.asked == 0 and get(first, "one", iss="https://other.test").status_code == 401
        assert issuer.asked == 0
        tries = []
        wait_for(lambda: tries.append(get(first, "one").status_code) or tries[-1] == 200, what="the issuer's keys")
        # One, where it answered within its five seconds.
        asked = issuer.asked
        assert 1 <= asked <= len(tries)
        for _ in range(5):
            answer = get(first, "one")
            assert answer.status_code == 200 and answer.json()["headers"]["x-user"] == "anna"
        assert get(issuer.new("other"), "one").status_code == 401
        assert issuer.asked == asked
        # Names out of the air are asked for once in ten seconds only.
        for number in range(20):
            assert get(first, f"none-{number}").status_code == 401 or issuer.asked <= asked + 1
        assert issuer.asked <= asked + 1
        # A redirect is not followed: without keys nobody can be told apart, which is not the client's fault.
        assert get(first, "one", "/moved").status_code == 503
        # The issuer is down at first, or says too much; later it is there.
        for down in (True, "long"):
            issuer.down = down
            answer = get(first, "one", "/late")
            assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
            # What was fetched before is used on.
            assert get(first, "one").status_code == 200
        issuer.down = False
        wait_for(lambda: get(first, "one", "/late").status_code == 200, what="the issuer's keys")
        # A key that is new: fetched when the first token names it.
        second = issuer.new("two", "RS256")
        wait_for(lambda: get(second, "two", algorithm="RS256").status_code == 200, 60, "the issuer's new key")
        assert get(first, "one").status_code == 200
        # And what is fetched stays when the issuer goes for good.
        issuer.stop()
        assert get(second, "two", algorithm="RS256").status_code == 200
    finally:
        issuer.stop()

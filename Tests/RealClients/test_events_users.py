# SPDX-License-Identifier: Apache-2.0
"""deploy/events-sasl on a platform, and KafkaUser objects as kubectl and confluent-kafka see them."""
import base64
import json
import os
import secrets
import shutil
import signal
import subprocess

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient,
                                   ResourcePatternType, ResourceType, ScramCredentialInfo, ScramMechanism,
                                   UserScramCredentialUpsertion)

from conftest import APUS, ROOT, wait_for
from test_events_access import ADMIN, PASSWORD, pki, secret, serving, tls_broker  # noqa: F401

N = ["-n", "events"]


def login(user, password, **more):
    return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": user,
            "sasl.password": password, **more}


class Events:
    """A broker, and the objects about it. `users` logs in as administrator."""

    def __init__(self, cluster, address, admin_login):
        self.cluster, self.address = cluster, address
        self.admin = AdminClient({"bootstrap.servers": address, "log_level": 0, **admin_login})

    def apply(self, name, namespace, cluster="events", kind="KafkaUser", version="v1", **spec):
        self.cluster.apply(json.dumps({
            "apiVersion": f"kafka.strimzi.io/{version}", "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "labels": {"strimzi.io/cluster": cluster}},
            "spec": spec}))

    def ready(self, name, namespace, status=None, reason=None, kind="kafkauser", log=None):
        """The condition Ready, once it speaks of the object as it is now (and has that status or reason: a call
        of the operator that took too long is told as KafkaError, and made again)."""
        def current():
            found = self.cluster.get(kind, name, "-n", namespace)
            if found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
                return None
            condition = next((c for c in found["status"].get("conditions", []) if c["type"] == "Ready"), None)
            said = condition or {}
            return condition if status in (None, said.get("status")) and reason in (None, said.get("reason")) else None
        try:
            return wait_for(current, 60, f"a condition of {name}")
        except pytest.fail.Exception as failure:
            if log is None:
                result = self.cluster.kubectl("logs", "deployment/events-operator", *N, "--tail=30", check=False)
            said = log.read_text() if log else result.stdout + result.stderr
            raise AssertionError(f"{failure}; the operator said: {said}") from None

    def password(self, name, namespace):
        data = self.cluster.get("secret", name, "-n", namespace)["data"]
        password = base64.b64decode(data["password"]).decode()
        assert base64.b64decode(data["sasl.jaas.config"]).decode() == (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            f'username="{name}" password="{password}";')
        return password

    def set_password(self, name, namespace, password):
        coded = base64.b64encode(password.encode()).decode()
        self.cluster.kubectl("patch", "secret", name, "-n", namespace, "-p", json.dumps({"data": {"password": coded}}))

    def lets_in(self, user, password):
        """Whether the user is let in; fails where neither that nor a refusal comes."""
        errors = []
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0, **login(user, password),
                              "error_cb": lambda error: errors.append(error.code())})

        def answer():
            try:
                return client.list_topics(timeout=1) and "let in"
            except KafkaException:
                client.poll(0)
                return "refused" if KafkaError._AUTHENTICATION in errors else None

        return wait_for(answer, what=f"{user} to be let in or refused") == "let in"

    def produce(self, options, topic, value="x"):
        """Sends one record; the error's code, or None."""
        errors = []
        client = Producer({"bootstrap.servers": self.address, "message.timeout.ms": 60000, "log_level": 0, **options})
        client.produce(topic, value, on_delivery=lambda error, _: errors.append(error.code() if error else None))
        client.flush(70)
        assert len(errors) == 1
        return errors[0]

    def consume(self, options, topic, group):
        """The first record's value, or the error's code."""
        client = Consumer({"bootstrap.servers": self.address, "group.id": group, "auto.offset.reset": "earliest",
                           "log_level": 0, **options})
        try:
            client.subscribe([topic])
            message = wait_for(lambda: client.poll(0.2), 20, "a record or an error")
            return message.error().code() if message.error() else message.value().decode()
        finally:
            client.close()

    def rules(self, principal):
        found = self.admin.describe_acls(AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, principal, None, AclOperation.ANY,
            AclPermissionType.ANY)).result(20)
        return {(r.restype.name, r.name, r.resource_pattern_type.name, r.operation.name, r.permission_type.name)
                for r in found}

    def credentials(self, user):
        try:
            found = self.admin.describe_user_scram_credentials([user])[user].result(20)
            return [info.mechanism.name for info in found.scram_credential_infos]
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.RESOURCE_NOT_FOUND
            return []


@pytest.fixture(scope="module")
def events(cluster, tmp_path_factory):
    deploy = tmp_path_factory.mktemp("deploy")
    shutil.copytree(ROOT / "deploy", deploy, dirs_exist_ok=True)
    password = secrets.token_hex(24)
    (deploy / "events-sasl" / "admin.env").write_text(f"password={password}\n")
    cluster.kubectl("apply", "-k", str(deploy / "events-sasl"))
    cluster.kubectl("rollout", "status", "statefulset/events", *N, "--timeout=60s")
    cluster.kubectl("rollout", "status", "deployment/events-operator", *N, "--timeout=60s")
    spec = cluster.get("service", "events", *N)["spec"]
    return Events(cluster, f"{spec['clusterIP']}:{spec['ports'][0]['port']}", login("admin", password))


def acl(kind, name, *operations, **more):
    resource = {"type": kind, "name": name, **more.pop("resource", {})}
    return {"resource": resource, "operations": list(operations), **more}


SCRAM = {"type": "scram-sha-512"}


def test_the_example_logs_in_and_may_do_what_it_says(events, cluster):
    cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "events-sasl" / "example.yaml"))
    assert events.ready("recommender", "events", status="True")
    assert events.ready("ratings", "events", kind="kafkatopic", status="True")
    user = cluster.get("kafkauser", "recommender", *N)
    assert (user["status"]["username"], user["status"]["secret"]) == ("recommender", "recommender")
    made = cluster.get("secret", "recommender", *N)
    assert made["metadata"]["labels"]["strimzi.io/kind"] == "KafkaUser"
    assert [o["uid"] for o in made["metadata"]["ownerReferences"]] == [user["metadata"]["uid"]]

    options = login("recommender", events.password("recommender", "events"))
    assert events.produce(options, "ratings", "five") is None
    assert events.consume(options, "ratings", "recommender-1") == "five"
    assert events.consume(options, "ratings", "others") == KafkaError.GROUP_AUTHORIZATION_FAILED
    assert events.produce(options, "another") == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert not events.lets_in("recommender", "wrong") and not events.lets_in("nobody", "wrong")

    status = cluster.get("kafkatopic", "ratings", *N)["status"]
    topic = events.admin.describe_topics(TopicCollection(["ratings"]))["ratings"].result(20)
    # librdkafka writes ids in another alphabet of base64 than Kafka's tools.
    assert status["topicName"] == "ratings" and status["topicId"] == str(topic.topic_id).translate({43: "-", 47: "_"})
    old = cluster.kubectl("get", "kafkatopics.v1beta2.kafka.strimzi.io", "ratings", *N, "-o", "jsonpath={.apiVersion}")
    assert old == "kafka.strimzi.io/v1beta2"
    assert "scram-sha-512" in cluster.kubectl("get", "kafkauser", "recommender", *N)


def test_rules_are_exactly_those_declared(events, cluster, namespace):
    events.apply("exact", namespace, authentication=SCRAM, authorization={"type": "simple", "acls": [
        acl("topic", "a", "Read", "Write"), acl("transactionalId", "t", "All", resource={"patternType": "prefix"}),
        acl("cluster", "", "Describe"), acl("topic", "secret", "All", type="deny")]})
    assert events.ready("exact", namespace, status="True")
    assert events.rules("User:exact") == {
        ("TOPIC", "a", "LITERAL", "READ", "ALLOW"), ("TOPIC", "a", "LITERAL", "WRITE", "ALLOW"),
        ("TRANSACTIONAL_ID", "t", "PREFIXED", "ALL", "ALLOW"),
        ("BROKER", "kafka-cluster", "LITERAL", "DESCRIBE", "ALLOW"), ("TOPIC", "secret", "LITERAL", "ALL", "DENY")}

    extra = AclBinding(ResourceType.TOPIC, "b", ResourcePatternType.LITERAL, "User:exact", "*", AclOperation.READ,
                       AclPermissionType.ALLOW)
    events.admin.create_acls([extra])[extra].result(20)
    other = UserScramCredentialUpsertion("exact", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), b"other")
    events.admin.alter_user_scram_credentials([other])["exact"].result(20)
    events.apply("exact", namespace, version="v1beta2", authentication=SCRAM, authorization={"type": "simple", "acls": [
        {"resource": {"type": "topic", "name": "a"}, "operation": "Read"}]})
    assert events.ready("exact", namespace, status="True")
    assert events.rules("User:exact") == {("TOPIC", "a", "LITERAL", "READ", "ALLOW")}
    assert events.credentials("exact") == ["SCRAM_SHA_512"]


def test_passwords_are_changed_in_the_secret(events, cluster, namespace):
    events.apply("rotating", namespace, authentication=SCRAM)
    assert events.ready("rotating", namespace, status="True")
    first = events.password("rotating", namespace)
    assert len(first) == 32 and events.lets_in("rotating", first)

    events.set_password("rotating", namespace, "another \"pass\\word")
    wait_for(lambda: events.lets_in("rotating", "another \"pass\\word"), 30, "the new password to be taken")
    assert not events.lets_in("rotating", first)

    cluster.kubectl("delete", "secret", "rotating", "-n", namespace)
    wait_for(lambda: cluster.kubectl("get", "secret", "rotating", "-n", namespace, check=False).returncode == 0, 30,
             "a new Secret")
    third = wait_for(lambda: events.password("rotating", namespace), 10, "its password")
    wait_for(lambda: events.lets_in("rotating", third), 30, "the third password to be taken")
    assert third not in (first, "another \"pass\\word") and not events.lets_in("rotating", "another \"pass\\word")

    # The broker lets in before the operator says so.
    said = wait_for(lambda: (text := cluster.kubectl("logs", "deployment/events-operator", *N)).count(
        "user rotating has its password") >= 3 and text, what="the operator's words")
    said += cluster.kubectl("logs", "events-0", *N)
    assert all(password not in said for password in (first, third, "another"))
    assert said.count("user rotating has its password") == 3, "set only where it was not right"


def test_password_from_another_secret(events, cluster, namespace):
    events.apply("given", namespace, authentication={**SCRAM, "password": {"valueFrom": {"secretKeyRef": {
        "name": "source", "key": "word"}}}}, template={"secret": {"metadata": {"labels": {"team": "ml"}}}})
    condition = events.ready("given", namespace, reason="InvalidResource")
    assert condition["status"] == "False" and f"{namespace}/source" in condition["message"]
    cluster.kubectl("create", "secret", "generic", "source", "-n", namespace, "--from-literal=word=given by others")
    assert events.ready("given", namespace, status="True")
    assert events.password("given", namespace) == "given by others" and events.lets_in("given", "given by others")
    assert cluster.get("secret", "given", "-n", namespace)["metadata"]["labels"]["team"] == "ml"


def test_deleting_takes_all_away(events, cluster, namespace):
    events.apply("leaving", namespace, authentication=SCRAM, authorization={
        "type": "simple", "acls": [acl("topic", "a", "Read")]})
    assert events.ready("leaving", namespace, status="True")
    password = events.password("leaving", namespace)
    assert events.credentials("leaving") == ["SCRAM_SHA_512"] and events.rules("User:leaving")
    cluster.kubectl("delete", "kafkauser", "leaving", "-n", namespace, "--timeout=30s")
    assert events.credentials("leaving") == [] and not events.rules("User:leaving")
    assert not events.lets_in("leaving", password)
    wait_for(lambda: cluster.kubectl("get", "secret", "leaving", "-n", namespace, check=False).returncode != 0, 30,
             "the Secret to go with its owner")


def test_certificates_of_others(events, cluster, namespace):
    events.apply("carol", namespace, authentication=SCRAM, authorization={
        "type": "simple", "acls": [acl("topic", "a", "Read")]})
    assert events.ready("carol", namespace, status="True")
    events.apply("carol", namespace, authentication={"type": "tls-external"}, authorization={
        "type": "simple", "acls": [acl("topic", "a", "Read")]})
    assert events.ready("carol", namespace, status="True")
    assert cluster.get("kafkauser", "carol", "-n", namespace)["status"]["username"] == "CN=carol"
    assert events.rules("User:CN=carol") == {("TOPIC", "a", "LITERAL", "READ", "ALLOW")}
    assert not events.rules("User:carol") and events.credentials("carol") == []
    wait_for(lambda: cluster.kubectl("get", "secret", "carol", "-n", namespace, check=False).returncode != 0, 30,
             "the Secret to go")


def test_what_cannot_be_done_is_told(events, cluster, namespace):
    events.apply("issued", namespace, authentication={"type": "tls"})
    events.apply("quota", namespace, authentication=SCRAM, quotas={"producerByteRate": 1048576})
    events.apply("admin", namespace, authentication=SCRAM)
    events.apply("recommender", namespace, authentication=SCRAM)
    cluster.kubectl("create", "secret", "generic", "taken", "-n", namespace, "--from-literal=password=mine")
    events.apply("taken", namespace, authentication=SCRAM)
    for name, reason, part in [
            ("issued", "NotSupported", "tls-external"), ("quota", "NotSupported", "spec.quotas"),
            ("admin", "ResourceConflict", "operator's own"), ("recommender", "ResourceConflict", "events/recommender"),
            ("taken", "ResourceConflict", "Secret")]:
        condition = events.ready(name, namespace, reason=reason)
        assert condition["status"] == "False" and part in condition["message"], name
    assert events.credentials("quota") == [] and events.credentials("taken") == []
    assert base64.b64decode(cluster.get("secret", "taken", "-n", namespace)["data"]["password"]) == b"mine"
    # The other's user stays.
    cluster.kubectl("delete", "kafkauser", "recommender", "admin", "-n", namespace, "--timeout=30s")
    assert events.credentials("recommender") == ["SCRAM_SHA_512"] and events.rules("User:recommender")
    for spec in [{"authentication": {"type": "oauth"}}, {"authorization": {"type": "simple", "acls": [
            acl("topic", "a", "Reed")]}}]:
        refused = cluster.kubectl("apply", "-n", namespace, "-f", "-", check=False, input=json.dumps({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": {"name": "bad"}, "spec": spec}))
        assert refused.returncode != 0 and "spec.auth" in refused.stderr


def test_another_namespace_takes_over(events, cluster, namespace):
    other = namespace + "-2"
    cluster.kubectl("create", "namespace", other)
    try:
        events.apply("shared", namespace, authentication=SCRAM)
        assert events.ready("shared", namespace, status="True")
        events.apply("shared", other, authentication=SCRAM)
        assert events.ready("shared", other, reason="ResourceConflict")
        cluster.kubectl("delete", "kafkauser", "shared", "-n", namespace, "--timeout=30s")
        assert events.ready("shared", other, status="True")
        assert events.lets_in("shared", events.password("shared", other))
    finally:
        cluster.kubectl("delete", "namespace", other, "--wait=false")


class Operator:
    """`apus operate events` by hand, for objects of one label."""

    def __init__(self, cluster, address, label, folder, *arguments, **environment):
        self.log = folder / "operator.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [APUS, "operate", "events", "--kubeconfig", cluster.kubeconfig, "--bootstrap", address, "--cluster",
                 label, *arguments], env={**os.environ, "HOME": str(folder), **environment}, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert failed or code == 0, self.log.read_text()


@pytest.fixture(scope="module")
def alone(cluster):
    """The kinds, and no operator: that of deploy/ sees to objects of every label."""
    cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "events" / "crds.yaml"))
    cluster.kubectl("scale", "deployment/events-operator", "--replicas=0", *N, check=False)
    cluster.kubectl("wait", "--for=delete", "pod", "-l", "app=events-operator", *N, "--timeout=60s", check=False)


def test_operator_over_tls(alone, cluster, namespace, tls_broker, pki, tmp_path):  # noqa: F811
    """Against a broker with TLS and logins."""
    tls = {"security.protocol": "SASL_SSL", "ssl.ca.location": str(pki / "ca.pem")}
    events = Events(cluster, tls_broker.address, login(ADMIN, PASSWORD, **tls))
    with Operator(cluster, events.address, "secured", tmp_path, "--user", ADMIN, "--ca-file", str(pki / "ca.pem"),
                  APUS_EVENTS_PASSWORD=PASSWORD) as operator:
        events.apply("over-tls", namespace, cluster="secured", kind="KafkaTopic", partitions=1)
        events.apply("over-tls", namespace, cluster="secured", authentication=SCRAM, authorization={
            "type": "simple", "acls": [acl("topic", "over-tls", "Write")]})
        assert events.ready("over-tls", namespace, status="True", log=operator.log)
        assert events.ready("over-tls", namespace, kind="kafkatopic", status="True")
        options = login("over-tls", events.password("over-tls", namespace), **tls)
        assert events.produce(options, "over-tls") is None
        for kind in ("kafkauser", "kafkatopic"):
            cluster.kubectl("delete", kind, "over-tls", "-n", namespace, "--timeout=30s")


@pytest.mark.parametrize("authority, user, part", [
    ("carol.pem", ADMIN, "CERTIFICATE_VERIFY_FAILED"), ("ca.pem", "nobody", "nobody")])
def test_operator_that_is_not_let_in(alone, cluster, namespace, tls_broker, pki, tmp_path, authority,  # noqa: F811
                                     user, part):
    events = Events(cluster, tls_broker.address, {})
    name = "shut-out-by-" + user
    with Operator(cluster, events.address, "shut-out", tmp_path, "--user", user, "--ca-file", str(pki / authority),
                  APUS_EVENTS_PASSWORD=PASSWORD):
        events.apply(name, namespace, cluster="shut-out", authentication=SCRAM)
        # A first call may just have taken too long.
        condition = wait_for(lambda: (said := events.ready(name, namespace)) and part in said.get("message", "") and said,
                             what=f"a refusal for {part}")
        assert (condition["status"], condition["reason"]) == ("False", "KafkaError")
        assert PASSWORD not in condition["message"]
    cluster.kubectl("patch", "kafkauser", name, "-n", namespace, "--type=merge", "-p",
                    '{"metadata": {"finalizers": null}}')


def test_clients_with_certificates(request, alone, cluster, namespace, pki, tmp_path):  # noqa: F811
    """Against a broker that tells clients, and the operator, by their certificates only."""

    def options(name):
        return {"security.protocol": "SSL", "ssl.ca.location": str(pki / "ca.pem"),
                "ssl.certificate.location": str(pki / f"{name}.pem"), "ssl.key.location": str(pki / f"{name}.key")}
    for broker in serving(request, "--tls-certificate", str(pki / "broker.pem"), "--tls-key", str(pki / "broker.key"),
                          "--tls-client-ca", str(pki / "ca.pem"), "--super-users", "User:CN=boss,O=Apus"):
        events = Events(cluster, broker.address, options("boss"))
        flags = [flag for key, value in options("boss").items() for flag in ("-X", f"{key}={value}")]
        # By name, as the certificate has it, too.
        bootstrap = broker.address.replace("127.0.0.1", "localhost")
        with Operator(cluster, bootstrap, "certified", tmp_path, *flags) as operator:
            events.apply("t", namespace, cluster="certified", kind="KafkaTopic", partitions=1)
            events.apply("carol", namespace, cluster="certified", authentication={"type": "tls-external"},
                         authorization={"type": "simple", "acls": [acl("topic", "t", "Write")]})
            assert events.ready("carol", namespace, status="True", log=operator.log)
            assert events.ready("t", namespace, kind="kafkatopic", status="True")
            assert events.produce(options("carol"), "t") is None
            assert events.produce(options("carol"), "other") == KafkaError.TOPIC_AUTHORIZATION_FAILED
            cluster.kubectl("delete", "kafkauser", "carol", "-n", namespace, "--timeout=30s")
            assert events.produce(options("carol"), "t") == KafkaError.TOPIC_AUTHORIZATION_FAILED
            cluster.kubectl("delete", "kafkatopic", "t", "-n", namespace, "--timeout=30s")

# SPDX-License-Identifier: Apache-2.0
"""Logins, users, rules and TLS of `apus serve events`, with kcat, confluent-kafka and kafka-python."""
import os
import ssl
import stat
import subprocess
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, NewTopic,
                                   ResourcePatternType, ResourceType, ScramCredentialInfo, ScramMechanism,
                                   UserScramCredentialUpsertion)

from conftest import APUS, wait_for
from events_fixture import Broker, KCAT, settle

ADMIN, PASSWORD = "admin", "admin's secret"
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


def openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """An authority, the broker's certificate, and certificates of two clients."""
    folder = tmp_path_factory.mktemp("pki")
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    for name, subject in [("broker", "/CN=127.0.0.1"), ("boss", "/O=Apus/CN=boss"), ("carol", "/CN=carol")]:
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject,
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "extensions", "-out", f"{name}.pem")
    return folder


def serving(request, *arguments):
    broker = Broker(*arguments)
    failed = request.session.testsfailed
    try:
        yield broker.start()
        broker.stop()
    finally:
        broker.clean(keep=request.session.testsfailed > failed)


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("secret") / "password"
    path.write_text(PASSWORD + "\n")
    return path


@pytest.fixture(scope="module")
def broker(request, secret):
    yield from serving(request, "--sasl", "--admin-user", ADMIN, "--admin-password-file", str(secret))


@pytest.fixture(scope="module")
def tls_broker(request, secret, pki):
    yield from serving(request, "--sasl", "--admin-user", ADMIN, "--admin-password-file", str(secret),
                       "--tls-certificate", str(pki / "broker.pem"), "--tls-key", str(pki / "broker.key"))


def login(user=ADMIN, password=PASSWORD, mechanism="SCRAM-SHA-256", authority=None):
    options = {"security.protocol": "SASL_SSL" if authority else "SASL_PLAINTEXT", "sasl.mechanism": mechanism,
               "sasl.username": user, "sasl.password": password}
    if authority:
        options["ssl.ca.location"] = str(authority)
    return options


def kcat(broker, options, *arguments, input=None, seconds=30):
    """Where a login is refused, it tries until its time is over."""
    flags = [flag for key, value in options.items() for flag in ("-X", f"{key}={value}")]
    return subprocess.run([KCAT, "-b", broker.address, "-m", str(seconds), *flags, *arguments], input=input, text=True,
                          capture_output=True, timeout=60)


def admin_of(broker, **options):
    return AdminClient({"bootstrap.servers": broker.address, **login(**options)})


def new_user(broker, password="pw", mechanism=ScramMechanism.SCRAM_SHA_256, **options):
    name = "u-" + uuid.uuid4().hex[:8]
    change = UserScramCredentialUpsertion(name, ScramCredentialInfo(mechanism, 4096), password.encode())
    admin = admin_of(broker, **options)
    admin.alter_user_scram_credentials([change])[name].result(20)
    return name


def new_topic(broker, **options):
    name = "t-" + uuid.uuid4().hex[:8]
    admin = admin_of(broker, **options)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    return name


def allow(broker, user, operation, kind, name, pattern=ResourcePatternType.LITERAL,
          permission=AclPermissionType.ALLOW, **options):
    rule = AclBinding(kind, name, pattern, f"User:{user}", "*", operation, permission)
    admin = admin_of(broker, **options)
    admin.create_acls([rule])[rule].result(20)
    return rule


def produce(broker, topic, value, **options):
    """Sends one record; the error's code, or None."""
    errors = []
    client = Producer({"bootstrap.servers": broker.address, "message.timeout.ms": 60000, **options})
    client.produce(topic, value, on_delivery=lambda error, _: errors.append(error.code() if error else None))
    client.flush(70)
    assert len(errors) == 1
    return errors[0]


def consume(broker, topic, group, **options):
    """The first record's value, or the error's code."""
    client = Consumer({"bootstrap.servers": broker.address, "group.id": group, "auto.offset.reset": "earliest",
                       **options})
    try:
        client.subscribe([topic])
        message = wait_for(lambda: client.poll(0.2), 20, "a record or an error")
        return message.error().code() if message.error() else message.value().decode()
    finally:
        client.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_kcat_logs_in(broker, mechanism):
    topic = new_topic(broker)
    options = login(mechanism=mechanism)
    assert kcat(broker, options, "-P", "-t", topic, input="hello\n").returncode == 0
    assert kcat(broker, options, "-C", "-t", topic, "-e", "-q", "-o", "beginning").stdout == "hello\n"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_kcat_logs_in_over_tls(tls_broker, pki, mechanism):
    authority = pki / "ca.pem"
    topic = new_topic(tls_broker, authority=authority)
    options = login(mechanism=mechanism, authority=authority)
    lines = "".join(f"{number} {'x' * 1000}\n" for number in range(3000))
    assert kcat(tls_broker, options, "-P", "-t", topic, input=lines).returncode == 0
    assert kcat(tls_broker, options, "-C", "-t", topic, "-e", "-q", "-o", "beginning").stdout == lines


@pytest.mark.parametrize("mechanism,words", [("PLAIN", "Invalid username or password"),
                                             ("SCRAM-SHA-256", "invalid credentials with SASL mechanism SCRAM-SHA-256"),
                                             ("SCRAM-SHA-512", "invalid credentials with SASL mechanism SCRAM-SHA-512")])
@pytest.mark.parametrize("user", [ADMIN, "nobody"])
def test_a_wrong_password_is_told(broker, user, mechanism, words):
    flags = [flag for key, value in login(user, "wrong", mechanism).items() for flag in ("-X", f"{key}={value}")]
    # It says what it is told at once, and tries again until its time is over.
    with subprocess.Popen([KCAT, "-b", broker.address, "-m", "30", *flags, "-L"], text=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as refused:
        said = []
        for line in refused.stderr:
            said.append(line)
            if words in line:
                refused.kill()
        assert refused.wait(60) != 0
        assert any(words in line for line in said), said


def test_who_does_not_log_in_is_cut_off(broker, tls_broker):
    refused = kcat(broker, {"socket.timeout.ms": 3000}, "-L", seconds=5)
    assert refused.returncode != 0
    refused = kcat(tls_broker, login(), "-L", seconds=5)
    assert refused.returncode != 0
    # The broker still serves others.
    assert kcat(broker, login(), "-L").returncode == 0


def test_users_come_and_go(broker):
    # With a space, which no base64 has.
    password = "first password"
    name = new_user(broker, password, ScramMechanism.SCRAM_SHA_512)
    admin = admin_of(broker)
    described = admin.describe_user_scram_credentials([name])[name].result(20)
    assert [(i.mechanism, i.iterations) for i in described.scram_credential_infos] == [
        (ScramMechanism.SCRAM_SHA_512, 4096)]
    assert kcat(broker, login(name, password, "SCRAM-SHA-512"), "-L").returncode == 0
    assert kcat(broker, login(name, password, "PLAIN"), "-L").returncode == 0
    assert kcat(broker, login(name, password, "SCRAM-SHA-256"), "-L", seconds=5).returncode != 0
    file = broker.folder / "data" / "users.json"
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert password not in file.read_text() and PASSWORD not in file.read_text()
    from confluent_kafka.admin import UserScramCredentialDeletion
    deletion = UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512)
    admin.alter_user_scram_credentials([deletion])[name].result(20)
    assert kcat(broker, login(name, password, "SCRAM-SHA-512"), "-L", seconds=5).returncode != 0
    with pytest.raises(KafkaException) as raised:
        admin.alter_user_scram_credentials([deletion])[name].result(20)
    assert raised.value.args[0].code() == KafkaError.RESOURCE_NOT_FOUND
    with pytest.raises(KafkaException) as raised:
        few = UserScramCredentialUpsertion(name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 100), b"pw")
        admin.alter_user_scram_credentials([few])[name].result(20)
    assert raised.value.args[0].code() == KafkaError.UNACCEPTABLE_CREDENTIAL


def test_producing_needs_a_right(broker):
    topic, user = new_topic(broker), new_user(broker)
    options = login(user, "pw")
    assert produce(broker, topic, "no", **options) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    allow(broker, user, AclOperation.WRITE, ResourceType.TOPIC, topic)
    assert produce(broker, topic, "yes", **options) is None
    assert produce(broker, topic, "again", **{"enable.idempotence": True, **options}) is None
    allow(broker, user, AclOperation.WRITE, ResourceType.TOPIC, topic, permission=AclPermissionType.DENY)
    assert produce(broker, topic, "no more", **options) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    # What was refused is not there.
    assert kcat(broker, login(), "-C", "-t", topic, "-e", "-q", "-o", "beginning").stdout == "yes\nagain\n"


def test_consuming_needs_rights_to_topic_and_group(broker):
    topic, user, group = new_topic(broker), new_user(broker), "g-" + uuid.uuid4().hex[:8]
    assert produce(broker, topic, "value", **login()) is None
    options = login(user, "pw", "SCRAM-SHA-256")
    assert consume(broker, topic, group, **options) in (KafkaError.GROUP_AUTHORIZATION_FAILED,
                                                        KafkaError.TOPIC_AUTHORIZATION_FAILED)
    allow(broker, user, AclOperation.READ, ResourceType.TOPIC, topic)
    assert consume(broker, topic, group, **options) == KafkaError.GROUP_AUTHORIZATION_FAILED
    allow(broker, user, AclOperation.READ, ResourceType.GROUP, "g-", ResourcePatternType.PREFIXED)
    assert consume(broker, topic, group, **options) == "value"
    assert consume(broker, topic, "other", **options) == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_transactions_need_a_right(broker):
    topic, user, name = new_topic(broker), new_user(broker), "tx-" + uuid.uuid4().hex[:8]
    allow(broker, user, AclOperation.WRITE, ResourceType.TOPIC, topic)
    options = {"bootstrap.servers": broker.address, "transactional.id": name, **login(user, "pw")}
    with pytest.raises(KafkaException) as raised:
        Producer(options).init_transactions(20)
    assert raised.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    allow(broker, user, AclOperation.WRITE, ResourceType.TRANSACTIONAL_ID, name)
    client = Producer(options)
    client.init_transactions(20)
    client.begin_transaction()
    client.produce(topic, "committed")
    client.commit_transaction(20)
    settle(broker, name, **login(user, "pw"))
    assert kcat(broker, login(), "-C", "-t", topic, "-e", "-q", "-o", "beginning").stdout == "committed\n"


def test_rules_are_managed_by_clients(broker):
    topic, user = new_topic(broker), new_user(broker)
    admin = admin_of(broker)
    rules = [allow(broker, user, operation, ResourceType.TOPIC, topic)
             for operation in (AclOperation.READ, AclOperation.WRITE)]
    mine = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{user}", None, AclOperation.ANY,
                            AclPermissionType.ANY)
    assert set(admin.describe_acls(mine).result(20)) == set(rules)
    covering = AclBindingFilter(ResourceType.TOPIC, topic, ResourcePatternType.MATCH, None, None, AclOperation.READ,
                                AclPermissionType.ANY)
    assert rules[0] in admin.describe_acls(covering).result(20)
    own = AdminClient({"bootstrap.servers": broker.address, **login(user, "pw")})
    with pytest.raises(KafkaException) as raised:
        own.create_acls([rules[0]])[rules[0]].result(20)
    assert raised.value.args[0].code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED
    name = topic + "-own"
    with pytest.raises(KafkaException) as raised:
        own.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    assert raised.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert set(own.list_topics(timeout=60).topics) == {topic}
    assert set(admin.delete_acls([mine])[mine].result(20)) == set(rules)
    assert admin.describe_acls(mine).result(20) == []
    assert own.list_topics(timeout=60).topics == {}


def test_rules_and_users_outlive_a_kill(request, secret):
    for broker in serving(request, "--sasl", "--admin-user", ADMIN, "--admin-password-file", str(secret)):
        topic, user = new_topic(broker), new_user(broker)
        allow(broker, user, AclOperation.WRITE, ResourceType.TOPIC, topic)
        broker.kill()
        broker.start()
        assert produce(broker, topic, "kept", **login(user, "pw")) is None


def test_kafka_python_logs_in(broker, tls_broker, pki):
    from kafka import KafkaConsumer, KafkaProducer
    for target, mechanism, authority in [(broker, "PLAIN", None), (broker, "SCRAM-SHA-512", None),
                                         (tls_broker, "SCRAM-SHA-256", pki / "ca.pem")]:
        topic = new_topic(target, authority=authority)
        options = {"bootstrap_servers": target.address, "sasl_mechanism": mechanism, "sasl_plain_username": ADMIN,
                   "sasl_plain_password": PASSWORD, "security_protocol": "SASL_SSL" if authority else "SASL_PLAINTEXT"}
        if authority:
            options["ssl_context"] = ssl.create_default_context(cafile=str(authority))
        client = KafkaProducer(**options)
        client.send(topic, b"value").get(20)
        client.close()
        reader = KafkaConsumer(topic, auto_offset_reset="earliest", consumer_timeout_ms=15000, **options)
        assert next(reader).value == b"value"
        reader.close()


def test_the_command_line_logs_in(tls_broker, pki):
    def apus(password, *arguments):
        return subprocess.run([APUS, "events", *arguments, "--bootstrap", tls_broker.address, "--user", ADMIN,
                               "--ca-file", str(pki / "ca.pem")], text=True, capture_output=True, timeout=60,
                              env={**os.environ, "APUS_EVENTS_PASSWORD": password})

    name = "t-" + uuid.uuid4().hex[:8]
    made = apus(PASSWORD, "topics", "create", name)
    assert made.returncode == 0, made.stderr
    assert name in apus(PASSWORD, "topics").stdout
    refused = apus("wrong", "topics")
    assert refused.returncode != 0
    assert "uthentication" in refused.stderr, refused.stderr


def test_certificates_say_who_clients_are(request, pki):
    def options(name):
        return {"security.protocol": "ssl", "ssl.ca.location": str(pki / "ca.pem"),
                "ssl.certificate.location": str(pki / f"{name}.pem"), "ssl.key.location": str(pki / f"{name}.key")}

    for broker in serving(request, "--tls-certificate", str(pki / "broker.pem"), "--tls-key", str(pki / "broker.key"),
                          "--tls-client-ca", str(pki / "ca.pem"), "--super-users", "User:CN=boss,O=Apus"):
        topic = "t-" + uuid.uuid4().hex[:8]
        admin = AdminClient({"bootstrap.servers": broker.address, **options("boss")})
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
        assert produce(broker, topic, "no", **options("carol")) == KafkaError.TOPIC_AUTHORIZATION_FAILED
        rule = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:CN=carol", "*",
                          AclOperation.WRITE, AclPermissionType.ALLOW)
        admin.create_acls([rule])[rule].result(20)
        assert produce(broker, topic, "yes", **options("carol")) is None
        # Without a certificate nobody comes in.
        bare = {"security.protocol": "ssl", "ssl.ca.location": str(pki / "ca.pem"), "socket.timeout.ms": 3000}
        assert kcat(broker, bare, "-L", seconds=5).returncode != 0


@pytest.mark.parametrize("arguments,words", [
    (["--sasl"], "nobody could log in"),
    (["--admin-user", "a"], "--sasl"),
    (["--sasl", "--admin-user", "a"], "needs a password"),
    (["--sasl", "--admin-user", "a", "--admin-password-file", "/no/such/file"], "/no/such/file"),
    (["--tls-client-ca", "ca.pem"], "--tls-certificate"),
])
def test_wrong_options_are_told(tmp_path, arguments, words):
    refused = subprocess.run([APUS, "serve", "events", "--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0",
                              *arguments], text=True, capture_output=True, timeout=30)
    assert refused.returncode != 0
    assert words in refused.stderr, refused.stderr

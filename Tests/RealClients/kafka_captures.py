# SPDX-License-Identifier: Apache-2.0
"""A walk of unmodified clients through the requests of Kafka's protocol, each in every version that one of them sends.

kcat, confluent-kafka and aiokafka send what they send by themselves; kafka-python, which knows nearly every version,
goes through the walk again and again, each time told of lower versions. `scripts/record-kafka-captures` keeps
what they said in Tests/EventBrokerTests/Captures/Clients; test_events_captures.py checks that they still say it.
"""
import asyncio
import subprocess

import aiokafka
import confluent_kafka
import kafka
import kafka.admin
from confluent_kafka import admin as confluent
from kafka.admin import (ACL, ACLFilter, ACLOperation, ACLPermissionType, ConfigResource, ConfigResourceType, OffsetSpec,
                         ResourcePattern, ResourceType, ScramMechanism, UserScramCredentialDeletion,
                         UserScramCredentialUpsertion)
from kafka.protocol.api_header import ResponseClassRegistry
from kafka.structs import OffsetAndMetadata

from conftest import ROOT, wait_for
from events_fixture import KCAT, Broker
from kafka_proxy import Proxy

FOLDER = ROOT / "Tests" / "EventBrokerTests" / "Captures" / "Clients"
USER, PASSWORD = "admin", "secret"
PARTITIONS = 3

(PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT,
 LEAVE_GROUP, SYNC_GROUP, DESCRIBE_GROUPS, LIST_GROUPS) = 0, 1, 2, 3, *range(8, 17)
(SASL_HANDSHAKE, API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS, INIT_PRODUCER_ID, LEADER_EPOCH,
 ADD_PARTITIONS, ADD_OFFSETS, END_TXN) = range(17, 27)
TXN_OFFSET_COMMIT, DESCRIBE_ACLS, CREATE_ACLS, DELETE_ACLS, DESCRIBE_CONFIGS, ALTER_CONFIGS = range(28, 34)
SASL_AUTHENTICATE, CREATE_PARTITIONS, DELETE_GROUPS, INCREMENTAL_ALTER_CONFIGS, OFFSET_DELETE = 36, 37, 42, 44, 47
DESCRIBE_SCRAM, ALTER_SCRAM, DESCRIBE_CLUSTER, DESCRIBE_PRODUCERS, DESCRIBE_TXNS, LIST_TXNS = 50, 51, 60, 61, 65, 66
CONSUMER_HEARTBEAT, CONSUMER_DESCRIBE = 68, 69
# What changes the broker's state: all of it is kept, as later answers depend on it.
CHANGES = {PRODUCE, OFFSET_COMMIT, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP, CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS,
           INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT, CREATE_ACLS, DELETE_ACLS,
           ALTER_CONFIGS, CREATE_PARTITIONS, DELETE_GROUPS, INCREMENTAL_ALTER_CONFIGS, OFFSET_DELETE, ALTER_SCRAM,
           CONSUMER_HEARTBEAT}
# The first JoinGroup of a member is answered with its id and this code (KIP-394).
MEMBER_ID_REQUIRED = 79


# Of requests that kafka-python does not know: where the error code of an answer is, behind header and throttle time.
UNKNOWN = {CONSUMER_HEARTBEAT: 9, CONSUMER_DESCRIBE: 10}


# MARK: What was said

def response(exchange):
    """An answer as kafka-python reads it."""
    kind = ResponseClassRegistry._response_class_registry[exchange.key]
    return kind.decode(exchange.answer, version=exchange.version, header=True)


def errors(message):
    """All error codes of a message other than 0."""
    if isinstance(message, dict):
        for name, value in message.items():
            if name == "error_code" and value:
                yield value
            yield from errors(value)
    elif isinstance(message, (list, tuple)):
        for each in message:
            yield from errors(each)


def is_good(exchange):
    """Whether it was answered without an error and, a Fetch, with records."""
    if not exchange.answer:
        return False
    if exchange.key in UNKNOWN:
        place = UNKNOWN[exchange.key]
        return exchange.answer[place:place + 2] == b"\0\0"
    message = response(exchange).to_dict()
    if any(errors(message)):
        return False
    if exchange.key == FETCH:
        # One that goes on with a session says nothing without the requests before it.
        partitions = [p for topic in message["responses"] for p in topic["partitions"]]
        return any(p["records"] for p in partitions) and b"captures" in exchange.request
    return True


def kept(exchanges):
    """The first good exchange of each request and version, and all that changed the broker's state, in order."""
    first = {}
    for exchange in exchanges:
        kind = exchange.key, exchange.version
        if kind not in first and is_good(exchange):
            first[kind] = exchange
    chosen = set(map(id, first.values()))
    logins = {e.connection for e in first.values() if e.key in (SASL_HANDSHAKE, SASL_AUTHENTICATE)}
    return [e for e in exchanges if id(e) in chosen or e.answer and (
        e.key in CHANGES or e.key in (SASL_HANDSHAKE, SASL_AUTHENTICATE) and e.connection in logins)]


# MARK: Who says it

def sasl(*, librdkafka):
    if librdkafka:
        return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": USER,
                "sasl.password": PASSWORD}
    return dict(security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_plain_username=USER,
                sasl_plain_password=PASSWORD)


class Walk:
    def __init__(self, proxy):
        self.proxy = proxy
        self.librdkafka = {"bootstrap.servers": proxy.address, "log_level": 0, "linger.ms": 0, "fetch.wait.max.ms": 50,
                           "heartbeat.interval.ms": 100, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                           **sasl(librdkafka=True)}

    def options(self, *names):
        return {name: self.librdkafka[name] for name in self.librdkafka if name in names or "sasl" in name or
                name in ("bootstrap.servers", "log_level", "security.protocol")}

    def all(self):
        """Everything, one client after the other."""
        self.confluent_kafka()
        self.kcat()
        self.aiokafka()
        self.kafka_python()

    def kcat(self):
        said = subprocess.run([KCAT, "-V"], text=True, capture_output=True).stdout
        self.proxy.client = "kcat/librdkafka-" + said.split("librdkafka ")[1].split()[0]
        flags = [flag for key, value in self.options("linger.ms").items() for flag in ("-X", f"{key}={value}")]

        def kcat(*arguments, input=None):
            return subprocess.run([KCAT, "-b", self.proxy.address, "-m", "30", *flags, *arguments], input=input,
                                  text=True, capture_output=True, timeout=60, check=True).stdout

        topic = "captures-confluent"
        kcat("-L")
        kcat("-P", "-t", topic, "-p", "1", "-k", "kcat", input="from kcat\n")
        assert kcat("-C", "-t", topic, "-p", "1", "-o", "beginning", "-e", "-q") == "from kcat\n"
        assert kcat("-Q", "-t", f"{topic}:1:-1").split()[-1] == "1"
        read = kcat("-G", "g-kcat", "-X", "auto.offset.reset=earliest", "-X", "heartbeat.interval.ms=100", "-c", "4", "-q",
                    topic)
        assert sorted(read.splitlines()) == ["from kcat", "one", "three", "two"]

    def confluent_kafka(self):
        self.proxy.client = f"confluent-kafka/librdkafka-{confluent_kafka.libversion()[0]}"
        topic, group, wait = "captures-confluent", "g-confluent", 20
        client = confluent.AdminClient(self.options())
        client.create_topics([confluent.NewTopic(topic, 2, 1, config={"retention.ms": "-1"})])[topic].result(wait)
        client.create_partitions([confluent.NewPartitions(topic, PARTITIONS)])[topic].result(wait)
        client.list_topics(timeout=wait)
        assert client.describe_cluster(request_timeout=wait).result(wait).controller.id == 0
        writer = confluent_kafka.Producer({**self.options("linger.ms"), "enable.idempotence": True})
        for value in ("one", "two", "three"):
            writer.produce(topic, value=value, key="k", partition=0, timestamp=1_700_000_000_000)
            assert writer.flush(wait) == 0
        reader = confluent_kafka.Consumer({**self.librdkafka, "group.id": group, "client.id": "reader"})
        reader.subscribe([topic])
        values = [reader.poll(wait).value().decode() for _ in range(3)]
        assert values == ["one", "two", "three"], values
        reader.commit(asynchronous=False)
        self._wait(HEARTBEAT)
        place = confluent_kafka.TopicPartition(topic, 0)
        assert reader.committed([place], wait)[0].offset == 3
        assert reader.offsets_for_times([confluent_kafka.TopicPartition(topic, 0, 1_600_000_000_000)], wait)[0].offset == 0
        (described,) = client.describe_consumer_groups([group], request_timeout=wait).values()
        assert described.result(wait).members[0].client_id == "reader"
        assert group in [g.group_id for g in client.list_consumer_groups(request_timeout=wait).result(wait).valid]
        reader.close()

        asked = confluent_kafka.ConsumerGroupTopicPartitions(group, [place])
        (offsets,) = client.list_consumer_group_offsets([asked]).values()
        assert offsets.result(wait).topic_partitions[0].offset == 3
        altered = confluent_kafka.ConsumerGroupTopicPartitions(group, [confluent_kafka.TopicPartition(topic, 0, 1)])
        next(iter(client.alter_consumer_group_offsets([altered]).values())).result(wait)
        (found,) = client.list_offsets({place: confluent.OffsetSpec.latest()}, request_timeout=wait).values()
        assert found.result(wait).offset == 3

        writer = confluent_kafka.Producer({**self.options("linger.ms"), "transactional.id": "tx-confluent"})
        writer.init_transactions(wait)
        writer.begin_transaction()
        writer.produce(topic, value="four", partition=2)
        metadata = reader_of(self.librdkafka, "g-confluent-tx")
        writer.send_offsets_to_transaction([confluent_kafka.TopicPartition(topic, 0, 2)],
                                           metadata.consumer_group_metadata(), wait)
        writer.commit_transaction(wait)
        metadata.close()

        resource = confluent.ConfigResource(confluent.ResourceType.TOPIC, topic)
        (read,) = client.describe_configs([resource]).values()
        assert read.result(wait)["retention.ms"].value == "-1"
        change = confluent.ConfigEntry("max.message.bytes", "100000",
                                       incremental_operation=confluent.AlterConfigOpType.SET)
        resource = confluent.ConfigResource(confluent.ResourceType.TOPIC, topic, incremental_configs=[change])
        next(iter(client.incremental_alter_configs([resource]).values())).result(wait)
        rule = ("User:confluent", "*", confluent.AclOperation.READ, confluent.AclPermissionType.ALLOW)
        kind = (confluent.ResourceType.TOPIC, topic, confluent.ResourcePatternType.LITERAL)
        next(iter(client.create_acls([confluent.AclBinding(*kind, *rule)]).values())).result(wait)
        assert len(client.describe_acls(confluent.AclBindingFilter(*kind, *rule)).result(wait)) == 1
        (deleted,) = client.delete_acls([confluent.AclBindingFilter(*kind, *rule)]).values()
        assert len(deleted.result(wait)) == 1
        (deleted,) = client.delete_records([confluent_kafka.TopicPartition(topic, 2, 1)]).values()
        assert deleted.result(wait).low_watermark == 1
        next(iter(client.delete_consumer_groups([group]).values())).result(wait)

    def aiokafka(self):
        self.proxy.client = f"aiokafka/{aiokafka.__version__}"
        options = dict(bootstrap_servers=self.proxy.address, **sasl(librdkafka=False))
        topic = "captures-confluent"

        async def work():
            async with aiokafka.AIOKafkaProducer(enable_idempotence=True, **options) as writer:
                assert (await writer.send_and_wait(topic, b"five", partition=1)).offset == 1
            async with aiokafka.AIOKafkaConsumer(topic, group_id="g-aiokafka", auto_offset_reset="earliest",
                                                 enable_auto_commit=False, heartbeat_interval_ms=100,
                                                 fetch_max_wait_ms=50, **options) as reader:
                values = sorted([(await reader.getone()).value for _ in range(5)])
                assert values == [b"five", b"from kcat", b"one", b"three", b"two"], values
                await reader.commit()
            async with aiokafka.AIOKafkaProducer(transactional_id="tx-aiokafka", **options) as writer:
                async with writer.transaction():
                    await writer.send(topic, b"six", partition=1)
                    await writer.send_offsets_to_transaction({aiokafka.TopicPartition(topic, 1): 2}, "g-aiokafka")

        asyncio.run(asyncio.wait_for(work(), 30))

    # MARK: kafka-python

    def kafka_python(self):
        self.proxy.client = f"kafka-python/{kafka.__version__}"
        # Brokers of these versions have ApiVersions up to 0, 1 and 2.
        for old in ((0, 10, 2), (0, 11), (2, 0)):
            self._admin(api_version=old).close()
        self.proxy.limits = {SASL_HANDSHAKE: 0}
        self._admin().close()
        for step in range(max(high - low for low, high in self.proxy.versions.values()) + 1):
            # A handshake of version 0 is followed by messages that are no requests.
            self.proxy.limits = {key: high - step for key, (_, high) in self.proxy.versions.items()
                                 if key != SASL_HANDSHAKE}
            PythonWalk(self, step).all()

    def _python(self):
        return dict(bootstrap_servers=self.proxy.address, retry_backoff_ms=20, **sasl(librdkafka=False))

    def _admin(self, **options):
        return kafka.admin.KafkaAdminClient(**self._python(), **options)

    def _wait(self, key):
        """Until the client has sent one more of these requests."""
        before = len(self.proxy.exchanges)
        wait_for(lambda: any(e.key == key and e.answer for e in self.proxy.exchanges[before:]), 20, f"API {key}")


def reader_of(options, group):
    return confluent_kafka.Consumer({**options, "group.id": group})


class PythonWalk:
    """One round: every request in the highest version less `step`; those that have no such version are left out."""

    def __init__(self, walk, step):
        self.walk = walk
        self.step = step
        self.topic = f"captures-{step}"
        self.group = f"g-{step}"
        self.options = walk._python()

    def due(self, *keys):
        """Whether this round has a version of one of these requests that no round before had."""
        versions = self.walk.proxy.versions
        return any(versions[key][1] - self.step >= versions[key][0] for key in keys if key in versions)

    def all(self):
        admin = self.admin = self.walk._admin()
        admin.list_topics()
        records = self.due(PRODUCE, FETCH, LIST_OFFSETS, LEADER_EPOCH, INIT_PRODUCER_ID, DELETE_RECORDS)
        group = self.due(JOIN_GROUP, SYNC_GROUP, HEARTBEAT, LEAVE_GROUP, OFFSET_COMMIT, OFFSET_FETCH, DESCRIBE_GROUPS,
                         LIST_GROUPS, DELETE_GROUPS, OFFSET_DELETE, FIND_COORDINATOR)
        if records or group or self.due(CREATE_TOPICS, DELETE_TOPICS, CREATE_PARTITIONS):
            admin.create_topics({self.topic: dict(num_partitions=2, replication_factor=1,
                                                  configs={"retention.ms": "-1"})})
            admin.create_partitions({self.topic: PARTITIONS})
            assert len(admin.describe_topics([self.topic])[0]["partitions"]) == PARTITIONS
            self.write(self.topic)
        if records:
            self.read()
        if group:
            self.consume()
        # librdkafka takes part with the newest versions only.
        if self.step == 0 and self.due(CONSUMER_HEARTBEAT, CONSUMER_DESCRIBE):
            self.share()
        if self.due(ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT, LIST_TXNS):
            self.transact()
        self.administrate()
        if records:
            place = kafka.TopicPartition(self.topic, 0)
            assert admin.delete_records({place: 1})[place]["low_watermark"] == 1
        if self.due(DELETE_TOPICS):
            admin.delete_topics([self.topic])
        admin.close()

    def write(self, topic):
        # A broker of the oldest versions gets records of a format that is refused (and answered with Kafka's code).
        limits, self.walk.proxy.limits = self.walk.proxy.limits, {} if self.step > 8 else self.walk.proxy.limits
        writer = kafka.KafkaProducer(enable_idempotence=self.due(INIT_PRODUCER_ID), **self.options)
        for number in range(3):
            sent = writer.send(topic, key=b"k", value=b"%d" % number, partition=0,
                               timestamp_ms=1_700_000_000_000 + number)
            assert sent.get(20).offset == number
        writer.close()
        self.walk.proxy.limits = limits

    def reader(self, *topics, **options):
        return kafka.KafkaConsumer(*topics, **{**self.options, **dict(
            auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=20_000, fetch_max_wait_ms=50,
            heartbeat_interval_ms=100), **options})

    def take(self, reader):
        values = [record.value for _, record in zip(range(3), reader)]
        assert values == [b"0", b"1", b"2"], values

    def read(self):
        place = kafka.TopicPartition(self.topic, 0)
        # Without version 2 of ListOffsets it does not read committed records only.
        level = "read_committed" if self.step < 6 else "read_uncommitted"
        reader = self.reader(isolation_level=level)
        reader.assign([place])
        self.take(reader)
        assert reader.offsets_for_times({place: 1_700_000_000_001})[place].offset == 1
        assert reader.end_offsets([place]) == {place: 3}
        if self.due(LEADER_EPOCH):
            # The client asks after a change of leaders, of which there is none here.
            assert reader._subscription.request_position_validation(place)
            self.walk_on(reader, LEADER_EPOCH)
        reader.close()

    def walk_on(self, reader, key):
        before = len(self.walk.proxy.exchanges)

        def came():
            reader.poll(timeout_ms=50)
            return any(e.key == key and e.answer for e in self.walk.proxy.exchanges[before:])

        wait_for(came, 20, f"API {key}")

    def consume(self):
        place = kafka.TopicPartition(self.topic, 0)
        reader = self.reader(self.topic, group_id=self.group, client_id="reader", group_instance_id=None)
        self.take(reader)
        reader.commit()
        self.walk_on(reader, HEARTBEAT)
        (member,) = self.admin.describe_groups([self.group])[self.group]["members"]
        assert member["client_id"] == "reader"
        assert self.group in [g["group_id"] for g in self.admin.list_groups()]
        reader.close()
        reader = self.reader(group_id=self.group)
        assert reader.committed(place) == 3
        reader.close()
        offsets = self.admin.list_group_offsets({self.group: [place]})
        assert offsets[self.group][place].offset == 3
        self.admin.alter_group_offsets(self.group, {place: OffsetAndMetadata(2, "altered", -1)})
        if self.step == 0:
            self.admin.delete_group_offsets(self.group, [place])
        self.admin.delete_groups([self.group])

    def share(self):
        """A group whose members only send heartbeats (KIP-848). kafka-python has no such; librdkafka goes in."""
        walk, topic, group, wait = self.walk, "captures-shared", f"g-shared-{self.step}", 20
        # Members name topics by ids, which CreateTopics tells from version 7 on.
        self.admin.create_topics({topic: dict(num_partitions=1, replication_factor=1, configs={"retention.ms": "-1"})})
        self.write(topic)
        ours, walk.proxy.client = walk.proxy.client, f"confluent-kafka/librdkafka-{confluent_kafka.libversion()[0]}"
        options = walk.options("auto.offset.reset", "enable.auto.commit", "fetch.wait.max.ms")
        reader = confluent_kafka.Consumer({**options, "group.id": group, "group.protocol": "consumer",
                                           "client.id": "reader"})
        reader.subscribe([topic])
        values = [reader.poll(wait).value() for _ in range(3)]
        assert values == [b"0", b"1", b"2"], values
        reader.commit(asynchronous=False)
        client = confluent.AdminClient(walk.options())
        (described,) = client.describe_consumer_groups([group], request_timeout=wait).values()
        assert described.result(wait).members[0].client_id == "reader"
        reader.close()
        walk.proxy.client = ours

    def transact(self):
        identifier, place = f"tx-{self.step}", kafka.TopicPartition(self.topic, 1)
        writer = kafka.KafkaProducer(transactional_id=identifier, **self.options)
        writer.init_transactions()
        writer.begin_transaction()
        assert writer.send(self.topic, value=b"committed", partition=1).get(20).offset == 0
        writer.send_offsets_to_transaction({place: OffsetAndMetadata(1, "m", -1)}, f"g-tx-{self.step}")
        listed = [t for found in self.admin.list_transactions().values() for t in found]
        assert identifier in [t.transactional_id for t in listed]
        assert self.admin.describe_transactions([identifier])[identifier].topic_partitions >= {place}
        assert self.admin.describe_producers([place])[place].active_producers
        writer.commit_transaction()
        writer.close()

    def administrate(self):
        admin = self.admin
        resource = lambda **values: ConfigResource(ConfigResourceType.TOPIC, "captures-confluent", values or None)  # noqa: E731
        if self.due(DESCRIBE_CONFIGS):
            described = admin.describe_configs([resource()], include_synonyms=True, config_filter="all")
            assert described["topic"]["captures-confluent"]["retention.ms"]["value"]
        if self.due(ALTER_CONFIGS):
            change = {"retention.ms": "-1", "max.message.bytes": str(200_000 + self.step)}
            admin.alter_configs([resource(**change)], incremental=False)
        if self.due(INCREMENTAL_ALTER_CONFIGS):
            admin.alter_configs([resource(**{"max.message.bytes": str(300_000 + self.step)})], incremental=True)
        if self.due(DESCRIBE_CLUSTER):
            try:
                assert len(admin.describe_cluster()["brokers"]) == 1
            except KeyError as error:
                # It reads the answer, and then takes a field for granted that only version 1 has.
                assert (self.step, error.args[0]) == (1, "endpoint_type")
        if self.due(CREATE_ACLS):
            pattern = ResourcePattern(ResourceType.TOPIC, self.topic)
            rule = (f"User:{self.step}", "*", ACLOperation.READ, ACLPermissionType.ALLOW, pattern)
            assert not admin.create_acls([ACL(*rule)])["failed"]
            assert len(admin.describe_acls(ACLFilter(*rule))[0]) == 1
            assert len(admin.delete_acls([ACLFilter(*rule)])[0][1]) == 1
        if self.due(ALTER_SCRAM):
            mechanism = ScramMechanism.SCRAM_SHA_256
            admin.alter_user_scram_credentials([UserScramCredentialUpsertion("eve", mechanism, "password")])
            assert admin.describe_user_scram_credentials(["eve"])["eve"]["credential_infos"]
            admin.alter_user_scram_credentials([UserScramCredentialDeletion("eve", mechanism)])


# MARK: Recording

def walk(port=0):
    """Has all clients walk through a broker of its own; what was said, and the proxy's address."""
    proxy = Proxy(port)
    broker = Broker("--sasl", "--admin-user", USER, "--advertise", proxy.address)
    try:
        secret = broker.folder / "password"
        secret.write_text(PASSWORD)
        broker.arguments += ["--admin-password-file", str(secret)]
        broker.start()
        proxy.start(broker.address)
        Walk(proxy).all()
        broker.stop()
        return proxy.exchanges, proxy.versions
    finally:
        proxy.close()
        broker.clean(keep=False)


def names():
    """Kafka's names of the requests, by API, as the files of our own captures have them."""
    files = (path.stem.split("-", 1) for path in FOLDER.parent.glob("*.hex"))
    return {int(key): name for key, name in files}


def write(exchanges):
    """Writes the files anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.hex"):
        old.unlink()
    known, lines = names(), {}
    for step, exchange in enumerate(kept(exchanges)):
        lines.setdefault(exchange.key, []).append(
            f"{step} {exchange.connection} {exchange.version} {exchange.client} "
            f"{exchange.request.hex()} {exchange.answer.hex()}")
    for key, found in lines.items():
        head = f"# {known[key]} (API {key}): step, connection, version, client, request, answer\n"
        (FOLDER / f"{key}-{known[key]}.hex").write_text(head + "\n".join(found) + "\n")


def claimed():
    """What the files say that a client sends, as API and version."""
    found = set()
    for path in FOLDER.glob("*.hex"):
        key = int(path.stem.split("-", 1)[0])
        for line in path.read_text().splitlines():
            if not line.startswith("#"):
                found.add((key, int(line.split()[2])))
    return found

# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of the broker under load: no acknowledged record is lost, none doubled, order kept, transactions whole.

APUS_EVENTS_KILL_ROUNDS sets how often it is killed (200 in the benchmarks)."""
import random
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from conftest import wait_for
from events_fixture import new_topic, own_broker, rounds  # noqa: F401

QUICK = {"log_level": 0, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20}


def test_nothing_acknowledged_is_lost_or_doubled(own_broker):
    broker, partitions = own_broker, 4
    topic = new_topic(broker, partitions=partitions)
    acknowledged, failed = {p: [] for p in range(partitions)}, []
    stop = threading.Event()
    client = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, "linger.ms": 5,
                       "delivery.timeout.ms": 120000, **QUICK})

    def delivered(error, message):
        if error:
            failed.append(error)
        else:
            acknowledged[message.partition()].append((message.offset(), int(message.value())))

    def produce():
        number = 0
        while not stop.is_set():
            for _ in range(25):
                client.produce(topic, value=b"%d" % number, partition=number % partitions, on_delivery=delivered)
                number += 1
            client.poll(0.005)

    def count():
        return sum(len(records) for records in acknowledged.values())

    worker = threading.Thread(target=produce)
    worker.start()
    try:
        for round in range(rounds(4)):
            target = count() + 500
            wait_for(lambda: count() >= target, 30, f"acknowledgements in round {round}")
            time.sleep(random.uniform(0, 0.1))
            broker.kill()
            broker.start()
    finally:
        stop.set()
        worker.join()
    assert client.flush(60) == 0 and not failed, failed[:3]
    found = {p: [] for p in range(partitions)}
    for partition, offset, _, value in broker.read(topic):
        found[partition].append((offset, int(value)))
    for partition in range(partitions):
        records = sorted(acknowledged[partition])
        assert found[partition] == records, f"partition {partition}: lost, doubled or moved records"
        numbers = [number for _, number in records]
        assert numbers == list(range(partition, numbers[-1] + 1, partitions)), f"partition {partition}: out of order"


def test_exactly_once_transform_under_kills(own_broker):
    """Reads, transforms and writes in transactions, while the broker is killed and the worker begins anew."""
    broker, count = own_broker, 2000
    source, target = new_topic(broker, partitions=2), new_topic(broker, partitions=2)
    feed = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, **QUICK})
    for number in range(count):
        feed.produce(source, value=b"%d" % number, partition=number % 2)
    assert feed.flush(30) == 0
    places = [TopicPartition(source, p) for p in range(2)]
    committed, turn = [0], [0]

    def work(mine):
        producer = Producer({"bootstrap.servers": broker.address, "transactional.id": f"tx-{source}",
                             "transaction.timeout.ms": 10000, "linger.ms": 0, **QUICK})
        consumer = Consumer({"bootstrap.servers": broker.address, "group.id": f"g-{source}", "log_level": 0,
                             "auto.offset.reset": "earliest", "enable.auto.commit": False,
                             "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
                             "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100})
        try:
            producer.init_transactions(30)
            # After the fence nothing of the former worker is open: what is committed is what is done.
            consumer.assign([TopicPartition(p.topic, p.partition, max(p.offset, 0))
                             for p in consumer.committed(places, 10)])
            while turn[0] == mine:
                batch = [m for m in consumer.consume(40, 0.2) if m.error() is None]
                if not batch:
                    continue
                producer.begin_transaction()
                progress = {}
                for message in batch:
                    producer.produce(target, value=b"<%s>" % message.value(), partition=message.partition())
                    progress[message.partition()] = message.offset() + 1
                offsets = [TopicPartition(source, p, o) for p, o in progress.items()]
                producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 3)
                while True:
                    try:
                        producer.commit_transaction(5)
                        break
                    except KafkaException as error:
                        if not error.args[0].retriable():
                            raise
                committed[0] += len(batch)
        finally:
            consumer.close()

    def keep_working(mine):
        # What fails is thrown away, as a restarted process would: the next producer fences it, and aborts.
        while turn[0] == mine:
            try:
                work(mine)
            except KafkaException:
                time.sleep(0.1)

    def supervise(done, what):
        """Waits; a worker that gets nowhere for 4 s is given up for a new one, as a supervisor of processes does."""
        deadline = time.monotonic() + 60
        while not done():
            turn[0] += 1
            threading.Thread(target=keep_working, args=(turn[0],), daemon=True).start()
            seen, moved = committed[0], time.monotonic()
            while not done() and time.monotonic() - moved < 4:
                if committed[0] != seen:
                    seen, moved = committed[0], time.monotonic()
                assert time.monotonic() < deadline, f"timed out waiting for {what}"
                time.sleep(0.02)

    try:
        for round in range(rounds(3)):
            target_count = min(committed[0] + 80, count)
            supervise(lambda: committed[0] >= target_count, f"commits in round {round}")
            time.sleep(random.uniform(0, 0.05))
            broker.kill()
            broker.start()
        supervise(lambda: len(broker.read(target)) >= count, "every record")
    finally:
        turn[0] += 1
    records = broker.read(target)
    for partition in range(2):
        numbers = [int(v.strip("<>")) for p, _, _, v in records if p == partition]
        assert numbers == list(range(partition, count, 2)), f"partition {partition}: lost, doubled or moved records"


def test_committed_offsets_and_topics_survive(own_broker):
    broker = own_broker
    topic = new_topic(broker, partitions=3, retention_ms=123456)
    broker.kcat("-P", "-t", topic, input="".join(f"{n}\n" for n in range(30)))
    out = broker.kcat("-G", "kept", "-X", "auto.offset.reset=earliest", "-c", "30", "-q", topic)
    assert sorted(map(int, out.split())) == list(range(30))
    broker.kill()
    broker.start()
    assert len(broker.metadata(topic)["topics"][0]["partitions"]) == 3
    assert "123456" in broker.apus("topics", "describe", topic)
    broker.kcat("-P", "-t", topic, input="after\n")
    assert broker.kcat("-G", "kept", "-X", "auto.offset.reset=earliest", "-c", "1", "-q", topic) == "after\n"

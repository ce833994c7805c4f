# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of the broker under load: no acknowledged record is lost, none doubled, order kept, transactions whole.

APUS_EVENTS_KILL_ROUNDS sets how often it is killed (200 in the benchmarks)."""
import random
import threading
import time

from confluent_kafka import Producer

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

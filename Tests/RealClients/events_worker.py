# SPDX-License-Identifier: Apache-2.0
"""A client that the tests kill: `events_worker.py transform|consume ADDRESS …`; says what it did in lines of JSON."""
import json
import struct
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from events_loads import QUICK

MEMBER = {"enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": 6000,
          "heartbeat.interval.ms": 500, **QUICK}


def say(**what):
    print(json.dumps(what), flush=True)


def transform(address, source, target, group, slot):
    """Consume, transform, produce, with the offsets in the transaction. What fails is thrown away with producer and
    consumer, as if the process had been started anew."""
    while True:
        producer = Producer({"bootstrap.servers": address, "transactional.id": f"{group}-{slot}", "linger.ms": 0,
                             "transaction.timeout.ms": 10000, **QUICK})
        # The first one is a static member (KIP-345), which comes back as who it was.
        static = {"group.instance.id": "first"} if slot == "0" else {}
        consumer = Consumer({"bootstrap.servers": address, "group.id": group, "isolation.level": "read_committed",
                             **MEMBER, **static})
        try:
            producer.init_transactions(30)
            consumer.subscribe([source])
            while True:
                batch = [m for m in consumer.consume(20, 0.2) if m.error() is None]
                if not batch:
                    continue
                producer.begin_transaction()
                progress = {}
                for message in batch:
                    producer.produce(target, value=b"<%s>" % message.value(), partition=message.partition())
                    progress[message.partition()] = message.offset() + 1
                offsets = [TopicPartition(source, p, o) for p, o in progress.items()]
                # Fences members of former generations (KIP-447).
                producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 10)
                while True:
                    try:
                        producer.commit_transaction(10)
                        break
                    except KafkaException as error:
                        if not error.args[0].retriable():
                            raise
                say(done=len(batch))
                time.sleep(0.005)
        except KafkaException as error:
            say(failed=error.args[0].name())
            try:
                producer.abort_transaction(1)
            except KafkaException:
                pass  # Its successor fences it.
            consumer.close()
            time.sleep(0.1)


def generation(consumer):
    """The group's generation as the client knows it: after the mark in librdkafka's form of the group's metadata."""
    form = consumer.consumer_group_metadata()
    assert form.startswith(b"CGMDv2:"), form
    return struct.unpack_from("=i", form, 7)[0]


def consume(address, topic, group):
    """Reads and commits each record, and says what it owns in which generation."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": group, **MEMBER})

    def assigned(consumer, places):
        say(assigned=[p.partition for p in places], generation=generation(consumer), member=consumer.memberid())

    consumer.subscribe([topic], on_assign=assigned)
    while True:
        message = consumer.poll(0.2)
        if message is None or message.error() is not None:
            continue
        say(read=int(message.value()), partition=message.partition())
        try:
            consumer.commit(message, asynchronous=False)
        except KafkaException as error:
            # Read again by whoever owns the partition now.
            say(failed=error.args[0].name())


if __name__ == "__main__":
    {"transform": transform, "consume": consume}[sys.argv[1]](*sys.argv[2:])

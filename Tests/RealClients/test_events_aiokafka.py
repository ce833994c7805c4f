# SPDX-License-Identifier: Apache-2.0
"""aiokafka against `apus serve events`: groups and transactions of the first version of each request."""
import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, ProducerFenced

from events_fixture import CODECS, broker, new_topic, settle  # noqa: F401

LIMIT = 40


def run(work):
    asyncio.run(asyncio.wait_for(work, LIMIT))


def reader(broker, *topics, group=None, **options):
    return AIOKafkaConsumer(*topics, bootstrap_servers=broker.address, auto_offset_reset="earliest", group_id=group,
                            enable_auto_commit=False, session_timeout_ms=45000, heartbeat_interval_ms=300, **options)


async def take(consumer, count):
    return [await asyncio.wait_for(consumer.getone(), 15) for _ in range(count)]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec(broker, codec):
    topic = new_topic(broker)

    async def work():
        async with AIOKafkaProducer(bootstrap_servers=broker.address, enable_idempotence=True, linger_ms=5,
                                    compression_type=None if codec == "none" else codec) as producer:
            futures = [await producer.send(topic, b"value " * 20 + b"%d" % n, key=b"%d" % n) for n in range(300)]
            assert [(await f).offset for f in futures] == list(range(300))
        async with reader(broker, topic) as consumer:
            records = await take(consumer, 300)
            assert [int(r.key) for r in records] == list(range(300))
            assert all(r.value.endswith(b"value %d" % n) for n, r in enumerate(records))

    run(work())


def test_a_group_goes_on_after_its_commit(broker):
    topic = new_topic(broker, partitions=2)

    async def work():
        async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
            for n in range(20):
                await producer.send_and_wait(topic, b"%d" % n, partition=n % 2)
        group = f"g-{topic}"
        async with reader(broker, topic, group=group) as consumer:
            first = await take(consumer, 12)
            progress = {}
            for record in first:
                progress[TopicPartition(topic, record.partition)] = record.offset + 1
            await consumer.commit(progress)
        async with reader(broker, topic, group=group) as consumer:
            second = await take(consumer, 8)
        assert sorted(int(r.value) for r in first + second) == list(range(20))

    run(work())


def test_exactly_once_transform(broker):
    source, target = new_topic(broker, partitions=2), new_topic(broker, partitions=2)
    group = f"g-{source}"

    async def work():
        async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
            for n in range(60):
                await producer.send_and_wait(source, b"%d" % n, partition=n % 2)
        done = 0
        async with AIOKafkaProducer(bootstrap_servers=broker.address, transactional_id=f"tx-{source}") as producer:
            attempt = 0
            while done < 60:
                async with reader(broker, source, group=group, isolation_level="read_committed") as consumer:
                    while done < 60:
                        batch = await consumer.getmany(timeout_ms=5000, max_records=10)
                        if not batch:
                            continue
                        attempt += 1
                        await producer.begin_transaction()
                        progress = {}
                        for place, records in batch.items():
                            for record in records:
                                await producer.send(target, b"<%s>" % record.value, partition=record.partition)
                            progress[place] = records[-1].offset + 1
                        if attempt % 3 == 0:
                            # As a process that failed half way: all of it is undone, and read again.
                            await producer.abort_transaction()
                            break
                        await producer.send_offsets_to_transaction(progress, group)
                        await producer.commit_transaction()
                        done += sum(map(len, batch.values()))
        assert attempt > 3

    run(work())
    settle(broker, f"tx-{source}")
    values = [v for _, _, _, v in broker.read(target)]
    assert sorted(values) == sorted(f"<{n}>" for n in range(60))
    assert len(broker.read(target, committed=False)) > 60
    for partition in range(2):
        numbers = [int(v.strip("<>")) for p, _, _, v in broker.read(target) if p == partition]
        assert numbers == sorted(numbers)


def test_wrong_input(broker):
    topic, name = new_topic(broker, max_message_bytes=1000), "tx-" + uuid.uuid4().hex

    async def work():
        async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
            with pytest.raises(MessageSizeTooLargeError):
                await producer.send_and_wait(topic, b"x" * 5000)
            with pytest.raises(AssertionError):
                await producer.send_and_wait(topic, b"x", partition=9)
            assert (await producer.send_and_wait(topic, b"fits")).offset == 0
        async with AIOKafkaProducer(bootstrap_servers=broker.address, transactional_id=name) as first:
            await first.begin_transaction()
            await first.send_and_wait(topic, b"fenced")
            async with AIOKafkaProducer(bootstrap_servers=broker.address, transactional_id=name) as second:
                with pytest.raises(ProducerFenced):
                    await first.commit_transaction()
                async with second.transaction():
                    await second.send_and_wait(topic, b"kept")

    run(work())
    settle(broker, name)
    assert [v for _, _, _, v in broker.read(topic)] == ["fits", "kept"]

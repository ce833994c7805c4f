# SPDX-License-Identifier: Apache-2.0
"""Loads under `kill -9`: each runs against a broker of its own, and returns figures. `make test` runs them for seconds
(test_events_crash.py), Benchmarks/events_reliability.py for as long as it takes."""
import json
import pathlib
import random
import statistics
import subprocess
import sys
import threading
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from conftest import wait_for
from events_fixture import new_topic, settle

# A single broker has nobody to bootstrap from anew. Where librdkafka (2.10 and later) does, it takes the broker off its
# list, comes back later, and may wait for ever for it as the group's coordinator (its issues 5511 and 5456).
QUICK = {"log_level": 0, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20,
         "metadata.recovery.strategy": "none"}
WORKER = str(pathlib.Path(__file__).with_name("events_worker.py"))


def spread(seconds):
    """Median and maximum, in milliseconds."""
    if not seconds:
        return {"p50_ms": None, "max_ms": None}
    return {"p50_ms": round(statistics.median(seconds) * 1000), "max_ms": round(max(seconds) * 1000)}


def read_all(broker, topic, partitions, committed=True, seconds=120):
    """All records of a topic as lists of (offset, value) by partition, and the errors that ended partitions early."""
    level = "read_committed" if committed else "read_uncommitted"
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": "read", "enable.auto.commit": False,
                       "isolation.level": level, "enable.partition.eof": True, "check.crcs": True, **QUICK})
    found, errors, open_ = {p: [] for p in range(partitions)}, {}, set(range(partitions))
    try:
        reader.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        deadline = time.monotonic() + seconds
        while open_:
            assert time.monotonic() < deadline, f"{topic}: partitions {open_} do not end"
            for message in reader.consume(10_000, 0.2):
                partition, error = message.partition(), message.error()
                if error is None:
                    found[partition].append((message.offset(), message.value()))
                    continue
                if error.name() != "_PARTITION_EOF":
                    errors[partition] = error.name()
                open_.discard(partition)
    finally:
        reader.close()
    return found, errors


class Idempotent:
    """A producer with acks=all and idempotence that writes 5,000 numbers a second and notes what is acknowledged."""

    def __init__(self, broker, topic, partitions):
        self.topic, self.partitions = topic, partitions
        self.acknowledged, self.failed = {p: [] for p in range(partitions)}, []
        self.sent, self.count, self.stop = 0, 0, threading.Event()
        # Set by a kill: the first number that is sent after it, and when its acknowledgement, or a later one, came.
        self.mark, self.resumed = None, None
        self.client = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, "linger.ms": 5,
                                "delivery.timeout.ms": 120000, "queue.buffering.max.messages": 1_000_000, **QUICK})
        self.worker = threading.Thread(target=self.produce)

    def delivered(self, error, message):
        if error:
            self.failed.append(str(error))
            return
        number = int(message.value())
        self.acknowledged[message.partition()].append((message.offset(), number))
        self.count += 1
        if self.mark is not None and self.resumed is None and number >= self.mark:
            self.resumed = time.monotonic()

    def produce(self):
        while not self.stop.is_set():
            for _ in range(25):
                number = self.sent
                self.client.produce(self.topic, value=b"%d" % number, partition=number % self.partitions,
                                    on_delivery=self.delivered)
                self.sent += 1
            self.client.poll(0.005)

    def killed(self):
        self.mark, self.resumed = self.sent + 25, None

    def __enter__(self):
        self.worker.start()
        return self

    def __exit__(self, *exception):
        self.stop.set()
        self.worker.join()
        self.left = self.client.flush(120)


def idempotent(broker, kills, partitions=4):
    """kill -9 under a load of acks=all with idempotence."""
    topic, pauses = new_topic(broker, partitions=partitions), []
    with Idempotent(broker, topic, partitions) as load:
        for round in range(kills):
            target = load.count + 500
            wait_for(lambda: load.count >= target, 60, f"acknowledgements in round {round}")
            time.sleep(random.uniform(0, 0.1))
            broker.kill()
            load.killed()
            begin = time.monotonic()
            broker.start()
            wait_for(lambda: load.resumed, 60, f"the first acknowledgement after kill {round}")
            pauses.append(load.resumed - begin)
    found, errors = read_all(broker, topic, partitions, seconds=600)
    lost = doubled = reordered = 0
    for partition in range(partitions):
        wanted = sorted(load.acknowledged[partition])
        there = [int(value) for _, value in found[partition]]
        lost += len(set(wanted) - {(offset, int(value)) for offset, value in found[partition]})
        doubled += len(there) - len(set(there))
        reordered += sum(1 for one, next in zip(there, there[1:]) if next < one)
    return {"kills": kills, "acknowledged": load.count, "lost": lost, "doubled": doubled, "reordered": reordered,
            "failed": len(load.failed) + load.left, "unreadable": errors,
            "kill_to_next_acknowledgement": spread(pauses)}


def transactions(broker, count, kills, records=6, partitions=2):
    """Transactions of some records over all partitions, every third aborted, while the broker is killed. One whose
    producer had to be given up is unknown: it has to be there as a whole or not at all."""
    topic = new_topic(broker, partitions=partitions)
    state, pauses = {"turn": 0, "killed": None}, []
    outcomes, ended = {}, threading.Event()

    def producer():
        client = Producer({"bootstrap.servers": broker.address, "transactional.id": f"tx-{topic}", "linger.ms": 0,
                           "transaction.timeout.ms": 30000, **QUICK})
        client.init_transactions(60)
        return client

    def one(client, number):
        client.begin_transaction()
        for index in range(records):
            client.produce(topic, value=b"%d %d" % (number, index), partition=index % partitions)
        if number % 3 == 0:
            client.flush(5)
            client.abort_transaction(30)
            return "aborted"
        while True:
            try:
                client.commit_transaction(30)
                return "committed"
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise

    def work():
        client = None
        for number in range(count):
            state["turn"] = number
            try:
                if client is None:
                    client = producer()
                outcomes[number] = one(client, number)
                if state["killed"] is not None:
                    pauses.append(time.monotonic() - state["killed"])
                    state["killed"] = None
            except KafkaException:
                # As an application has to: its successor fences the producer, which aborts what was open.
                client = None
                outcomes[number] = "unknown"
        ended.set()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    for round in range(kills):
        target = (round + 1) * count // (kills + 1)
        wait_for(lambda: state["turn"] >= target or ended.is_set(), 120, f"transactions in round {round}")
        time.sleep(random.uniform(0, 0.05))
        state["killed"] = time.monotonic()
        broker.kill()
        broker.start()
    assert ended.wait(120), f"transaction {state['turn']} does not end"
    # Whatever its last transaction was, it is decided now.
    producer()
    found, errors = read_all(broker, topic, partitions)
    seen = {}
    for rows in found.values():
        for _, value in rows:
            number, index = map(int, value.split())
            seen.setdefault(number, []).append(index)
    whole = list(range(records))
    figures = {"transactions": count, "kills": kills, "unreadable": errors}
    for outcome in ("committed", "aborted", "unknown"):
        figures[outcome] = sum(1 for value in outcomes.values() if value == outcome)
    figures["aborted_seen"] = sum(1 for n, o in outcomes.items() if o == "aborted" and n in seen)
    figures["lost"] = sum(1 for n, o in outcomes.items() if o == "committed" and n not in seen)
    figures["torn"] = sum(1 for indexes in seen.values() if sorted(set(indexes)) != whole)
    figures["doubled"] = sum(1 for indexes in seen.values() if len(indexes) != len(set(indexes)))
    figures["kill_to_next_transaction"] = spread(pauses)
    return figures


class Worker:
    """A client in a process of its own, which can be killed; its lines of JSON are kept."""

    def __init__(self, *arguments):
        self.arguments, self.lines, self.starts = [str(a) for a in arguments], [], 0
        self.start()

    def start(self):
        self.starts += 1
        self.process = subprocess.Popen([sys.executable, WORKER, *self.arguments], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, args=(self.process, self.starts), daemon=True).start()

    def read(self, process, start):
        for line in process.stdout:
            try:
                self.lines.append({"start": start, "time": time.monotonic(), **json.loads(line)})
            except ValueError:
                pass  # The kill came in the middle of a line.

    def kill(self):
        self.process.kill()
        self.process.wait()


class Watch:
    """Looks at a group's committed offsets all the time and counts those that went back."""

    def __init__(self, broker, group, topic):
        self.group, self.topic, self.went_back, self.offsets, self.looks = group, topic, [], {}, 0
        self.client = AdminClient({"bootstrap.servers": broker.address, **QUICK})
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.stop.is_set():
            try:
                wanted = ConsumerGroupTopicPartitions(self.group)
                answer = self.client.list_consumer_group_offsets([wanted], request_timeout=2)[self.group].result(3)
            except Exception:  # The broker is away.
                time.sleep(0.05)
                continue
            self.looks += 1
            for place in answer.topic_partitions:
                if place.topic != self.topic or place.offset < 0:
                    continue
                before = self.offsets.get(place.partition, -1)
                if place.offset < before:
                    self.went_back.append((place.partition, before, place.offset))
                self.offsets[place.partition] = place.offset
            # One that was there and is not any more went back, too.
            gone = set(self.offsets) - {p.partition for p in answer.topic_partitions if p.offset >= 0}
            for partition in gone:
                self.went_back.append((partition, self.offsets.pop(partition), -1))
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.stop.set()
        self.thread.join()


def transform(broker, count, broker_kills, client_kills, workers=2, partitions=4):
    """Exactly-once: members of a group read, transform, and write with their offsets in transactions, while the broker
    and the members are killed in turns."""
    source, target = new_topic(broker, partitions=partitions), new_topic(broker, partitions=partitions)
    group = f"g-{source}"
    feed = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, **QUICK})
    events = ["broker"] * broker_kills + ["client"] * client_kills
    random.shuffle(events)
    team = [Worker("transform", broker.address, source, target, group, slot) for slot in range(workers)]
    fed = 0

    def give(until):
        nonlocal fed
        for number in range(fed, until):
            feed.produce(source, value=b"%d" % number, partition=number % partitions)
        fed = until
        assert feed.flush(60) == 0

    began = time.monotonic()
    try:
        with Watch(broker, group, source) as watch:
            for number, event in enumerate(events):
                # The kill comes while the members are at work: half of what is there is still to be done.
                before = fed
                give(count * (number + 1) // (len(events) + 1))
                wait_for(lambda: sum(watch.offsets.values()) >= (before + fed) // 2, 60,
                         f"transformed records before kill {number} ({event})")
                if event == "broker":
                    broker.kill()
                    broker.start()
                else:
                    victim = random.choice(team)
                    victim.kill()
                    victim.start()
            give(count)
            wait_for(lambda: sum(watch.offsets.values()) >= count, 90, "every record to be transformed")
    finally:
        for worker in team:
            worker.kill()
    # Whatever their last transactions were, they are decided and written now.
    for slot in range(workers):
        settle(broker, f"{group}-{slot}", **QUICK)
    found, errors = read_all(broker, target, partitions)
    lost = doubled = reordered = 0
    for partition in range(partitions):
        numbers = [int(value.strip(b"<>")) for _, value in found[partition]]
        lost += len(set(range(partition, count, partitions)) - set(numbers))
        doubled += len(numbers) - len(set(numbers))
        reordered += sum(1 for one, next in zip(numbers, numbers[1:]) if next < one)
    return {"records": count, "broker_kills": broker_kills, "client_kills": client_kills, "lost": lost,
            "doubled": doubled, "reordered": reordered, "offsets_went_back": watch.went_back, "unreadable": errors,
            "seconds": round(time.monotonic() - began, 1)}


def group(broker, broker_kills, consumer_kills, consumers=3, partitions=6):
    """Consumers of a group, killed as the broker is: who owns what in which generation, whether committed offsets go
    back, and how long it takes until every partition is read again."""
    topic = new_topic(broker, partitions=partitions)
    name = f"g-{topic}"
    team = [Worker("consume", broker.address, topic, name) for _ in range(consumers)]
    events = ["broker"] * broker_kills + ["consumer"] * consumer_kills
    random.shuffle(events)
    pauses = {"broker": [], "consumer": []}
    probe = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, **QUICK})
    rounds = [0]

    def read_everywhere(since):
        """Sends a record to each partition; when all were read by members."""
        rounds[0] += 1
        for partition in range(partitions):
            probe.produce(topic, value=b"%d" % rounds[0], partition=partition)
        assert probe.flush(30) == 0

        def missing():
            read = {p for worker in team for line in worker.lines if line.get("read") == rounds[0]
                    for p in [line["partition"]]}
            return set(range(partitions)) - read

        wait_for(lambda: not missing(), 60, f"partitions to be read in round {rounds[0]}")
        return time.monotonic() - since

    try:
        with Watch(broker, name, topic) as watch:
            read_everywhere(time.monotonic())
            for event in events:
                begin = time.monotonic()
                if event == "broker":
                    broker.kill()
                    broker.start()
                else:
                    victim = random.choice(team)
                    victim.kill()
                    victim.start()
                pauses[event].append(read_everywhere(begin))
    finally:
        for worker in team:
            worker.kill()
    owners = {}
    for worker in team:
        for line in worker.lines:
            # A member that was put out meanwhile knows of no generation.
            for partition in line.get("assigned", []) if line.get("generation") != -1 else []:
                owners.setdefault((line["generation"], partition), set()).add(line["member"])
    return {"broker_kills": broker_kills, "consumer_kills": consumer_kills,
            "generations": len({generation for generation, _ in owners}),
            "owned_twice": sorted(f"partition {p} in generation {g}" for (g, p), m in owners.items() if len(m) > 1),
            "offsets_went_back": watch.went_back, "looks": watch.looks,
            "broker_kill_to_all_read": spread(pauses["broker"]),
            "consumer_kill_to_all_read": spread(pauses["consumer"])}

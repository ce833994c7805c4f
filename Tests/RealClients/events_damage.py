# SPDX-License-Identifier: Apache-2.0
"""Damages a broker's files, and looks at what it tells of them and serves; and fills a log to see how fast a start is.
Shared by test_events_crash.py and Benchmarks/events_reliability.py."""
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

from conftest import APUS, ROOT
from events_fixture import Broker, new_topic
from events_loads import QUICK, read_all

sys.path.append(str(ROOT / "Benchmarks"))
import events as frames  # noqa: E402

from confluent_kafka import Producer  # noqa: E402


def verify(folder):
    """`apus events verify`: its exit code and what it says."""
    result = subprocess.run([APUS, "events", "verify", "--data-dir", str(folder)], text=True, capture_output=True,
                            timeout=600)
    return result.returncode, result.stdout + result.stderr


def fill(broker, topic, count, partitions):
    """Records whose values say what they are, in many batches; returns them as they are read."""
    client = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, "linger.ms": 0,
                       "batch.num.messages": 10, **QUICK})
    for number in range(count):
        client.produce(topic, value=b"%d " % number + b"x" * (number % 300 * 10), partition=number % partitions)
        if number % 50 == 0:
            client.poll(0)
    assert client.flush(60) == 0
    found, errors = read_all(broker, topic, partitions)
    assert not errors and sum(map(len, found.values())) == count
    return found


class Damage:
    """A kind of damage, done to copies of one data folder. Each copy is looked at on its own: what a verification
    reports, what a start logs, and what readers get."""

    def __init__(self, count=5000, partitions=2):
        self.partitions, self.template = partitions, Broker()
        self.template.start()
        # As small as segments may be: most of the records are in closed ones.
        self.topic = new_topic(self.template, partitions=partitions, segment_bytes=1 << 20)
        # A checkpoint knows of the topic, as of all that are older than a moment.
        self.template.stop()
        self.template.start()
        self.records = fill(self.template, self.topic, count, partitions)

    def clean(self):
        self.template.clean(keep=False)

    def copy(self):
        broker = Broker()
        shutil.copytree(self.template.folder / "data", broker.folder / "data")
        return broker

    def segments(self, broker):
        partition = random.randrange(self.partitions)
        folder = broker.folder / "data" / f"{self.topic}-{partition}"
        return partition, sorted(folder.glob("*.log"))

    def look(self, broker, partition):
        """Starts and reads. Nothing but what was written may come, in order, without a gap before its end."""
        before = verify(broker.folder / "data")
        begin = time.monotonic()
        broker.start()
        took = time.monotonic() - begin
        found, errors = read_all(broker, self.topic, self.partitions)
        log = broker.logged()
        broker.kill()
        for other in range(self.partitions):
            if other != partition:
                assert found[other] == self.records[other], "a partition that was not damaged changed"
        got, wanted = found[partition], self.records[partition]
        return {"took": took, "verify": before, "log": log, "error": errors.get(partition), "kept": len(got),
                "is_prefix": got == wanted[:len(got)], "all": len(wanted)}


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1 << random.randrange(8)]))


def damage(places):
    """Tears tails and flips bits in random places: half of them in the last segment after a kill, whose end nothing
    vouches for, half in closed segments of a log that was closed in order."""
    figures = {"places": places, "torn": 0, "flipped_in_tail": 0, "flipped_in_closed_segment": 0, "wrong_records": 0,
               "not_logged": 0, "not_verified": 0, "silently_short": 0}
    starts = []
    bench = Damage()
    try:
        bench.template.kill()
        for number in range(places // 2):
            broker = bench.copy()
            try:
                partition, segments = bench.segments(broker)
                path, size = segments[-1], segments[-1].stat().st_size
                isTorn = number % 2 == 0
                if isTorn:
                    with open(path, "r+b") as file:
                        file.truncate(random.randrange(max(1, size - 3000), size))
                else:
                    flip(path, random.randrange(max(0, size - 3000), size))
                figures["torn" if isTorn else "flipped_in_tail"] += 1
                seen = bench.look(broker, partition)
                starts.append(seen["took"])
                figures["wrong_records"] += not seen["is_prefix"]
                # A cut just between two batches leaves nothing to be seen.
                isWhole = isTorn and seen["verify"][0] == 0 and "no whole batch" not in seen["verify"][1]
                figures["not_logged"] += not isWhole and "a record batch is damaged" not in seen["log"]
                figures["not_verified"] += not (isTorn or seen["verify"][0] == 1 and path.name in seen["verify"][1]
                                                or "no whole batch" in seen["verify"][1])
            finally:
                broker.clean(keep=False)
        bench.template.start()
        bench.template.stop()
        for number in range(places - places // 2):
            broker = bench.copy()
            try:
                partition, segments = bench.segments(broker)
                path = random.choice(segments[:-1])
                flip(path, random.randrange(path.stat().st_size))
                figures["flipped_in_closed_segment"] += 1
                seen = bench.look(broker, partition)
                starts.append(seen["took"])
                figures["wrong_records"] += not seen["is_prefix"]
                figures["silently_short"] += seen["kept"] < seen["all"] and seen["error"] is None
                figures["not_logged"] += "damaged" not in seen["log"]
                figures["not_verified"] += not (seen["verify"][0] == 1 and path.name in seen["verify"][1])
            finally:
                broker.clean(keep=False)
    finally:
        bench.clean()
    figures["start_p50_ms"] = round(statistics.median(starts) * 1000)
    figures["start_max_ms"] = round(max(starts) * 1000)
    return figures


def drop_from_cache(folder):
    """The files' pages are read from the disk by whoever reads next."""
    os.sync()
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def recovery(size, partitions=4, batch_bytes=900_000):
    """Writes a log of so many bytes with acks=1, kills the broker in the middle, and starts it with what it reads in the
    page cache, and without."""
    value = os.urandom(1024)
    blob = frames.batch([value] * (batch_bytes // 1035))
    broker = Broker()
    figures = {"gigabytes": round(size / 1e9, 2), "partitions": partitions}
    try:
        broker.start()
        topic = new_topic(broker, partitions=partitions)
        host, port = broker.address.rsplit(":", 1)
        connection = frames.connect(int(port))
        begin, sent, waiting = time.monotonic(), 0, 0
        while sent < size:
            connection.sendall(frames.produce(topic, (sent // len(blob)) % partitions, 1, blob))
            sent += len(blob)
            waiting += 1
            if waiting >= frames.DEPTH:
                frames.answer(connection)
                waiting -= 1
        while waiting:
            frames.answer(connection)
            waiting -= 1
        figures["filled_in_s"] = round(time.monotonic() - begin, 1)
        # In the middle of more.
        connection.sendall(frames.produce(topic, 0, 1, blob) * 3)
        broker.kill()
        connection.close()
        ends = {}
        for cache in ("warm", "cold"):
            if cache == "cold":
                drop_from_cache(broker.folder / "data")
            begin = time.monotonic()
            broker.start(timeout=120)
            figures[f"start_{cache}_s"] = round(time.monotonic() - begin, 3)
            # It works: the last records can be read, and one more written.
            described = broker.apus("topics", "describe", topic)
            ends[cache] = [row.split()[5] for row in described.splitlines()[1:1 + partitions]]
            broker.kill()
        assert ends["warm"] == ends["cold"], ends
        records = sum(map(int, ends["warm"]))
        figures["records"] = records
        figures["lost"] = max(0, sent // len(blob) * (batch_bytes // 1035) - records)
    finally:
        broker.clean(keep=False)
    return figures

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Throughput and latency of `apus serve events`, of NATS JetStream, and what the machine allows, in one run. The load is
made of raw frames that are built once, so that the client is not what is slow. Disks of virtual machines write fast for
some gigabytes and slowly after them: what is durable is therefore measured between two measurements of the disk, after a
rest, and again where the two do not agree. Prints one JSON object. Usage: Benchmarks/events.py --binary APUS [--seconds N]."""
import argparse
import json
import multiprocessing
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

CONTEXT = multiprocessing.get_context("fork")
PARTITIONS = 4
DEPTH = 5  # requests in flight, as many as clients have by default
REST = 250 << 20  # bytes a second that a disk is given time for between two measurements
TABLE = []
for number in range(256):
    for _ in range(8):
        number = (number >> 1) ^ (0x82F63B78 if number & 1 else 0)
    TABLE.append(number)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def batch(values):
    """A record batch of format 2, not compressed."""
    records = bytearray()
    for index, value in enumerate(values):
        body = b"\0" + varint(0) + varint(index) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    count, now = len(values), int(time.time() * 1000)
    signed = struct.pack(">hiqqqhii", 0, count - 1, now, now, -1, -1, -1, count) + records
    return struct.pack(">qiibI", 0, len(signed) + 9, -1, 2, crc32c(signed)) + signed


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def frame(api, version, correlation, body):
    payload = struct.pack(">hhi", api, version, correlation) + text("bench") + body
    return struct.pack(">i", len(payload)) + payload


def produce(topic, partition, acks, records, correlation=0):
    return frame(0, 7, correlation, struct.pack(">hhii", -1, acks, 30_000, 1) + text(topic)
                 + struct.pack(">iii", 1, partition, len(records)) + records)


def fetch(topic, partition, offset, wait, limit):
    return frame(1, 4, 0, struct.pack(">iiiibi", -1, wait, 1, limit, 0, 1) + text(topic)
                 + struct.pack(">iiqi", 1, partition, offset, limit))


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive(connection, count):
    data = bytearray(count)
    view, done = memoryview(data), 0
    while done < count:
        got = connection.recv_into(view[done:])
        if not got:
            raise SystemExit("the server closed the connection")
        done += got
    return data


def answer(connection):
    return receive(connection, struct.unpack(">i", receive(connection, 4))[0])


def percentile(values, share):
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000, 2) if values else None


class Server:
    def __init__(self, command, ready):
        self.folder = tempfile.mkdtemp(prefix="apus-bench-")
        begin = time.monotonic()
        self.process = subprocess.Popen([part.replace("FOLDER", self.folder) for part in command],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if ready in line:
                self.line = line
                break
        else:
            raise SystemExit(f"{command[0]} ended before it was ready")
        self.ready_ms = round((time.monotonic() - begin) * 1000)

    def pss_mib(self):
        for line in open(f"/proc/{self.process.pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return round(int(line.split()[1]) / 1024, 1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def in_processes(work, count):
    """Runs `work(index, queue)` in processes at once; what they put."""
    queue = CONTEXT.Queue()
    processes = [CONTEXT.Process(target=work, args=(index, queue)) for index in range(count)]
    for process in processes:
        process.start()
    results = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    return results


def make_topic(port, name):
    connection = connect(port)
    connection.sendall(frame(19, 2, 0, struct.pack(">i", 1) + text(name) + struct.pack(">ihii", PARTITIONS, 1, 0, 0)
                             + struct.pack(">ib", 10_000, 0)))
    answer(connection)


def delete_topic(port, name):
    connection = connect(port)
    connection.sendall(frame(20, 1, 0, struct.pack(">i", 1) + text(name) + struct.pack(">i", 10_000)))
    answer(connection)


def rest(count):
    """Lets the disk recover from `count` bytes."""
    time.sleep(min(30, 1 + count / REST))


def beside_disk(measure, seconds):
    """What `measure` gives, with its rate as a share of the disk's, which is measured before and after."""
    for _ in range(4):
        before = disk(seconds / 3)
        result = measure()
        after = disk(seconds / 3)
        rate = (before + after) / 2
        result["diskMiBPerSecond"], result["toDisk"] = round(rate), round(result["mibPerSecond"] / rate, 2)
        rest((rate * seconds * 2 / 3 + result["mibPerSecond"] * seconds) * (1 << 20))
        if max(before, after) < 1.5 * min(before, after):
            break
        result["diskChanged"] = [round(before), round(after)]
    return result


def produce_load(port, topic, size, producers, acks, batch_bytes, seconds):
    # A record has some bytes of its own; a topic takes batches of 1 MiB.
    per_batch = max(1, (batch_bytes - 128) // (size + 12))
    records = batch([b"x" * size] * per_batch)

    def work(index, queue):
        connection = connect(port)
        request = produce(topic, index % PARTITIONS, acks, records)
        sent, latencies, begin = [], [], time.monotonic()
        while time.monotonic() - begin < seconds or sent:
            if len(sent) < DEPTH and time.monotonic() - begin < seconds:
                sent.append(time.monotonic())
                connection.sendall(request)
                continue
            error = struct.unpack_from(">h", answer(connection), 4 + 4 + 2 + len(topic) + 4 + 4)[0]
            if error:
                raise SystemExit(f"produce failed with {error}")
            latencies.append(time.monotonic() - sent.pop(0))
        queue.put((len(latencies), latencies, time.monotonic() - begin))

    results = in_processes(work, producers)
    batches, elapsed = sum(r[0] for r in results), max(r[2] for r in results)
    latencies = [value for r in results for value in r[1]]
    return {"mibPerSecond": round(batches * per_batch * size / elapsed / 2**20, 1),
            "recordsPerSecond": round(batches * per_batch / elapsed),
            "ackP50Ms": percentile(latencies, 0.5), "ackP99Ms": percentile(latencies, 0.99)}


def end_offset(port, topic, partition):
    connection = connect(port)
    connection.sendall(frame(2, 1, 0, struct.pack(">ii", -1, 1) + text(topic) + struct.pack(">iiq", 1, partition, -1)))
    return struct.unpack_from(">q", answer(connection), 4 + 4 + 2 + len(topic) + 4 + 4 + 2 + 8)[0]


def records_of(data, topic):
    """The record bytes of an answer to `fetch`."""
    at = 4 + 4 + 4 + 2 + len(topic) + 4 + 4
    error, = struct.unpack_from(">h", data, at)
    if error:
        raise SystemExit(f"fetch failed with {error}")
    at += 2 + 8 + 8
    aborted, = struct.unpack_from(">i", data, at)
    at += 4 + max(0, aborted) * 16
    return memoryview(data)[at + 4:]


def next_offset(records, offset):
    at = 0
    while at + 61 <= len(records):
        base, length = struct.unpack_from(">qi", records, at)
        if at + 12 + length > len(records):
            break
        offset = base + struct.unpack_from(">i", records, at + 23)[0] + 1
        at += 12 + length
    return offset


def consume_load(port, topic, size):
    def work(index, queue):
        connection, offset, received = connect(port), 0, 0
        end, begin = end_offset(port, topic, index), time.monotonic()
        while offset < end:
            connection.sendall(fetch(topic, index, offset, 100, 8 << 20))
            records = records_of(answer(connection), topic)
            received += len(records)
            offset = next_offset(records, offset)
        queue.put((received, end, time.monotonic() - begin))

    results = in_processes(work, PARTITIONS)
    elapsed = max(r[2] for r in results)
    return {"mibPerSecond": round(sum(r[0] for r in results) / elapsed / 2**20, 1),
            "recordsPerSecond": round(sum(r[1] for r in results) / elapsed)}


def latency(port, topic, size=1024, rate=2_000, seconds=4):
    """One producer of single records at a steady rate, one consumer that polls: acknowledgement and end to end."""
    count = rate * seconds
    # The checksum is made before: the producer has half a millisecond for each.
    requests = [produce(topic, 0, -1, batch([struct.pack(">d", 0.0) + number.to_bytes(4, "big") + b"x" * (size - 12)]))
                for number in range(200)]
    start = end_offset(port, topic, 0)

    def consumer(index, queue):
        connection, offset, seen = connect(port), start, []
        while offset < start + count:
            connection.sendall(fetch(topic, 0, offset, 500, 1 << 20))
            data = answer(connection)
            now, after = time.monotonic(), next_offset(records_of(data, topic), offset)
            seen += [now] * (after - offset)
            offset = after
        queue.put(("seen", seen))

    def producer(index, queue):
        time.sleep(0.5)
        connection, sent, acknowledged = connect(port), [], []
        connection.setblocking(True)
        import threading

        def reader():
            for _ in range(count):
                answer(connection)
                acknowledged.append(time.monotonic())

        thread = threading.Thread(target=reader)
        thread.start()
        begin = time.monotonic()
        for number in range(count):
            wait = begin + number / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            sent.append(time.monotonic())
            connection.sendall(requests[number % len(requests)])
        thread.join()
        queue.put(("sent", sent, acknowledged))

    def work(index, queue):
        (consumer, producer)[index](index, queue)

    results = {r[0]: r[1:] for r in in_processes(work, 2)}
    sent, acknowledged = results["sent"]
    ack = [b - a for a, b in zip(sent, acknowledged)]
    total = [b - a for a, b in zip(sent, results["seen"][0])]
    return {"recordsPerSecond": rate, "ackP50Ms": percentile(ack, 0.5), "ackP99Ms": percentile(ack, 0.99),
            "endToEndP50Ms": percentile(total, 0.5), "endToEndP99Ms": percentile(total, 0.99)}


def apus(binary, seconds):
    server = Server([binary, "serve", "events", "--data-dir", "FOLDER/data", "--listen", "127.0.0.1:0",
                     "--log-level", "error"], "ready events")
    try:
        port = int(server.line.rsplit(":", 1)[1])
        time.sleep(1)
        result = {"readyMs": server.ready_ms, "idlePssMiB": server.pss_mib(), "produce": {}, "consume": {}}
        for size in (100, 1024, 10_240):
            for producers in (1, 8):
                for acks, name in ((1, "1"), (-1, "all")):
                    topic = f"t{size}-{producers}-{name}"
                    make_topic(port, topic)

                    def load():
                        return produce_load(port, topic, size, producers, acks, 1 << 20, seconds)

                    result["produce"][f"{size}B x{producers} acks={name}"] = (
                        beside_disk(load, seconds) if acks == -1 else load())
                    if (producers, acks) == (8, -1):
                        result["consume"][f"{size}B"] = consume_load(port, topic, size)
                    delete_topic(port, topic)
                    time.sleep(2)
        make_topic(port, "small")
        result["produce"]["1024B x8 acks=all, 64 KiB batches"] = beside_disk(
            lambda: produce_load(port, "small", 1024, 8, -1, 64 << 10, seconds), seconds)
        rest(1 << 30)
        make_topic(port, "latency")
        result["latency"] = latency(port, "latency")
        result["pssAfterMiB"] = server.pss_mib()
    finally:
        server.stop()
    return result


class NATS:
    """The text protocol of NATS, as much of it as is needed."""

    def __init__(self, port):
        self.connection, self.buffer = connect(port), b""
        # Its own: whoever listens on a subject gets all that is sent there.
        self.inbox = b"inbox%d" % os.getpid()
        self.connection.recv(65536)
        self.connection.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB %s 1\r\nPING\r\n' % self.inbox)
        while b"PONG" not in self.buffer:
            self.buffer += self.connection.recv(65536)
        self.buffer = b""

    def request(self, subject, body):
        data = json.dumps(body).encode()
        self.connection.sendall(b"PUB %s %s %d\r\n%s\r\n" % (subject.encode(), self.inbox, len(data), data))
        while b"\r\n" not in self.buffer or b"}\r\n" not in self.buffer:
            self.buffer += self.connection.recv(65536)
        if b'"error"' in self.buffer:
            raise SystemExit(self.buffer.decode())
        self.buffer = b""

    def acknowledgements(self):
        """How many have come; one may be cut in two by the socket."""
        needle = b"MSG " + self.inbox + b" "
        data = self.buffer + self.connection.recv(1 << 20)
        self.buffer = data[-(len(needle) - 1):]
        return data.count(needle)


def nats(seconds):
    port = 24_222
    server = Server(["nats-server", "-js", "-sd", "FOLDER", "-a", "127.0.0.1", "-p", str(port)], "Server is ready")
    try:
        time.sleep(1)
        result = {"readyMs": server.ready_ms, "idlePssMiB": server.pss_mib(), "produce": {}, "consume": {}}
        for size in (100, 1024, 10_240):
            stream = f"S{size}"
            NATS(port).request(f"$JS.API.STREAM.CREATE.{stream}",
                               {"name": stream, "subjects": [f"s{size}.*"], "storage": "file", "max_msgs": -1})

            def work(index, queue):
                client = NATS(port)
                group = max(1, (64 << 10) // size)
                message = b"PUB s%d.%d %s %d\r\n%s\r\n" % (size, index, client.inbox, size, b"x" * size)
                waiting, done, begin, latencies, sent = 0, 0, time.monotonic(), [], []
                while time.monotonic() - begin < seconds or waiting:
                    if waiting < 4 * group and time.monotonic() - begin < seconds:
                        client.connection.sendall(message * group)
                        sent.append((done + waiting + group, time.monotonic()))
                        waiting += group
                        continue
                    got = client.acknowledgements()
                    done, waiting = done + got, waiting - got
                    while sent and sent[0][0] <= done:
                        latencies.append(time.monotonic() - sent.pop(0)[1])
                queue.put((done, latencies, time.monotonic() - begin))

            for producers in (1, 8):
                results = in_processes(work, producers)
                count, elapsed = sum(r[0] for r in results), max(r[2] for r in results)
                latencies = [value for r in results for value in r[1]]
                result["produce"][f"{size}B x{producers}"] = {
                    "mibPerSecond": round(count * size / elapsed / 2**20, 1), "recordsPerSecond": round(count / elapsed),
                    "ackP50Ms": percentile(latencies, 0.5), "ackP99Ms": percentile(latencies, 0.99)}
                rest(count * size)
        result["pssAfterMiB"] = server.pss_mib()
    finally:
        server.stop()
    return result


def ceilings(seconds):
    """Loopback TCP, and sequential writes of 1 MiB with fdatasync after each."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work(index, queue):
        if index == 0:
            connection, _ = listener.accept()
            total = 0
            while got := len(connection.recv(1 << 20)):
                total += got
            queue.put(("received", total))
        else:
            connection, block, begin = connect(listener.getsockname()[1]), b"x" * (1 << 20), time.monotonic()
            while time.monotonic() - begin < seconds:
                connection.sendall(block)
            queue.put(("elapsed", time.monotonic() - begin))

    results = dict(in_processes(work, 2))
    return {"loopbackMiBPerSecond": round(results["received"] / results["elapsed"] / 2**20),
            "write1MiBFdatasyncMiBPerSecond": round(disk(seconds))}


def disk(seconds):
    """MiB a second of sequential writes of 1 MiB, with fdatasync after each."""
    folder = tempfile.mkdtemp(prefix="apus-bench-")
    try:
        descriptor = os.open(f"{folder}/file", os.O_WRONLY | os.O_CREAT)
        block, written, begin = b"x" * (1 << 20), 0, time.monotonic()
        while time.monotonic() - begin < seconds:
            os.write(descriptor, block)
            os.fdatasync(descriptor)
            written += 1
        rate = written / (time.monotonic() - begin)
        os.close(descriptor)
        return rate
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    before = ceilings(arguments.seconds)
    ours = apus(arguments.binary, arguments.seconds)
    peer = nats(arguments.seconds) if shutil.which("nats-server") else None
    after = ceilings(arguments.seconds)
    result = {"apus": ours, "natsJetStream": peer, "ceilings": {"before": before, "after": after},
              "ratios": {f"toDisk {key}": value["toDisk"] for key, value in ours["produce"].items() if "toDisk" in value}}
    if peer:
        result["ratios"].update({
            f"acksAllToNATS {key}": round(ours["produce"][f"{key} acks=all"]["mibPerSecond"] / value["mibPerSecond"], 1)
            for key, value in peer["produce"].items()})
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory and idle CPU of `apus serve events` with many idle connections, partitions and groups.

    Benchmarks/events_scale.py [--connections 10000] [--partitions 1000] [--groups 1000] [--binary PATH]

Prints one JSON object: proportional set size (PSS) of the broker in MB (10^6 bytes) after its start, with the
partitions, with the groups (each with one member that holds all partitions of one topic and a committed offset), and
with the connections; KiB a connection; CPU while idle, in percent of one processor; seconds to start.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def pss(pid):
    """Bytes of memory that are the process's, shared pages divided among those who share them."""
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the kernel does not say the PSS of a process")


def cpu(pid):
    """Seconds of processor time that the process has had."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def data(value):
    return struct.pack(">i", len(value)) + value


class Client:
    """A connection that speaks the oldest forms of the requests."""

    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.file = self.socket.makefile("rb")

    def call(self, key, version, body):
        frame = struct.pack(">hhi", key, version, 7) + text("scale") + body
        self.socket.sendall(data(frame))
        size, = struct.unpack(">i", self.file.read(4))
        answer = self.file.read(size)
        assert answer[:4] == struct.pack(">i", 7)
        return answer[4:]

    def create(self, name, partitions):
        topic = text(name) + struct.pack(">ih", partitions, 1) + struct.pack(">ii", 0, 0)
        answer = self.call(19, 2, struct.pack(">i", 1) + topic + struct.pack(">ib", 120_000, 0))
        code, = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(name))
        assert code == 0, f"topic {name}: error {code}"

    def join(self, group, topic):
        metadata = struct.pack(">hi", 0, 1) + text(topic) + struct.pack(">i", -1)
        body = text(group) + struct.pack(">ii", 1_800_000, 1_800_000) + text("") + text("consumer")
        answer = self.call(11, 2, body + struct.pack(">i", 1) + text("range") + data(metadata))
        code, generation = struct.unpack_from(">hi", answer, 4)
        assert code == 0, f"group {group}: error {code}"
        place = 10
        for _ in range(2):
            place += 2 + struct.unpack_from(">h", answer, place)[0]
        size, = struct.unpack_from(">h", answer, place)
        member = answer[place + 2:place + 2 + size].decode()
        assignment = struct.pack(">hi", 0, 1) + text(topic) + struct.pack(">iiii", 2, 0, 1, -1)
        sync = text(group) + struct.pack(">i", generation) + text(member)
        answer = self.call(14, 1, sync + struct.pack(">i", 1) + text(member) + data(assignment))
        assert struct.unpack_from(">h", answer, 4)[0] == 0, f"group {group} is not given its work"
        commit = text(group) + struct.pack(">i", generation) + text(member) + struct.pack(">q", -1)
        commit += struct.pack(">i", 1) + text(topic) + struct.pack(">iiq", 1, 0, 0) + text("")
        answer = self.call(8, 2, commit)
        assert struct.unpack(">h", answer[-2:])[0] == 0, f"group {group} cannot commit"

    def close(self):
        self.file.close()
        self.socket.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=1_000)
    parser.add_argument("--groups", type=int, default=1_000)
    parser.add_argument("--idle-seconds", type=float, default=10)
    parser.add_argument("--binary", default=os.environ.get("APUS", str(ROOT / ".build/release/apus")))
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = tempfile.mkdtemp(prefix="apus-scale-")
    result = {"connections": options.connections, "partitions": options.partitions, "groups": options.groups}
    command = [options.binary, "serve", "events", "--data-dir", folder, "--listen", "127.0.0.1:0"]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    idle = []
    try:
        host, _, port = process.stdout.readline().split()[-1].rpartition(":")
        result["start_s"] = round(time.monotonic() - begin, 3)
        address = (host, int(port))

        def measure(name):
            time.sleep(3)
            size = pss(process.pid)
            result[f"pss_{name}_mb"] = round(size / 1e6, 1)
            return size

        measure("start")
        client = Client(address)
        topics = [f"scale-{number}" for number in range(options.partitions // 10)]
        for topic in topics:
            client.create(topic, 10)
        measure("partitions")
        # A new group waits half a second for its first members: many at once.
        with concurrent.futures.ThreadPoolExecutor(50) as threads:
            def join(number):
                member = Client(address)
                member.join(f"group-{number}", topics[number % len(topics)])
                member.close()

            list(threads.map(join, range(options.groups)))
        before = measure("groups")
        begin = time.monotonic()
        for _ in range(options.connections):
            connection = Client(address)
            connection.call(18, 0, b"")
            connection.file.close()
            idle.append(connection)
        result["connect_s"] = round(time.monotonic() - begin, 1)
        time.sleep(8)
        after = measure("connections")
        result["kib_a_connection"] = round((after - before) / 1024 / max(1, options.connections), 1)
        spent = cpu(process.pid)
        time.sleep(options.idle_seconds)
        result["idle_cpu_percent"] = round((cpu(process.pid) - spent) / options.idle_seconds * 100, 2)
        begin = time.monotonic()
        client.call(3, 1, struct.pack(">i", -1))
        result["metadata_ms"] = round((time.monotonic() - begin) * 1e3, 1)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        result["exit"] = process.wait(30)
        result["stop_s"] = round(time.monotonic() - begin, 2)
    finally:
        if process.poll() is None:
            process.kill()
        for connection in idle:
            connection.socket.close()
        shutil.rmtree(folder, ignore_errors=True)
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()

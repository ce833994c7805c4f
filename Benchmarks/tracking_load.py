# SPDX-License-Identifier: Apache-2.0
"""The load of Benchmarks/tracking.py: prepared HTTP requests over kept connections, one process a client, so that Python
does not bound it. Small segments go out at once (TCP_NODELAY) and what comes is acknowledged at once (TCP_QUICKACK): a
server that writes head and body apart does not wait for our delayed acknowledgement."""
import json
import multiprocessing
import os
import socket
import time

# Stands for a number that each request has for itself; digits may follow it.
COUNTER = b"COUNTERS"
FORK = multiprocessing.get_context("fork")


class Refused(Exception):
    """The server answered with an error."""


def request(method, path, body=None, kind="application/json"):
    """The bytes of a request. A body that is neither bytes nor nothing is sent as JSON."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body, separators=(",", ":")).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
    if body is not None:
        # COUNTER and the number that stands for it are of one length.
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + (body or b"")


class Connection:
    def __init__(self, port, timeout=120):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data

    def exchange(self, message):
        """Sends a request; the answer's body. An error of the server is raised."""
        self.socket.sendall(message)
        data = self.receive()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.receive()
        head, parts, have = data[:end].lower(), [data[end + 4:]], len(data) - end - 4
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            length = int(head[at + 17:].split(b"\r\n", 1)[0])
            while have < length:
                parts.append(self.receive())
                have += len(parts[-1])
        elif b"\r\ntransfer-encoding: chunked" in head:
            tail = parts[0]
            while not tail.endswith(b"0\r\n\r\n"):
                parts.append(self.receive())
                tail = (tail + parts[-1])[-5:]
            parts = [unchunked(b"".join(parts))]
        body = b"".join(parts)
        if head[9:10] != b"2":
            raise Refused(f"{message[:200]!r}: {head[:15].decode()} {body[:500].decode(errors='replace')}")
        return body

    def call(self, method, path, body=None):
        answer = self.exchange(request(method, path, body))
        return json.loads(answer) if answer else None


def unchunked(data):
    result, at = [], 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end].split(b";")[0], 16)
        if size == 0:
            return b"".join(result)
        result.append(data[end + 2:end + 2 + size])
        at = end + 4 + size


def in_processes(count, work):
    """`work(number)` in a process each, all at once; their results. Raises what one of them raised."""
    def run(number, answers):
        try:
            answers.send((True, work(number)))
        except BaseException as error:
            answers.send((False, f"{type(error).__name__}: {error}"))

    started = []
    for number in range(count):
        ours, theirs = FORK.Pipe(duplex=False)
        process = FORK.Process(target=run, args=(number, theirs))
        process.start()
        theirs.close()
        started.append((process, ours))
    results = [answers.recv() for _, answers in started]
    for process, _ in started:
        process.join()
    failed = next((value for done, value in results if not done), None)
    if failed:
        raise SystemExit(f"a client failed: {failed}")
    return [value for _, value in results]


def quantile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


# Requests that were counted so far: no number is given out twice.
used = 10_000_000


def load(port, clients, requests, seconds, warm=0.5, least=3, weight=1):
    """Sends requests from all clients for that long.

    requests: of each client, which it sends in turn. weight: what one request counts for (points of a batch)."""
    global used
    first = used
    used += 100_000 * clients
    if used > 99_000_000:
        used = 10_000_000
    begin_together = FORK.Barrier(clients)

    def work(number):
        mine, counter = requests[number % len(requests)], first + number * 100_000
        connection, at, latencies = Connection(port), 0, []

        def one():
            nonlocal at
            message = mine[at % len(mine)].replace(COUNTER, b"%08d" % (counter + at))
            at += 1
            return connection.exchange(message)

        end = time.monotonic() + warm
        while time.monotonic() < end or at < 2:
            one()
        waiting = time.monotonic()
        begin_together.wait()
        if time.monotonic() - waiting > 1:
            # The server may have closed a connection that rested (uvicorn: after 5 s).
            connection = Connection(port)
        begin, processor = time.monotonic(), time.process_time()
        now = begin
        while now < begin + seconds or len(latencies) < least:
            body = one()
            last, now = now, time.monotonic()
            latencies.append(now - last)
        return latencies, now - begin, time.process_time() - processor, len(body)

    results = in_processes(clients, work)
    latencies = sorted(latency for each in results for latency in each[0])
    rate = sum(len(each[0]) / each[1] for each in results)
    return {"perSecond": round(rate * weight, 2), "requests": len(latencies),
            "p50Ms": round(quantile(latencies, 0.5) * 1e3, 3), "p99Ms": round(quantile(latencies, 0.99) * 1e3, 3),
            "answerBytes": results[0][3],
            # Of one processor: how much of the machine the load itself took.
            "clientProcessors": round(sum(each[2] for each in results) / max(each[1] for each in results), 3)}


def processors_of(pids):
    """Processor seconds of processes."""
    total = 0
    for pid in pids:
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")

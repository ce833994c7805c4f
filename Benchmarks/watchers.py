#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many watchers of one kind: what they cost the server, and how fast changes reach all of them. Each is on a connection
of its own over HTTP/1.1, or a stream of an HTTP/2 connection that it shares with others. Usage: Benchmarks/watchers.py
--url URL --pki FOLDER --pid PID [--watchers N] [--changes N] [--streams N]."""
import argparse
import concurrent.futures
import json
import selectors
import socket
import ssl
import struct
import time
import urllib.parse


def pss_mib(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024


def settled(pid):
    """The server's memory once it does not change any more."""
    last = pss_mib(pid)
    for _ in range(20):
        time.sleep(1)
        now = pss_mib(pid)
        if abs(now - last) < 0.5:
            return now
        last = now
    return last


class Server:
    def __init__(self, url, pki):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        self.context.check_hostname = False
        self.context.load_cert_chain(f"{pki}/admin.crt", f"{pki}/admin.key")

    def connect(self, *protocols):
        self.context.set_alpn_protocols(list(protocols) or ["http/1.1"])
        return self.context.wrap_socket(socket.create_connection(self.address, timeout=60))

    def request(self, connection, method, path, body=b"", kind="application/json"):
        head = (f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")
        connection.sendall(head.encode() + body)

    def call(self, connection, method, path, value, kind="application/json"):
        self.request(connection, method, path, json.dumps(value).encode(), kind)
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
        if head.split()[1][:1] != b"2":
            raise SystemExit(body.decode())
        return json.loads(body)


class Watch:
    """A watcher with a connection of its own."""

    watchers = 1

    def __init__(self, server, target, _):
        self.connection = server.connect()
        server.request(self.connection, "GET", target)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.connection.recv(4096)
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(data.decode())
        self.connection.setblocking(False)
        self.events = 0

    def read(self):
        """Reads what is there; how many events it was."""
        before = self.events
        try:
            while data := self.connection.recv(1 << 20):
                self.events += data.count(b'{"type":"MODIFIED"')
        except ssl.SSLWantReadError:
            pass
        return self.events - before

    def done(self, changes):
        return self.events >= changes


class Streams:
    """Watchers that share an HTTP/2 connection. The frames are made by hand, so that the client is not what is slow."""

    DATA, HEADERS, SETTINGS, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 7, 8
    BATCH = 25

    def __init__(self, server, target, count):
        self.connection = server.connect("h2")
        if self.connection.selected_alpn_protocol() != "h2":
            raise SystemExit("the server does not speak HTTP/2")
        self.watchers, self.buffer = count, b""
        self.events = {2 * number + 1: 0 for number in range(count)}
        # Windows as large as those of Go's client; they are never used up here.
        window = struct.pack(">HI", 4, 1 << 24)
        self.connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(self.SETTINGS, 0, 0, window)
                                + self.frame(self.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))
        opened = 0
        # The server tells first how many streams it takes.
        while opened == 0:
            opened = sum(kind == self.SETTINGS for kind, _, _, _ in self.frames(self.connection.recv(1 << 16)))
        # Literal fields that are not indexed; :method GET and :scheme https are in the static table.
        fields = b"\x82\x87" + b"".join(
            b"\x00" + self.text(name) + self.text(value) for name, value in [(":path", target), (":authority", "x")])
        # Not all at once: a server has a limit on how many requests wait.
        streams = list(self.events)
        for at in range(0, count, self.BATCH):
            part = streams[at:at + self.BATCH]
            self.connection.sendall(b"".join(self.frame(self.HEADERS, 5, stream, fields) for stream in part))
            answered = 0
            while answered < len(part):
                for kind, _, _, payload in self.frames(self.connection.recv(1 << 16)):
                    if kind == self.HEADERS:
                        if payload[0] != 0x88:  # :status 200 in the static table
                            raise SystemExit("a watch was refused")
                        answered += 1
        self.connection.setblocking(False)

    @staticmethod
    def text(value):
        length = len(value)
        prefix = bytes([length]) if length < 127 else bytes([127, (length - 127) % 128 | 128, (length - 127) // 128])
        return prefix + value.encode()

    @staticmethod
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def frames(self, data):
        """The whole frames that have come: kind, flags, stream, payload."""
        if not data:
            raise SystemExit("the server closed the connection")
        data, at = self.buffer + data, 0
        while at + 9 <= len(data):
            length = int.from_bytes(data[at:at + 3], "big")
            if at + 9 + length > len(data):
                break
            kind, flags, stream = struct.unpack_from(">BBI", data, at + 3)
            payload = data[at + 9:at + 9 + length]
            if kind == self.SETTINGS and not flags & 1:
                self.connection.sendall(self.frame(self.SETTINGS, 1, 0, b""))
            if kind == self.GOAWAY:
                raise SystemExit(f"the server sent GOAWAY {payload}")
            yield kind, flags, stream, payload
            at += 9 + length
        self.buffer = data[at:]

    def read(self):
        total = 0
        try:
            while True:
                for kind, _, stream, payload in self.frames(self.connection.recv(1 << 20)):
                    if kind == self.DATA:
                        count = payload.count(b'{"type":"MODIFIED"')
                        self.events[stream] += count
                        total += count
        except ssl.SSLWantReadError:
            pass
        return total

    def done(self, changes):
        return all(count >= changes for count in self.events.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--pki", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--watchers", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--streams", type=int, default=0,
                        help="watchers that share an HTTP/2 connection; 0 for HTTP/1.1, where none do")
    arguments = parser.parse_args()
    server = Server(arguments.url, arguments.pki)
    writer = server.connect()
    path = "/api/v1/namespaces/default/configmaps"
    made = server.call(writer, "POST", path, {"metadata": {"name": "watched"}, "data": {"k": "v" * 200}})
    start = made["metadata"]["resourceVersion"]
    before = settled(arguments.pid)

    target = f"{path}?watch=true&resourceVersion={start}&timeoutSeconds=3600"
    share = arguments.streams or 1
    counts = [min(share, arguments.watchers - index) for index in range(0, arguments.watchers, share)]

    def watch(count):
        return (Streams if arguments.streams else Watch)(server, target, count)

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        watchers = list(pool.map(watch, counts))
    opened = time.monotonic() - begin
    idle = settled(arguments.pid)

    selector = selectors.DefaultSelector()
    for watcher in watchers:
        selector.register(watcher.connection, selectors.EVENT_READ, watcher)
    begin = time.monotonic()
    for number in range(arguments.changes):
        server.call(writer, "PATCH", f"{path}/watched", {"data": {"n": str(number)}}, "application/merge-patch+json")
    open_ones, events = set(watchers), 0
    while open_ones and time.monotonic() - begin < 300:
        for key, _ in selector.select(5):
            events += key.data.read()
            if key.data.done(arguments.changes):
                open_ones.discard(key.data)
    seconds = time.monotonic() - begin
    after = settled(arguments.pid)
    print(json.dumps({
        "watchers": arguments.watchers, "connections": len(watchers), "openedPerSecond": round(arguments.watchers / opened),
        "pssBeforeMiB": round(before, 1), "pssWithWatchersMiB": round(idle, 1), "pssAfterChangesMiB": round(after, 1),
        "costMiB": round(max(idle, after) - before, 1),
        "costKiBPerWatcher": round((max(idle, after) - before) * 1024 / arguments.watchers, 2),
        "changes": arguments.changes, "eventsSeen": events, "eventsMissing": arguments.changes * arguments.watchers - events,
        "seconds": round(seconds, 2), "eventsPerSecond": round(events / seconds)}))


if __name__ == "__main__":
    main()

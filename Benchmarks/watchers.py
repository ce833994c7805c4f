#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many watchers of one kind, each on a connection of its own: what they cost the server, and how fast changes reach
all of them. Usage: Benchmarks/watchers.py --url URL --pki FOLDER --pid PID [--watchers N] [--changes N]."""
import argparse
import concurrent.futures
import json
import selectors
import socket
import ssl
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

    def connect(self):
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--pki", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--watchers", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=20)
    arguments = parser.parse_args()
    server = Server(arguments.url, arguments.pki)
    writer = server.connect()
    path = "/api/v1/namespaces/default/configmaps"
    made = server.call(writer, "POST", path, {"metadata": {"name": "watched"}, "data": {"k": "v" * 200}})
    start = made["metadata"]["resourceVersion"]
    before = settled(arguments.pid)

    def watch(_):
        connection = server.connect()
        server.request(connection, "GET", f"{path}?watch=true&resourceVersion={start}&timeoutSeconds=3600")
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(4096)
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(data.decode())
        connection.setblocking(False)
        return connection

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        watchers = list(pool.map(watch, range(arguments.watchers)))
    opened = time.monotonic() - begin
    idle = settled(arguments.pid)

    selector = selectors.DefaultSelector()
    seen = {}
    for connection in watchers:
        selector.register(connection, selectors.EVENT_READ)
        seen[connection] = 0
    begin = time.monotonic()
    for number in range(arguments.changes):
        server.call(writer, "PATCH", f"{path}/watched", {"data": {"n": str(number)}}, "application/merge-patch+json")
    open_ones, events = set(watchers), 0
    while open_ones and time.monotonic() - begin < 300:
        for key, _ in selector.select(5):
            connection = key.fileobj
            try:
                while True:
                    count = connection.recv(1 << 20).count(b'{"type":"MODIFIED"')
                    seen[connection] += count
                    events += count
            except ssl.SSLWantReadError:
                pass
            if seen[connection] >= arguments.changes:
                open_ones.discard(connection)
    seconds = time.monotonic() - begin
    after = settled(arguments.pid)
    print(json.dumps({
        "watchers": arguments.watchers, "openedPerSecond": round(arguments.watchers / opened),
        "pssBeforeMiB": round(before, 1), "pssWithWatchersMiB": round(idle, 1), "pssAfterChangesMiB": round(after, 1),
        "costMiB": round(max(idle, after) - before, 1),
        "costKiBPerWatcher": round((max(idle, after) - before) * 1024 / arguments.watchers, 2),
        "changes": arguments.changes, "eventsSeen": events, "eventsMissing": arguments.changes * arguments.watchers - events,
        "eventsPerSecond": round(events / seconds)}))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""A proxy between Kafka's clients and a broker that keeps what both say.

It changes one thing: of an answer to ApiVersions the highest version of some requests, so that a client that takes the
newest version of a request sends an older one. What it keeps is what the broker said.
"""
import dataclasses
import socket
import struct
import threading

API_VERSIONS, SASL_HANDSHAKE = 18, 17


@dataclasses.dataclass
class Exchange:
    """A request and its answer, both without their lengths."""
    number: int
    connection: int
    client: str
    key: int
    version: int
    request: bytes
    answer: bytes = b""


def ranges(answer, version):
    """What an answer to ApiVersions says: API, lowest and highest version, and the place of the highest in the bytes."""
    # The header is the correlation id alone in every version (KIP-511); then an error code and the list.
    place = 6
    if version >= 3:
        count = shift = 0
        while True:
            byte = answer[place]
            count |= (byte & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if byte < 0x80:
                break
        count -= 1
    else:
        (count,) = struct.unpack_from(">i", answer, place)
        place += 4
    size = 7 if version >= 3 else 6
    return [(*struct.unpack_from(">hhh", answer, at), at + 4) for at in range(place, place + count * size, size)]


class Proxy:
    """Listens on a port of its own. One client after the other says who it is by `client`."""

    def __init__(self, port=0):
        self.server = socket.create_server(("127.0.0.1", port))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        self.broker = None
        self.client = "?"
        # The highest versions that clients are told of, by API.
        self.limits = {}
        # What the broker told the first of them: API to lowest and highest version.
        self.versions = {}
        self.exchanges = []
        self.connections = 0
        self.lock = threading.Lock()
        self.sockets = []

    def start(self, broker):
        """Begins to pass on to a broker, HOST:PORT."""
        host, port = broker.rsplit(":", 1)
        self.broker = (host, int(port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        for each in [self.server, *self.sockets]:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def sent(self, key, version):
        """Whether a request of that kind was answered."""
        with self.lock:
            return any(e.key == key and e.version == version and e.answer for e in self.exchanges)

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
                broker = socket.create_connection(self.broker)
            except OSError:
                return
            for each in (client, broker):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets += [client, broker]
            self.connections += 1
            connection = Connection(self, self.connections, self.client, dict(self.limits), client, broker)
            for work in (connection.requests, connection.answers):
                threading.Thread(target=work, daemon=True).start()


class Connection:
    def __init__(self, proxy, number, name, limits, client, broker):
        self.proxy = proxy
        self.number = number
        self.name = name
        self.limits = limits
        self.client = client
        self.broker = broker
        # Requests that are not answered yet, by correlation id.
        self.waiting = {}
        # After SaslHandshake 0 one message of each side has no header (KIP-152).
        self.raw_requests = self.raw_answers = 0

    @staticmethod
    def _frame(source):
        def take(count):
            taken = bytearray()
            while len(taken) < count:
                part = source.recv(count - len(taken))
                if not part:
                    return None
                taken += part
            return bytes(taken)

        length = take(4)
        return None if length is None else take(struct.unpack(">i", length)[0])

    def _pass(self, source, target, work):
        try:
            while (frame := self._frame(source)) is not None:
                frame = work(frame)
                target.sendall(struct.pack(">i", len(frame)) + frame)
        except OSError:
            pass
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def requests(self):
        self._pass(self.client, self.broker, self._request)

    def answers(self):
        self._pass(self.broker, self.client, self._answer)

    def _request(self, frame):
        if self.raw_requests:
            self.raw_requests -= 1
            return frame
        key, version, correlation = struct.unpack_from(">hhi", frame)
        proxy = self.proxy
        with proxy.lock:
            exchange = Exchange(len(proxy.exchanges), self.number, self.name, key, version, frame)
            proxy.exchanges.append(exchange)
            self.waiting[correlation] = exchange
        if (key, version) == (SASL_HANDSHAKE, 0):
            self.raw_requests = self.raw_answers = 1
        return frame

    def _answer(self, frame):
        (correlation,) = struct.unpack_from(">i", frame) if len(frame) >= 4 else (None,)
        exchange = self.waiting.pop(correlation, None)
        if exchange is None:
            # The answer without a header comes after the one to the handshake.
            assert self.raw_answers, f"an answer to a request {correlation} that was not sent"
            self.raw_answers = 0
            return frame
        with self.proxy.lock:
            exchange.answer = frame
        if exchange.key != API_VERSIONS or frame[4:6] != b"\0\0":
            return frame
        changed = bytearray(frame)
        for key, lowest, highest, place in ranges(frame, exchange.version):
            self.proxy.versions.setdefault(key, (lowest, highest))
            struct.pack_into(">h", changed, place, max(lowest, min(highest, self.limits.get(key, highest))))
        return bytes(changed)

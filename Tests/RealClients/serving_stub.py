# SPDX-License-Identifier: Apache-2.0
"""A predictor whose faults are chosen: answers `{"revision": NAME}` to every POST, fails by --fail PERCENT, waits --delay
SECONDS. Listens on POD_IP:8080; after SIGTERM it goes on for two seconds, as a server does that a gateway is before."""
import argparse
import http.server
import json
import os
import random
import signal
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave together: a process that is killed has answered or has not.
    wbufsize = -1

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(200, {})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if options.delay:
            time.sleep(options.delay)
        if random.random() * 100 < options.fail:
            return self.answer(500, {"error": "as chosen"})
        self.answer(200, {"revision": options.name})

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


parser = argparse.ArgumentParser()
parser.add_argument("--name", default="a")
parser.add_argument("--fail", type=float, default=0)
parser.add_argument("--delay", type=float, default=0)
options = parser.parse_args()
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(2, os._exit, (0,)).start())
Server((os.environ.get("POD_IP", "127.0.0.1"), 8080), Handler).serve_forever()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway beside Debian's nginx, before the same origin: requests per second, added latency, CPU a request.

The origin is an nginx of one worker that answers itself. Both proxies have as many threads as there are cores. wrk asks
in HTTP/1.1, h2load in HTTP/2 and, to an origin of HTTP/2, as gRPC's clients do. Rounds take turns; the median counts.
Needs nginx, wrk and h2load (apt-get install nginx-light wrk nghttp2-client). APUS_BINARIES names the folder of apus.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
APUS = pathlib.Path(os.environ.get("APUS_BINARIES", ROOT / ".build" / "release")) / "apus"
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


class Nginx:
    def __init__(self, folder, name, workers, servers):
        self.folder = folder / name
        self.folder.mkdir()
        (self.folder / "nginx.conf").write_text(f"""
daemon off; worker_processes {workers}; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  http2_max_concurrent_streams 256;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  {servers}
}}
""")
        self.process = subprocess.Popen(["nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)],
                                        stderr=subprocess.DEVNULL)

    @property
    def pids(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class Gateway:
    def __init__(self, folder, port, origin, grpc_origin):
        self.file = folder / "gateway.yaml"
        self.file.write_text(f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gateway}}
spec:
  gatewayClassName: apus
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: http, port: {port}, protocol: HTTP}}]
---
apiVersion: serving.apus.dev/v1alpha1
kind: Upstream
metadata: {{name: plain}}
spec: {{port: 80, endpoints: ["127.0.0.1:{origin}"]}}
---
apiVersion: serving.apus.dev/v1alpha1
kind: Upstream
metadata: {{name: grpc}}
spec: {{port: 80, http2: true, endpoints: ["127.0.0.1:{grpc_origin}"]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: plain}}
spec:
  parentRefs: [{{name: gateway}}]
  rules: [{{backendRefs: [{{name: plain, port: 80}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {{name: grpc}}
spec:
  parentRefs: [{{name: gateway}}]
  rules: [{{matches: [{{method: {{service: test.Calls}}}}], backendRefs: [{{name: grpc, port: 80}}]}}]
""")
        self.process = subprocess.Popen(
            [str(APUS), "serve", "gateway", "--config", str(self.file), "--admin-listen", "127.0.0.1:0"],
            stdout=subprocess.DEVNULL, stderr=open(folder / "gateway.log", "w"))

    @property
    def pids(self):
        return [self.process.pid]

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def cpu(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def wrk(port, connections, seconds):
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}/x"],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(said)
    return {"requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
            "p50_us": microseconds(re.search(r"(?m)^ +50%\s+(\S+)", said)[1]),
            "p99_us": microseconds(re.search(r"(?m)^ +99%\s+(\S+)", said)[1])}


def h2load(port, connections, streams, seconds, body=None):
    arguments = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", "--log-file", "/dev/stdout"]
    path = "/x"
    if body:
        arguments += ["-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers"]
        path = "/test.Calls/Call"
    said = subprocess.run([*arguments, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    times = []
    for line in said.splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[1] == "200":
            times.append(int(parts[2]))
    if not times:
        raise SystemExit(said[-2000:])
    times.sort()
    return {"requests_per_second": len(times) / seconds, "p50_us": times[len(times) // 2],
            "p99_us": times[len(times) * 99 // 100]}


def median(rounds):
    return {key: round(statistics.median(one[key] for one in rounds), 1) for key in rounds[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a minute in all")
    arguments = parser.parse_args()
    seconds, count = (1, 3) if arguments.short else (5, 5)
    for program in ("nginx", "wrk", "h2load"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is not there: apt-get install nginx-light wrk nghttp2-client")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-gateway-bench-"))
    plain, h2, proxy, proxy_h2, gateway_port = (free_port() for _ in range(5))
    body = folder / "body"
    body.write_bytes(b"\0\0\0\0\x40" + b"m" * 64)
    origin = Nginx(folder, "origin", 1, f"""
  server {{ listen 127.0.0.1:{plain}; location / {{ default_type application/json; return 200 '{{"a": [1, 2, 3]}}'; }} }}
  server {{ listen 127.0.0.1:{h2} http2; location / {{ default_type application/grpc; return 200 '0123456789abcdef'; }} }}
""")
    nginx = Nginx(folder, "proxy", os.cpu_count(), f"""
  upstream plain {{ server 127.0.0.1:{plain}; keepalive 256; keepalive_requests 1000000000; }}
  upstream h2 {{ server 127.0.0.1:{h2}; keepalive 256; keepalive_requests 1000000000; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
  server {{ listen 127.0.0.1:{proxy}; location / {{ proxy_pass http://plain; }} }}
  server {{ listen 127.0.0.1:{proxy_h2} http2; location / {{ proxy_pass http://plain; }}
            location /test.Calls/ {{ grpc_pass grpc://h2; }} }}
""")
    gateway = Gateway(folder, gateway_port, plain, h2)
    results = {}
    try:
        for port in (plain, h2, proxy, proxy_h2, gateway_port):
            wait_for_port(port)
        loads = {}
        for connections in (1, 8, 64):
            loads[f"http1_c{connections}"] = (
                lambda port, connections=connections: wrk(port, connections, seconds), plain, proxy)
        for connections, streams in ((1, 1), (8, 8)):
            loads[f"http2_c{connections}_m{streams}"] = (
                lambda port, c=connections, m=streams: h2load(port, c, m, seconds), None, proxy_h2)
            loads[f"grpc_c{connections}_m{streams}"] = (
                lambda port, c=connections, m=streams: h2load(port, c, m, seconds, body), h2, proxy_h2)
        for name, (load, direct, nginx_port) in loads.items():
            rounds = {"direct": [], "nginx": [], "apus": []}
            for _ in range(count):
                for who, port, server in (("direct", direct, None), ("nginx", nginx_port, nginx), ("apus", gateway_port, gateway)):
                    if port is None:
                        continue
                    before = cpu(server.pids) if server else 0
                    result = load(port)
                    if server:
                        spent = cpu(server.pids) - before
                        result["cpu_us"] = 1e6 * spent / (result["requests_per_second"] * seconds)
                    rounds[who].append(result)
            found = {who: median(runs) for who, runs in rounds.items() if runs}
            found["requests_ratio"] = round(found["apus"]["requests_per_second"] / found["nginx"]["requests_per_second"], 3)
            found["cpu_ratio"] = round(found["apus"]["cpu_us"] / found["nginx"]["cpu_us"], 2)
            if "direct" in found:
                for who in ("nginx", "apus"):
                    found[who]["added_p50_us"] = round(found[who]["p50_us"] - found["direct"]["p50_us"], 1)
            else:
                found["apus"]["p50_over_nginx_us"] = round(found["apus"]["p50_us"] - found["nginx"]["p50_us"], 1)
            results[name] = found
        results["memory_mb"] = round(gateway.memory(), 1)
        print(json.dumps(results, indent=2))
    finally:
        for server in (gateway, nginx, origin):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

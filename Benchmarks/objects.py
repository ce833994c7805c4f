#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Throughput, latency and memory of `apus serve objects` and of SeaweedFS, and what the machine allows, in one run.

The load is made by `apus-bench objects`: requests signed beforehand, one socket and one thread a client. The servers take
turns within each round, and the disk is made quiet between turns. SeaweedFS is measured as it comes (what it acknowledges
is not on the disk) and with `fs.configure -fsync` (the object's bytes are, its name is not). Disk: sequential writes of
1 MiB with fdatasync, before and after what is durable. Loopback: the same load on `apus-bench respond`, which does
nothing. Prints one JSON object; what is going on to standard error.

Usage: Benchmarks/objects.py --binary APUS --bench APUS-BENCH [--short] [--parts small,large,list,memory]"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SECRET = "bench-secret"
ENVIRONMENT = {**os.environ, "APUS_SECRET_KEY": SECRET}
MIB = 1 << 20


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process with a folder of its own, that says when it is ready."""

    name, is_durable = "", True

    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{self.name}-", dir=options.folder))
        begin = time.monotonic()
        self.start()
        self.ready_seconds = round(time.monotonic() - begin, 3)

    def spawn(self, *command):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=log,
                                        env=ENVIRONMENT, text=True, cwd=self.folder)
        log.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pss_mib(self):
        for line in open(f"/proc/{self.process.pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return round(int(line.split()[1]) / 1024, 1)
        return 0

    def anonymous_mib(self):
        """Its own part: without pages of files, which the binary's are."""
        for line in open(f"/proc/{self.process.pid}/smaps_rollup"):
            if line.startswith("Pss_Anon:"):
                return round(int(line.split()[1]) / 1024, 1)
        return 0

    def processor_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def load(self, operation, *arguments):
        """Runs the load; its answer, with the server's processor time and the most memory that it had meanwhile."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        before = self.processor_seconds()
        done = subprocess.run(
            [str(part) for part in (self.options.bench, "objects", "--port", self.port, "--operation", operation,
                                    *arguments)], env=ENVIRONMENT, text=True, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"{self.name}: {operation} {arguments}: {done.stderr}")
        if operation == "bucket":
            return None
        result = json.loads(done.stdout)
        result["serverProcessorSeconds"] = round(self.processor_seconds() - before, 3)
        result["peakRssMiB"] = self.peak_mib()
        return result

    def peak_mib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
        return 0


class Apus(Server):
    name = "apus"

    def start(self):
        self.spawn(self.options.binary, "serve", "objects", "--data-dir", self.folder / "data", "--listen",
                   "127.0.0.1:0", "--access-key", "bench", "--log-level", "error")
        line = self.process.stdout.readline()
        if not line.startswith("ready objects"):
            raise SystemExit(f"apus serve objects did not start: {line} {(self.folder / 'log').read_text()}")
        self.port = int(line.rsplit(":", 1)[1])


class SeaweedFS(Server):
    name, is_durable = "seaweedfs", False
    syncs = False

    def start(self):
        (self.folder / "data").mkdir()
        (self.folder / "s3.json").write_text(json.dumps({"identities": [{
            "name": "bench", "credentials": [{"accessKey": "bench", "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}))
        self.port = free_port()
        ports = {name: free_port() for name in ("master", "masterGRPC", "volume", "volumeGRPC", "filer", "filerGRPC", "s3GRPC")}
        self.spawn(
            self.options.weed, "server", f"-dir={self.folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={ports['master']}", f"-master.port.grpc={ports['masterGRPC']}",
            f"-volume.port={ports['volume']}", f"-volume.port.grpc={ports['volumeGRPC']}", "-filer",
            f"-filer.port={ports['filer']}", f"-filer.port.grpc={ports['filerGRPC']}", "-s3", f"-s3.port={self.port}",
            f"-s3.port.grpc={ports['s3GRPC']}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.config={self.folder}/s3.json", "-volume.max=100", "-master.volumeSizeLimitMB=1024",
            "-master.telemetry=false")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        deadline = time.monotonic() + 60
        while True:
            # A bucket can be made once all of its parts have found each other.
            made = subprocess.run([self.options.bench, "objects", "--port", str(self.port), "--operation", "bucket",
                                   "--bucket", "first"], env=ENVIRONMENT, capture_output=True)
            if made.returncode == 0:
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"SeaweedFS did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)
        if self.syncs:
            shell = subprocess.run(
                [self.options.weed, "shell", f"-master=127.0.0.1:{ports['master']}.{ports['masterGRPC']}",
                 f"-filer=127.0.0.1:{ports['filer']}.{ports['filerGRPC']}"], text=True, capture_output=True,
                input="fs.configure -locationPrefix=/buckets/ -fsync -apply\n", timeout=60)
            if '"fsync":  true' not in shell.stdout:
                raise SystemExit(f"SeaweedFS does not sync: {shell.stdout}{shell.stderr}")


class SyncedSeaweedFS(SeaweedFS):
    name, is_durable, syncs = "seaweedfs-fsync", True, True


class Responder(Server):
    """Does nothing: how fast the load itself can be."""

    name = "loopback"

    def start(self):
        self.spawn(self.options.bench, "respond", "--size", self.options.size)
        self.port = int(self.process.stdout.readline().split()[1])

    def load(self, operation, *arguments):
        return super().load(operation, *arguments, "--anything")


def disk_mib(folder, total, each):
    """MiB/s of writes of 1 MiB, synced after every `each` bytes."""
    path = pathlib.Path(folder) / "bench-disk"
    block = memoryview(os.urandom(MIB))[:min(MIB, each)]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        begin, done = time.monotonic(), 0
        while done < total:
            done += os.write(descriptor, block)
            if done % each == 0:
                os.fdatasync(descriptor)
        os.fdatasync(descriptor)
        return round(total / MIB / (time.monotonic() - begin), 1)
    finally:
        os.close(descriptor)
        path.unlink()


def quiet(options):
    os.sync()
    time.sleep(options.rest)


def median(results):
    """Of several rounds, each figure's median, and all rates."""
    middle = {name: statistics.median(result[name] for result in results) for name in results[0]}
    middle["rates"] = [result["perSecond"] for result in results]
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in middle.items()}


def ratios(figures, of="perSecond"):
    ours = figures["apus"][of]
    return {f"apus÷{name}": round(ours / other[of], 2) for name, other in figures.items() if name != "apus" and other[of]}


def small(options):
    result = {}
    servers = [kind(options) for kind in (Apus, SeaweedFS, SyncedSeaweedFS)]
    try:
        for server in servers:
            server.load("bucket")
        for size, label, count in ((4096, "4 KiB", options.small_keys), (MIB, "1 MiB", 200)):
            options.size = size
            responder = Responder(options)
            for clients in (1, 16):
                for operation in ("put", "get"):
                    say(f"{operation} {label}, {clients} clients")
                    if operation == "get" and clients == 1:
                        for server in servers:
                            server.load("put", "--size", size, "--clients", 4, "--count", count, "--prefix", f"get{size}")
                        quiet(options)
                    durable = operation == "put"
                    disk = [disk_mib(options.folder, min(256 * size, 128 * MIB), size)] if durable else []
                    rounds = {server.name: [] for server in servers}
                    for number in range(options.rounds):
                        for server in servers:
                            prefix = f"p{size}-{clients}-{number}" if durable else f"get{size}"
                            keys = ("--keys", min(40_000, 4096 * MIB // size)) if durable else ("--keys", count)
                            rounds[server.name].append(server.load(
                                operation, "--size", size, "--clients", clients, "--seconds", options.seconds,
                                "--prefix", prefix, *keys))
                            if durable:
                                quiet(options)
                    if durable:
                        disk.append(disk_mib(options.folder, min(256 * size, 128 * MIB), size))
                    figures = {name: median(each) for name, each in rounds.items()}
                    ceiling = responder.load(operation, "--size", size, "--clients", clients, "--seconds", options.seconds)
                    entry = {"figures": figures, "ratios": ratios(figures), "loopback": ceiling,
                             "apus÷loopback": round(figures["apus"]["perSecond"] / ceiling["perSecond"], 2)}
                    if durable:
                        entry["diskMiBPerSecond"] = disk
                        entry["apus÷disk"] = round(figures["apus"]["mibPerSecond"] / statistics.mean(disk), 2)
                    result[f"{operation} {label} x{clients}"] = entry
                    say({name: value["perSecond"] for name, value in figures.items()} | {"loopback": ceiling["perSecond"]})
            responder.stop()
        time.sleep(5)
        result["memory"] = {server.name: {"pssAfterLoadMiB": server.pss_mib(), "ownMiB": server.anonymous_mib()}
                            for server in servers}
    finally:
        for server in servers:
            server.stop()
    return result


def large(options):
    """One body of 1 GiB, and one of each of 16 clients at a time; each server with an empty folder and a quiet disk."""
    result = {}
    for clients, mib in ((1, options.large_mib), (16, options.large_mib_16)):
        options.size = mib * MIB
        entry = {}
        for kind in (Apus, SeaweedFS, SyncedSeaweedFS):
            if kind is SyncedSeaweedFS and clients > 1 and options.short:
                continue
            quiet(options)
            server = kind(options)
            try:
                server.load("bucket")
                common = ("--size", options.size, "--clients", clients, "--count", clients, "--keys", clients,
                          "--prefix", "large", "--unsigned")
                disk = [disk_mib(options.folder, 1 << 30, 1 << 30)]
                put = server.load("put", *common)
                begin = time.monotonic()
                os.sync()
                put["syncedAfterSeconds"] = round(time.monotonic() - begin, 2)
                disk.append(disk_mib(options.folder, 1 << 30, 1 << 30))
                quiet(options)
                get = server.load("get", *common)
                entry[server.name] = {"put": put, "get": get, "diskMiBPerSecond": disk}
                say(f"{server.name}, {clients} x {mib} MiB: put {put['mibPerSecond']}, get {get['mibPerSecond']} MiB/s; "
                    f"disk {disk}")
            finally:
                server.stop()
        responder = Responder(options)
        entry["loopback"] = {operation: responder.load(
            operation, "--size", options.size, "--clients", clients, "--count", clients, "--unsigned")
            for operation in ("put", "get")}
        responder.stop()
        say(f"loopback: put {entry['loopback']['put']['mibPerSecond']}, get {entry['loopback']['get']['mibPerSecond']} MiB/s")
        entry["ratios"] = {
            operation: {f"apus÷{name}": round(entry["apus"][operation]["mibPerSecond"] / entry[name][operation]["mibPerSecond"], 2)
                        for name in entry if name != "apus"} for operation in ("put", "get")}
        entry["ratios"]["put"]["apus÷disk"] = round(
            entry["apus"]["put"]["mibPerSecond"] / statistics.mean(entry["apus"]["diskMiBPerSecond"]), 2)
        result[f"{mib} MiB x{clients}"] = entry
    return result


def listing(options):
    figures = {}
    for kind in (Apus, SeaweedFS):
        server = kind(options)
        try:
            server.load("bucket")
            put = server.load("put", "--size", 64, "--clients", 16, "--count", options.list_keys, "--prefix", "list")
            lists = [server.load("list", "--prefix", "list") for _ in range(options.rounds)]
            if any(each["keys"] != options.list_keys for each in lists):
                raise SystemExit(f"{server.name} lists {[each['keys'] for each in lists]} of {options.list_keys} keys")
            figures[server.name] = {"put64BytesPerSecond": put["perSecond"], **median(lists)}
            say(f"{server.name}: {options.list_keys} keys in {figures[server.name]['seconds']} s")
        finally:
            server.stop()
    return {"keys": options.list_keys, "figures": figures, "ratios": ratios(figures, "keysPerSecond")}


def memory(options):
    """Just started, and with nothing to do."""
    result = {}
    for kind in (Apus, SeaweedFS):
        server = kind(options)
        try:
            time.sleep(5)
            before = server.processor_seconds()
            time.sleep(3)
            result[server.name] = {
                "readySeconds": server.ready_seconds, "idlePssMiB": server.pss_mib(), "ownMiB": server.anonymous_mib(),
                "idleProcessorShare": round((server.processor_seconds() - before) / 3, 4)}
        finally:
            server.stop()
    return result


def table(result):
    """The tables of docs/benchmarks.md."""
    lines = []
    if "small" in result:
        lines += ["| | Apus | p50 / p99 | SeaweedFS | Apus ÷ it | with fsync | Apus ÷ it | load alone | disk, MiB/s |",
                  "|---|---|---|---|---|---|---|---|---|"]
        for name, entry in result["small"].items():
            if "figures" not in entry:
                continue
            ours, theirs, synced = (entry["figures"][each] for each in ("apus", "seaweedfs", "seaweedfs-fsync"))
            disk = " and ".join(f"{value:,.0f}" for value in entry.get("diskMiBPerSecond", []))
            lines.append(
                f"| {name} | {ours['perSecond']:,.0f} | {ours['p50Ms']:.2f} / {ours['p99Ms']:.1f} ms | {theirs['perSecond']:,.0f} | "
                f"{entry['ratios']['apus÷seaweedfs']} | {synced['perSecond']:,.0f} | {entry['ratios']['apus÷seaweedfs-fsync']} | "
                f"{entry['loopback']['perSecond']:,.0f} | {disk} |")
    if "large" in result:
        lines += ["", "| MiB/s | Apus | SeaweedFS | with fsync | loopback | disk | Apus ÷ loopback, or disk |",
                  "|---|---|---|---|---|---|---|"]
        for name, entry in result["large"].items():
            for operation in ("put", "get"):
                rate = {each: f"{entry[each][operation]['mibPerSecond']:,.0f}" if each in entry else "–"
                        for each in ("apus", "seaweedfs", "seaweedfs-fsync", "loopback")}
                ratio = entry["ratios"][operation]
                disk = " and ".join(f"{value:,.0f}" for value in entry["apus"]["diskMiBPerSecond"]) if operation == "put" else ""
                lines.append(f"| {operation} {name} | {rate['apus']} | {rate['seaweedfs']} | {rate['seaweedfs-fsync']} | "
                             f"{rate['loopback']} | {disk} | {ratio.get('apus÷disk', ratio['apus÷loopback'])} |")
    if "list" in result:
        figures = result["list"]["figures"]
        lines += ["", f"List of {result['list']['keys']:,} keys, 1,000 a page: {figures['apus']['seconds']:.2f} s; SeaweedFS "
                      f"{figures['seaweedfs']['seconds']:.2f} s ({result['list']['ratios']['apus÷seaweedfs']} times as fast)."]
    if "memory" in result:
        ours, theirs = result["memory"]["apus"], result["memory"]["seaweedfs"]
        lines += ["", f"Idle memory (PSS): {ours['idlePssMiB']} MiB ({ours['ownMiB']} its own); SeaweedFS {theirs['idlePssMiB']}. "
                      f"Ready in {ours['readySeconds'] * 1000:.0f} ms; SeaweedFS {theirs['readySeconds']:.1f} s."]
    if "small" in result:
        after = result["small"]["memory"]
        peak = {name: max(figure["peakRssMiB"] for entry in result["small"].values() if "figures" in entry
                          for each, figure in entry["figures"].items() if each == name) for name in after}
        lines += [f"Most under these loads (RSS): {peak['apus']:.0f} MiB; SeaweedFS {peak['seaweedfs']:.0f}. Afterwards (PSS): "
                  f"{after['apus']['pssAfterLoadMiB']:.0f} MiB; SeaweedFS {after['seaweedfs']['pssAfterLoadMiB']:.0f}."]
    return "\n".join(lines)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Objects: Apus beside SeaweedFS.")
    parser.add_argument("--binary", default=root / ".build" / "release" / "apus")
    parser.add_argument("--bench", default=root / ".build" / "release" / "apus-bench")
    parser.add_argument("--weed", default=pathlib.Path(sys.executable).parent / "weed")
    parser.add_argument("--folder", help="on the disk to measure", default=tempfile.gettempdir())
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--rest", type=float, help="seconds of peace for the disk", default=0.5)
    parser.add_argument("--short", action="store_true", help="about 3 minutes: less of each, 20,000 keys, 16 x 128 MiB")
    parser.add_argument("--parts", default="memory,small,large,list")
    parser.add_argument("--table", help="print the tables of a result that is in this file, and do nothing else")
    options = parser.parse_args()
    if options.table:
        return print(table(json.loads(pathlib.Path(options.table).read_text())))
    options.seconds = options.seconds or (1 if options.short else 3)
    options.rounds = options.rounds or (2 if options.short else 3)
    options.small_keys = 2_000 if options.short else 10_000
    options.large_mib, options.large_mib_16 = (1024, 128) if options.short else (1024, 1024)
    options.list_keys = 20_000 if options.short else 100_000
    options.size = 0
    parts = {"memory": memory, "small": small, "large": large, "list": listing}
    for name in options.parts.split(","):
        if name not in parts:
            raise SystemExit(f"no part {name}: use {', '.join(parts)}")
    result = {"seconds": options.seconds, "rounds": options.rounds}
    for name in options.parts.split(","):
        result[name] = parts[name](options)
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()

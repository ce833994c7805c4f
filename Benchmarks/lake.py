#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Delta tables and SQL: commits and opening beside PyPI deltalake, statements through ADBC beside DuckDB's own Python
module, in one run, each in its own process, taking turns. Prints one JSON object.

A commit of Apus is on the disk when it is acknowledged (file, folder and log are synced); deltalake's is not: it leaves
that to the system. The disk's own time for a small synced write is measured beside them.

Usage: Benchmarks/lake.py --binary APUS --bench APUS-BENCH [--short] [--parts commits,open,sql]"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def figures(seconds):
    ordered = sorted(seconds)
    return {"p50Ms": round(statistics.median(ordered) * 1000, 3), "p99Ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 3),
            "rounds": len(ordered)}


def synced_write_ms(folder):
    """A file of 4 KiB, written, synced and linked to its name, with its folder: what a durable commit needs at least."""
    seconds = []
    for number in range(30):
        begin = time.monotonic()
        descriptor = os.open(f"{folder}/.sync", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, b"x" * 4096)
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(f"{folder}/.sync", f"{folder}/.synced")
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        seconds.append(time.monotonic() - begin)
    return figures(seconds)


def bench(options, *arguments):
    done = subprocess.run([str(options.bench), *map(str, arguments)], text=True, capture_output=True,
                          env={**os.environ, "APUS_DUCKDB": str(options.duckdb)})
    if done.returncode != 0:
        raise SystemExit(f"apus-bench {' '.join(map(str, arguments))}: {done.stderr}")
    return json.loads(done.stdout)


def python(name, *arguments):
    """This file again, as the peer, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--peer", name, *map(str, arguments)], text=True, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{name}: {done.stderr}")
    return json.loads(done.stdout)


# What the peer does, in its own process.

def peer_commits(table, rows, rounds, anew):
    import deltalake
    import pyarrow as pa
    rows, rounds = int(rows), int(rounds)
    data = pa.table({"id": pa.array(range(rows), pa.int64()), "name": [f"name {n}" for n in range(rows)],
                     "value": [n / 2.0 for n in range(rows)]})
    handle = deltalake.DeltaTable.create(table, deltalake.Schema.from_arrow(data.schema))
    seconds = []
    for _ in range(rounds + 1):
        begin = time.monotonic()
        deltalake.write_deltalake(table if anew == "anew" else handle, data, mode="append")
        seconds.append(time.monotonic() - begin)
    return {**figures(seconds[1:]), "files": len(deltalake.DeltaTable(table).file_uris())}


def peer_open(table, rounds):
    import deltalake
    seconds = []
    for _ in range(int(rounds)):
        begin = time.monotonic()
        files = len(deltalake.DeltaTable(table).file_uris())
        seconds.append(time.monotonic() - begin)
    return {**figures(seconds), "files": files}


def peer_sql(statement, rounds):
    import duckdb
    connection = duckdb.connect(config={"memory_limit": "1GiB"})
    connection.execute("SELECT 1").fetchall()
    seconds, rows = [], 0
    begin = time.monotonic()
    for _ in range(int(rounds)):
        start = time.monotonic()
        for batch in connection.execute(statement).to_arrow_reader(122_880):
            rows += batch.num_rows
        seconds.append(time.monotonic() - start)
    elapsed = time.monotonic() - begin
    return {**figures(seconds), "rows": rows, "rowsPerSecond": round(rows / elapsed), "perSecond": round(len(seconds) / elapsed)}


def commits(options):
    result = {}
    for rows in (1, 10_000):
        for anew in (False, True):
            disk = [synced_write_ms(options.work)]
            ours, theirs = [], []
            for number in range(options.rounds):
                name = f"{options.work}/t{rows}-{anew}-{number}"
                ours.append(bench(options, "delta", "--table", f"{name}-apus", "--rows", rows, "--rounds", options.commits,
                                  *(["--anew"] if anew else [])))
                theirs.append(python("commits", f"{name}-deltalake", rows, options.commits, "anew" if anew else "kept"))
            disk.append(synced_write_ms(options.work))
            entry = {"apus": best(ours), "deltalake": best(theirs), "diskMs": [each["p50Ms"] for each in disk]}
            entry["times"] = round(entry["deltalake"]["p50Ms"] / entry["apus"]["p50Ms"], 2)
            result[f"{rows} rows, {'opened for each' if anew else 'one handle'}"] = entry
            say(f"append of {rows}, {'by path' if anew else 'by handle'}: {entry['apus']['p50Ms']} ms, deltalake "
                f"{entry['deltalake']['p50Ms']} ms, disk {entry['diskMs']}")
    table, seconds = f"{options.work}/command", []
    environment = {**os.environ, "APUS_DUCKDB": str(options.duckdb)}
    subprocess.run([str(options.binary), "lake", "create", table, "--like", "SELECT 1::BIGINT AS id"], check=True,
                   env=environment, stdout=subprocess.DEVNULL)
    for _ in range(10):
        begin = time.monotonic()
        subprocess.run([str(options.binary), "lake", "append", table, "--query", "SELECT 1::BIGINT AS id"], check=True,
                       env=environment, stdout=subprocess.DEVNULL)
        seconds.append(time.monotonic() - begin)
    result["apus lake append, a process"] = figures(seconds)
    say(f"apus lake append: {result['apus lake append, a process']['p50Ms']} ms")
    return result


def best(rounds):
    """The round with the lowest median: what others do on the machine only makes it slower."""
    chosen = dict(min(rounds, key=lambda each: each["p50Ms"]))
    chosen["medians"] = [each["p50Ms"] for each in rounds]
    return chosen


def opening(options):
    """A log of 1,000 appends by deltalake; as it is, and with a checkpoint by either side."""
    import deltalake
    import pyarrow as pa
    data = pa.table({"id": pa.array([1], pa.int64()), "name": ["name"], "value": [0.5]})
    plain = f"{options.work}/log"
    handle = deltalake.DeltaTable.create(plain, deltalake.Schema.from_arrow(data.schema),
                                         configuration={"delta.checkpointInterval": "100000"})
    for _ in range(options.log - 1):
        deltalake.write_deltalake(handle, data, mode="append")
    shutil.copytree(plain, f"{options.work}/log-checkpoint")
    deltalake.DeltaTable(f"{options.work}/log-checkpoint").create_checkpoint()
    shutil.copytree(plain, f"{options.work}/log-own-checkpoint")
    subprocess.run([str(options.binary), "lake", "checkpoint", f"{options.work}/log-own-checkpoint"], check=True,
                   stdout=subprocess.DEVNULL, env={**os.environ, "APUS_DUCKDB": str(options.duckdb)})
    result = {}
    for name, label in (("log", "no checkpoint"), ("log-checkpoint", "deltalake's checkpoint"),
                        ("log-own-checkpoint", "Apus's checkpoint")):
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(bench(options, "delta", "--open", "--table", f"{options.work}/{name}", "--rounds", 10))
            theirs.append(python("open", f"{options.work}/{name}", 10))
        entry = {"apus": best(ours), "deltalake": best(theirs)}
        if entry["apus"]["files"] != options.log - 1 or entry["deltalake"]["files"] != options.log - 1:
            raise SystemExit(f"the log has {options.log - 1} files, but: {entry}")
        entry["times"] = round(entry["deltalake"]["p50Ms"] / entry["apus"]["p50Ms"], 2)
        result[f"{options.log} commits, {label}"] = entry
        say(f"open, {label}: {entry['apus']['p50Ms']} ms, deltalake {entry['deltalake']['p50Ms']} ms")
    return result


def sql(options):
    million = 2_000_000 if options.short else 10_000_000
    wide = ", ".join(f"range + {n} AS i{n}, range / {n + 1}.0::DOUBLE AS d{n}, 'text ' || (range % {n + 7}) AS t{n}"
                     for n in range(7))
    statements = {
        f"one number, {million:,} rows": (f"SELECT range AS id FROM range({million})", 3),
        f"21 columns, {million // 20:,} rows": (f"SELECT {wide} FROM range({million // 20})", 3),
        f"sum over {million:,} rows": (f"SELECT sum(range * 2) AS s, max(range) AS m FROM range({million})", 3),
        "SELECT 42": ("SELECT 42 AS n", 500 if options.short else 2000),
    }
    result = {}
    for label, (statement, rounds) in statements.items():
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(bench(options, "sql", "--statement", statement, "--rounds", rounds))
            theirs.append(python("sql", statement, rounds))
        entry = {"adbc": best(ours), "duckdb": best(theirs)}
        entry["times"] = round(entry["duckdb"]["p50Ms"] / entry["adbc"]["p50Ms"], 2)
        if rounds < 10:
            read = bench(options, "sql", "--statement", statement, "--rounds", rounds, "--values")
            entry["adbcEachValueRead"] = {"p50Ms": read["p50Ms"], "rowsPerSecond": read["rowsPerSecond"]}
        result[label] = entry
        say(f"{label}: {entry['adbc']['p50Ms']} ms, DuckDB itself {entry['duckdb']['p50Ms']} ms")
    return result


def table(result):
    """The tables of docs/benchmarks.md."""
    lines = ["| | Apus | the other | times as fast | beside it |", "|---|---|---|---|---|"]
    for name, entry in result.get("commits", {}).items():
        if "deltalake" not in entry:
            lines.append(f"| {name} | {entry['p50Ms']:.1f} ms | | | |")
            continue
        disk = " and ".join(f"{value:.1f}" for value in entry["diskMs"])
        lines.append(f"| append, {name} | {entry['apus']['p50Ms']:.1f} ms | {entry['deltalake']['p50Ms']:.1f} ms | "
                     f"{entry['times']} | a synced small file: {disk} ms |")
    for name, entry in result.get("open", {}).items():
        lines.append(f"| open, {name} | {entry['apus']['p50Ms']:.1f} ms | {entry['deltalake']['p50Ms']:.1f} ms | "
                     f"{entry['times']} | |")
    for name, entry in result.get("sql", {}).items():
        values = entry.get("adbcEachValueRead")
        read = f"each value read: {values['p50Ms']:.1f} ms" if values else ""
        lines.append(f"| {name} | {entry['adbc']['p50Ms']:.3f} ms | {entry['duckdb']['p50Ms']:.3f} ms | {entry['times']} | {read} |")
    return "\n".join(lines)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    if sys.argv[1:2] == ["--peer"]:
        peers = {"commits": peer_commits, "open": peer_open, "sql": peer_sql}
        print(json.dumps(peers[sys.argv[2]](*sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(description="Delta tables and SQL beside deltalake and DuckDB.")
    parser.add_argument("--binary", default=root / ".build" / "release" / "apus")
    parser.add_argument("--bench", default=root / ".build" / "release" / "apus-bench")
    parser.add_argument("--duckdb", default=root / ".cache" / "duckdb")
    parser.add_argument("--folder", help="on the disk to measure", default=tempfile.gettempdir())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="about a minute: less of each")
    parser.add_argument("--parts", default="commits,open,sql")
    parser.add_argument("--table", help="print the table of a result that is in this file, and do nothing else")
    options = parser.parse_args()
    if options.table:
        return print(table(json.loads(pathlib.Path(options.table).read_text())))
    options.work = tempfile.mkdtemp(prefix="bench-lake-", dir=options.folder)
    options.commits = 20 if options.short else 50
    options.log = 1000
    parts = {"commits": commits, "open": opening, "sql": sql}
    try:
        for name in options.parts.split(","):
            if name not in parts:
                raise SystemExit(f"no part {name}: use {', '.join(parts)}")
        print(json.dumps({name: parts[name](options) for name in options.parts.split(",")}, indent=2))
    finally:
        shutil.rmtree(options.work, ignore_errors=True)


if __name__ == "__main__":
    main()

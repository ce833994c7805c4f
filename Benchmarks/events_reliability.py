#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How `apus serve events` stands kill -9, damaged files and large logs: prints one JSON object a part, and one of all at
the end. The loads are those of Tests/RealClients (test_events_crash.py), for longer.
Usage: .venv/bin/python Benchmarks/events_reliability.py [--binaries .build/release] [--parts idempotent,…] [--short]."""
import argparse
import json
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PARTS = ["idempotent", "transactions", "transform", "group", "damage", "recovery"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", default=str(ROOT / ".build" / "release"), help="folder of apus")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to run, of " + ", ".join(PARTS))
    parser.add_argument("--kills", type=int, default=200, help="of the broker under idempotent load")
    parser.add_argument("--places", type=int, default=200, help="that are damaged")
    parser.add_argument("--gigabytes", type=float, default=10, help="of the log that is recovered")
    parser.add_argument("--folder", help="where data are kept meanwhile; needs the log's size (default: the system's)")
    parser.add_argument("--short", action="store_true", help="a tenth of all")
    options = parser.parse_args()
    if options.folder:
        tempfile.tempdir = options.folder
    os.environ["APUS_BINARIES"] = str(pathlib.Path(options.binaries).resolve())
    # The tests' modules find the binary by the environment.
    sys.path[:0] = [str(ROOT / "Tests" / "RealClients")]
    import events_damage
    import events_loads
    from events_fixture import Broker

    share = 10 if options.short else 1

    def on_broker(load, *numbers):
        broker = Broker()
        try:
            figures = load(broker.start(), *numbers)
            broker.stop()
            return figures
        finally:
            broker.clean(keep=False)

    runs = {
        "idempotent": lambda: on_broker(events_loads.idempotent, options.kills // share),
        "transactions": lambda: on_broker(events_loads.transactions, 1000 // share, max(2, 10 // share)),
        "transform": lambda: on_broker(events_loads.transform, 20_000 // share, 20 // share, 20 // share),
        "group": lambda: on_broker(events_loads.group, max(2, 10 // share), max(2, 10 // share)),
        "damage": lambda: events_damage.damage(options.places // share),
        "recovery": lambda: events_damage.recovery(int(options.gigabytes * 1e9) // share),
    }
    figures = {}
    for part in options.parts.split(","):
        figures[part] = runs[part]()
        print(json.dumps({part: figures[part]}), flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

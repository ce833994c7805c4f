# SPDX-License-Identifier: Apache-2.0
"""`apus serve tracking` under kill -9 while several processes log: no acknowledged metric, param or run is lost, none is
there twice, and nothing that was not sent is there. With PostgreSQL, the database is killed in some rounds, too.

APUS_TRACKING_KILL_ROUNDS=200 for many rounds on SQLite; a quarter as many are made on PostgreSQL."""
import os
import time

from conftest import wait_for
from postgres_fixture import Postgres
from tracking_fixture import Tracking
from tracking_load import Logger, Raw, check, run_names

ROUNDS = int(os.environ.get("APUS_TRACKING_KILL_ROUNDS", 6))


class Rounds:
    """Loggers, what they told, and a server that is killed under them."""

    def __init__(self, server, loggers=4):
        self.server, self.points, self.records, self.restarts = server, 0, [], []
        self.loggers = [Logger(server.host, server.port, f"logger{number}") for number in range(loggers)]

    def raw(self):
        return Raw(self.server.host, self.server.port)

    def kill(self, number):
        time.sleep(0.1 + 0.04 * (number % 6))
        self.server.kill()
        begin = time.monotonic()
        self.server.start()
        self.restarts.append(time.monotonic() - begin)
        raw = self.raw()
        for logger in self.loggers:
            # What broke with the connection; one that had begun no run yet says nothing.
            while logger.records.poll(0.2):
                self.take(raw, logger.records.recv())
        raw.close()

    def take(self, raw, record):
        self.points += check(raw, record)
        self.records.append(record)

    def end(self):
        left = [record for logger in self.loggers for record in logger.end()]
        raw = self.raw()
        for record in left:
            self.take(raw, record)
        names = run_names(raw)
        sent_once = {name for record in self.records for name in record.runs}
        unknown = {name for record in self.records for name in record.unknown_runs}
        assert len(names) == len(set(names)), "a run is there twice"
        assert sent_once <= set(names), f"runs lost: {sorted(sent_once - set(names))[:5]}"
        assert set(names) <= sent_once | unknown, f"runs that were not sent: {sorted(set(names) - sent_once - unknown)[:5]}"
        raw.close()
        print(f"\n{self.points} acknowledged points, {len(sent_once)} runs, {sum(len(each.params) for each in self.records)} "
              f"params; restarts {sum(self.restarts) / max(1, len(self.restarts)):.3f} s (most {max(self.restarts):.3f})")


def kill_loggers(rounds):
    for logger in rounds.loggers:
        if logger.process.is_alive():
            logger.process.kill()


def test_kills_on_sqlite():
    server = Tracking()
    failed = True
    try:
        rounds = Rounds(server.start())
        try:
            number = 0
            # On a slow machine there are more rounds, as each is for a time.
            while number < ROUNDS or rounds.points <= ROUNDS * 100 and number < 20 * ROUNDS:
                rounds.kill(number)
                number += 1
            rounds.end()
        finally:
            kill_loggers(rounds)
        assert rounds.points > ROUNDS * 100 and len(rounds.records) >= ROUNDS
        server.stop()
        failed = False
    finally:
        server.clean(keep=failed)


def test_kills_on_postgres():
    postgres = Postgres()
    server = Tracking(database=postgres.uri())
    failed = True
    try:
        rounds = Rounds(server.start())
        try:
            for number in range(max(4, ROUNDS // 4)):
                if number % 2 == 0:
                    rounds.kill(number)
                    continue
                # The database: the server stays, says so, and goes on when it is back.
                time.sleep(0.2)
                postgres.kill()
                raw = rounds.raw()
                status, answer = raw.call("GET", "runs/get?run_id=" + "0" * 32)
                assert status == 503 and answer["error_code"] == "TEMPORARILY_UNAVAILABLE", (status, answer)
                postgres.start()
                wait_for(lambda: raw.call("GET", "experiments/get?experiment_id=0")[0] == 200, 20, "reads to go on")
                before = len(run_names(raw))
                wait_for(lambda: len(run_names(raw)) > before, 20, "writes to go on")
                raw.close()
            rounds.end()
        finally:
            kill_loggers(rounds)
        assert rounds.points > 100
        assert server.process.poll() is None
        server.stop()
        failed = False
    finally:
        server.clean(keep=failed)
        postgres.remove()

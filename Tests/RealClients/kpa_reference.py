# SPDX-License-Identifier: Apache-2.0
"""Knative's decision and windows once more, in Python and apart from the Swift: tests compute with it what the
autoscaler decided. Written from the formulas of knative/serving (pkg/autoscaler/scaling, pkg/autoscaler/aggregation).

`python kpa_reference.py` writes Tests/AutoscalingCoreTests/KPATraces.swift."""
import math
import pathlib


class Window:
    """Values by second, and their mean over the last `size` seconds."""

    def __init__(self, size):
        self.size, self.values, self.first, self.last = size, {}, None, None

    def record(self, second, value):
        if self.last is None or second - self.last >= self.size:
            self.values, self.first = {}, second
        self.last = second
        self.values[second] = self.values.get(second, 0) + value

    def average(self, now):
        if self.last is None or now - self.last >= self.size:
            return 0.0
        total = sum(value for second, value in self.values.items() if now - self.size < second <= now)
        return round(total / min(self.last - self.first + 1, self.size - (now - self.last)), 6)


class KPA:
    def __init__(self, target, window=60, panic=0.1, threshold=2.0, up=1000.0, down=2.0, burst=211, total=100, low=0,
                 high=0, ready=1, delay=0, activation=1, reachable=True):
        self.target, self.window, self.threshold, self.up, self.down = target, window, threshold, up, down
        self.burst, self.total, self.low, self.high = burst, total, low, high
        self.delay, self.activation, self.reachable = delay, activation, reachable
        self.stable, self.panic = Window(window), Window(max(1, math.ceil(window * panic)))
        self.panic_time, self.max_panic = (0, ready) if ready > 1 else (None, 0)
        self.decided = []

    def record(self, second, value):
        self.stable.record(second, value)
        self.panic.record(second, value)

    def decide(self, now, ready):
        return self.judge(now, ready, self.stable.average(now), self.panic.average(now))

    def judge(self, now, ready, stable, panic):
        """The decision from what was seen."""
        pods = max(1, ready)
        most = math.ceil(self.up * pods)
        least = math.floor(pods / self.down) if self.reachable else 0
        wish, burst_wish = math.ceil(stable / self.target), math.ceil(panic / self.target)
        wanted, panicked = min(max(wish, least), most), min(max(burst_wish, least), most)
        if self.activation > 1:
            wanted = max(wanted, self.activation) if wish > 0 else wanted
            panicked = max(panicked, self.activation) if burst_wish > 0 else panicked
        if burst_wish / pods >= self.threshold:
            self.panic_time = now
        elif self.panic_time is not None and self.panic_time + self.window < now:
            self.panic_time, self.max_panic = None, 0
        want = wanted
        if self.panic_time is not None:
            self.max_panic = max(self.max_panic, wanted, panicked)
            want = self.max_panic
        if self.delay and self.reachable:
            bucket, count = now // 2, max(1, math.ceil(self.delay / 2))
            self.decided.append((bucket, want))
            want = max(value for at, value in self.decided if at > bucket - count)
        want = max(self.low, want)
        want = min(self.high, want) if self.high else want
        burst = 0 if self.burst == 0 else -1 if self.burst < 0 else math.floor(
            ready * self.total - self.burst - panic)
        return {"now": now, "ready": ready, "stable": stable, "panic": panic, "stableWant": wanted,
                "panicWant": panicked, "isPanicking": self.panic_time is not None, "want": want, "excessBurst": burst}


SCENARIOS = {
    # A step of traffic, 3 → 30 → 3, as declared by an InferenceService with scaleTarget 2.
    "step of 60 s windows": (dict(target=1.4, window=60, total=2, low=3, high=30, ready=3), 3, 420,
                             lambda t: 2.0 if t <= 120 or t > 240 else 42.0),
    "step of 6 s windows": (dict(target=1.4, window=6, total=2, low=3, high=30, ready=3), 3, 80,
                            lambda t: 2.0 if t <= 12 or t > 24 else 42.0),
    "from zero and back": (dict(target=70, window=10, total=100), 0, 80,
                           lambda t: 0.0 if t < 10 or t > 40 else 500.0),
    "a restart with 7": (dict(target=1.0, window=6, total=1, ready=7), 7, 40, lambda t: 2.0),
    "slow down": (dict(target=1.0, window=6, total=1, down=1.2, high=50), 1, 60, lambda t: 40.0 if t < 20 else 1.0),
    "slow up": (dict(target=1.0, window=6, total=1, up=1.5), 2, 60, lambda t: 40.0),
    "delayed down": (dict(target=1.0, window=6, total=1, delay=20), 1, 80, lambda t: 9.0 if t < 12 else 2.0),
    "three at least when active": (dict(target=10, window=6, total=10, activation=3), 0, 40,
                                   lambda t: 0.0 if t < 6 or t > 20 else 1.0),
    "unreachable": (dict(target=1.0, window=6, total=1, reachable=False), 8, 40, lambda t: 0.0),
    "activator always": (dict(target=7, window=6, burst=-1), 1, 20, lambda t: 5.0),
    "sawtooth": (dict(target=3.0, window=12, total=5, burst=20, high=25), 1, 160,
                 lambda t: float(t * 7919 % 61) + 0.25 if (t // 20) % 2 else float(t * 104729 % 11)),
}


def trace(scenario):
    """A line for each decision, every 2 s; the pods are there by the next one."""
    settings, ready, seconds, load = scenario
    decider, lines = KPA(**settings), []
    for second in range(1, seconds + 1):
        decider.record(second, load(second))
        if second % 2 == 0:
            d = decider.decide(second, ready)
            lines.append(f"{second} {ready} {d['stable']:.6f} {d['panic']:.6f} {d['stableWant']} {d['panicWant']} "
                         f"{int(d['isPanicking'])} {d['want']} {d['excessBurst']}")
            ready = d["want"]
    return lines


def main():
    text = ["// SPDX-License-Identifier: Apache-2.0", "// Written by Tests/RealClients/kpa_reference.py.", "",
            "/// Decisions of Knative's formulas as an independent implementation makes them.", "enum KPATraces {",
            "    struct Scenario: Sendable {", "        var name: String", "        /// Settings that are not usual.",
            "        var settings: [String: Double]", "        /// Load of each second, from 1.",
            "        var loads: [Double]",
            "        /// Second, ready, both averages, both wishes, panic, decision, excess burst.",
            "        var decisions: String", "    }", "", "    static let all: [Scenario] = ["]
    for name, scenario in SCENARIOS.items():
        settings = {key: float(value) for key, value in scenario[0].items()}
        loads = [scenario[3](second) for second in range(1, scenario[2] + 1)]
        runs = []
        for load in loads:
            if runs and runs[-1][0] == load:
                runs[-1][1] += 1
            else:
                runs.append([load, 1])
        pairs = ", ".join(f"({load}, {count})" for load, count in runs)
        given = ", ".join(f'"{key}": {value}' for key, value in settings.items())
        text += ["        Scenario(", f'            name: "{name}",', f"            settings: [{given}],",
                 f"            loads: repeated([{pairs}]),", '            decisions: """',
                 *("                " + line for line in trace(scenario)), '                """),']
    text += ["    ]", "", "    private static func repeated(_ runs: [(Double, Int)]) -> [Double] {",
             "        runs.flatMap { [Double](repeating: $0.0, count: $0.1) }", "    }", "}", ""]
    place = pathlib.Path(__file__).parents[1] / "AutoscalingCoreTests" / "KPATraces.swift"
    place.write_text("\n".join(text))


if __name__ == "__main__":
    main()

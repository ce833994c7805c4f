# SPDX-License-Identifier: Apache-2.0
"""Every spec in scope is claimed by a test or listed with the reason why not (must hold 1)."""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent

COLLECT = """
import json, sys, pytest

class Claims:
    names, names_of_skipped, is_broken = set(), set(), False

    def pytest_collectreport(self, report):
        self.is_broken = self.is_broken or report.failed

    def pytest_collection_modifyitems(self, items):
        for item in items:
            idle = any(item.get_closest_marker(name) for name in ("skip", "skipif", "xfail"))
            for marker in item.iter_markers("spec"):
                (self.names_of_skipped if idle else self.names).update(marker.args)

claims = Claims()
code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", sys.argv[1]], plugins=[claims])
print("\\n" + json.dumps([int(code), claims.is_broken, sorted(claims.names), sorted(claims.names_of_skipped)]))
"""


def lines(name):
    text = (HERE / name).read_text()
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_every_spec_is_claimed_or_listed():
    result = subprocess.run([sys.executable, "-c", COLLECT, str(HERE.parent)], capture_output=True, text=True,
                            cwd=HERE.parents[2], timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    code, is_broken, claimed, skipped = json.loads(result.stdout.splitlines()[-1])
    assert code == 0 and not is_broken, f"the tests cannot be collected:\n{result.stdout[-3000:]}"
    scope = set(lines("specs.txt"))
    assert len(scope) == 142
    listed = {}
    for line in lines("not-yet.txt"):
        spec, separator, reason = line.partition(" :: ")
        assert separator and reason.strip(), f"not-yet.txt says no reason for: {line}"
        assert spec not in listed, f"not-yet.txt names twice: {spec}"
        listed[spec] = reason
    claimed = set(claimed)
    problems = {
        "claimed but no spec of that name": sorted((claimed | set(skipped)) - scope),
        "in not-yet.txt but no spec of that name": sorted(set(listed) - scope),
        "claimed and still in not-yet.txt": sorted(set(listed) & claimed),
        "neither claimed nor in not-yet.txt": sorted(scope - claimed - set(listed)),
        "claimed only by tests that are skipped": sorted(set(skipped) - claimed),
    }
    assert not any(problems.values()), "\n".join(
        f"{problem}:\n  " + "\n  ".join(specs) for problem, specs in problems.items() if specs)

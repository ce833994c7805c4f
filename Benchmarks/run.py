#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All benchmarks of the platform, in one run on one machine; prints one JSON object and writes it to
.build/benchmarks.json. Usage: make bench, or Benchmarks/run.py [start] [roles] [api] [machinery] [watchers] [pods]
[scheduler] [crash] [als]."""
import base64
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARIES = pathlib.Path(os.environ.get("APUS_BINARIES", ROOT / ".build" / "release"))
APUS, BENCH = str(BINARIES / "apus"), str(BINARIES / "apus-bench")
KUBECTL = str(ROOT / ".cache" / "kubectl" / "kubectl")

# Upstream's control plane on a 2-core machine of this kind, measured on another day: for orientation, no ratio of
# one run. Source: the project's notes on Kubernetes.
UPSTREAM = {"createsPerSecond": 276, "getsPerSecond": 554, "list1000Ms": 38, "residentMiB": 490, "readySeconds": 5.5}


def pss_mib(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return round(int(line.split()[1]) / 1024, 1)


class Role:
    """A process of apus, started and waited for until it prints its ready line."""

    def __init__(self, *arguments):
        begin = time.monotonic()
        self.process = subprocess.Popen([APUS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        for line in self.process.stdout:
            if line.startswith("ready "):
                self.url = line.split()[-1]
                break
        else:
            raise SystemExit(f"{' '.join(arguments)} ended before it was ready")
        self.ready_seconds = time.monotonic() - begin

    def pss_mib(self):
        return pss_mib(self.process.pid)

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(90)


class Platform(Role):
    def __init__(self, network=200, more=()):
        self.folder = tempfile.mkdtemp(prefix="apus-bench-", dir=os.environ.get("TMPDIR"))
        self.kubeconfig = f"{self.folder}/kubeconfig"
        super().__init__("up", "--data-dir", f"{self.folder}/data", "--listen", "127.0.0.1:0", "--network",
                         str(network), "--kubeconfig", self.kubeconfig, "--log-level", "error", *more)

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kubectl(self, *arguments, **more):
        return subprocess.run([KUBECTL, "--kubeconfig", self.kubeconfig, *arguments], check=True, text=True,
                              capture_output=True, **more).stdout


def bench(*arguments):
    return json.loads(subprocess.run([BENCH, *arguments], check=True, text=True, stdout=subprocess.PIPE).stdout)


def start():
    times = []
    for _ in range(5):
        platform = Platform()
        times.append(platform.ready_seconds)
        if len(times) == 5:
            time.sleep(5)
            memory = platform.pss_mib()
            before = platform.cpu_seconds()
            time.sleep(10)
            idle = (platform.cpu_seconds() - before) / 10 * 100
        platform.stop()
    size = os.path.getsize(APUS)
    stripped = tempfile.mktemp()
    subprocess.run(["strip", "-o", stripped, APUS], check=True)
    stripped_size = os.path.getsize(stripped)
    os.unlink(stripped)
    median = statistics.median(times)
    return {"binaryMiB": round(size / 2**20, 1), "binaryStrippedMiB": round(stripped_size / 2**20, 1),
            "readySeconds": round(median, 3), "idlePssMiB": memory, "idleCpuPercent": round(idle, 2),
            "upstream": {k: UPSTREAM[k] for k in ("readySeconds", "residentMiB")},
            "memoryShareOfUpstream": round(memory / UPSTREAM["residentMiB"], 3)}


def api():
    platform = Platform()
    try:
        result = bench("api", "--kubeconfig", platform.kubeconfig)
        result["pssAfterMiB"] = platform.pss_mib()
        pki = f"{platform.folder}/data/pki"
        ceiling = bench("ceiling", "--folder", platform.folder, "--certificate", f"{pki}/apiserver.crt", "--key",
                        f"{pki}/apiserver.key")
    finally:
        platform.stop()
    result["ceiling"] = ceiling
    result["ratios"] = {
        "createsToStoreAlone": round(result["creates"]["perSecond"] / ceiling["commits"]["perSecond"], 3),
        "getsToHummingbirdHello": round(result["gets"]["perSecond"] / ceiling["https"]["perSecond"], 3)}
    result["upstream"] = UPSTREAM
    result["timesUpstream"] = {
        "creates": round(result["creates"]["perSecond"] / UPSTREAM["createsPerSecond"], 1),
        "gets": round(result["gets"]["perSecond"] / UPSTREAM["getsPerSecond"], 1),
        "list1000": round(UPSTREAM["list1000Ms"] / result["list1000"]["p50Ms"], 1)}
    return result


# As the example of Kubernetes' documentation: nothing is written when a request comes, only when it is answered.
AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [
    {"level": "None", "users": ["system:apiserver"]},
    {"level": "Request", "resources": [{"group": "", "resources": ["configmaps"]}], "verbs": ["create", "update"]},
    {"level": "Metadata"}]}


def crd(number):
    fields = {name: {"type": "string", "maxLength": 64} for name in "abcdefgh"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"things{number}.bench.example.com"},
            "spec": {"group": "bench.example.com", "scope": "Namespaced",
                     "names": {"plural": f"things{number}", "kind": f"Thing{number}"},
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                         "type": "object", "properties": {"spec": {
                             "type": "object", "properties": fields,
                             "x-kubernetes-validations": [{"rule": "!has(self.a) || self.a != 'no'"}]}}}}}]}}


def access(platform):
    """A kubeconfig of a user with a certificate, as the administrator's, who has rights from a role, and is judged by a
    policy."""
    platform.kubectl("create", "clusterrole", "bench", "--verb=*", "--resource=configmaps,namespaces")
    platform.kubectl("create", "clusterrolebinding", "bench", "--clusterrole=bench", "--group=bench")
    policy = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
              "metadata": {"name": "bench"}, "spec": {
                  "failurePolicy": "Fail",
                  "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
                                                          "operations": ["CREATE", "UPDATE"],
                                                          "resources": ["configmaps"]}]},
                  "validations": [{"expression": "!has(object.data) || size(object.data) < 100"},
                                  {"expression": "object.metadata.name.matches('^[a-z0-9.-]+$')"}]}}
    binding = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
               "metadata": {"name": "bench"}, "spec": {"policyName": "bench", "validationActions": ["Deny"]}}
    items = [policy, binding, *(crd(number) for number in range(50))]
    platform.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    platform.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    refused = subprocess.run([KUBECTL, "--kubeconfig", platform.kubeconfig, "create", "-f", "-"], text=True, input=json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "many"},
         "data": {f"k{number}": "v" for number in range(100)}}), capture_output=True)
    if refused.returncode == 0:
        raise SystemExit("the policy is not enforced")
    pki, folder = f"{platform.folder}/data/pki", platform.folder
    for command in (
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/bench.key",
         "-out", f"{folder}/bench.csr", "-subj", "/O=bench/CN=bench"],
        ["x509", "-req", "-in", f"{folder}/bench.csr", "-CA", f"{pki}/ca.crt", "-CAkey", f"{pki}/ca.key",
         "-CAcreateserial", "-CAserial", f"{folder}/serial", "-days", "1", "-out", f"{folder}/bench.crt"],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    kubeconfig = json.loads(platform.kubectl("config", "view", "--raw", "-o", "json"))
    data = {f"client-{kind}-data": base64.b64encode(pathlib.Path(f"{folder}/bench.{end}").read_bytes()).decode()
            for kind, end in (("certificate", "crt"), ("key", "key"))}
    kubeconfig["users"] = [{"name": kubeconfig["users"][0]["name"], "user": data}]
    path = pathlib.Path(platform.folder) / "bench.kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    path.chmod(0o600)
    return str(path)


def machinery(rounds=11):
    """The load of `api` against a bare platform, against one with roles, audit, a policy and 50 kinds of custom
    resources, and against one whose audit tells of requests when they come, too, in turns; the ratios of the medians
    say what these cost. Many short rounds: the machine is noisy."""
    folder = tempfile.mkdtemp(prefix="apus-bench-")

    def audited(name, network, policy):
        path = pathlib.Path(folder) / f"{name}.json"
        path.write_text(json.dumps(policy))
        return Platform(network, ["--audit-policy", str(path), "--audit-log", f"{folder}/{name}.log"])

    platforms = {"bare": Platform(206), "full": audited("full", 208, AUDIT),
                 "everyStage": audited("everyStage", 212, {**AUDIT, "omitStages": []})}
    runs = {name: [] for name in platforms}
    try:
        kubeconfigs = {name: platform.kubeconfig if name == "bare" else access(platform)
                       for name, platform in platforms.items()}
        time.sleep(3)
        memory = {name: {"idleMiB": platform.pss_mib()} for name, platform in platforms.items()}
        for _ in range(rounds):
            for name, kubeconfig in kubeconfigs.items():
                runs[name].append(bench("api", "--kubeconfig", kubeconfig, "--seconds", "1"))
        for name, platform in platforms.items():
            memory[name]["afterMiB"] = platform.pss_mib()
    finally:
        for platform in platforms.values():
            platform.stop()
        shutil.rmtree(folder, ignore_errors=True)

    parts = {"creates": "perSecond", "gets": "perSecond", "getOneClient": "perSecond", "list1000": "perSecond",
             "watch": "eventsPerSecond"}
    medians = {name: {part: statistics.median(run[part][figure] for run in runs[name]) for part, figure in parts.items()}
               for name in runs}
    ratios = {name: {**{part: round(medians[name][part] / medians["bare"][part], 3) for part in parts},
                     "memoryAfter": round(memory[name]["afterMiB"] / memory["bare"]["afterMiB"], 3)}
              for name in ("full", "everyStage")}
    return {"ratios": ratios, "memory": memory, **medians}


def watchers():
    """Watchers of one kind: 10,000 that share HTTP/2 connections, and, each on a connection of its own, what fits below
    the limit on connections."""
    return {"http2": watchers_of(10_000, streams=100), "http1": watchers_of(1_500, streams=0)}


def watchers_of(count, streams):
    folder = tempfile.mkdtemp(prefix="apus-bench-")
    server = Role("serve", "apiserver", "--data-dir", f"{folder}/data", "--listen", "127.0.0.1:0", "--network", "210",
                  "--kubeconfig", f"{folder}/kubeconfig", "--log-level", "error")
    try:
        return json.loads(subprocess.run(
            [sys.executable, str(ROOT / "Benchmarks" / "watchers.py"), "--url", server.url, "--pki", f"{folder}/data/pki",
             "--pid", str(server.process.pid), "--watchers", str(count), "--streams", str(streams)],
            check=True, text=True, stdout=subprocess.PIPE).stdout)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def pods():
    manifest = json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hundred"},
        "spec": {"replicas": 100, "selector": {"matchLabels": {"a": "b"}},
                 "template": {"metadata": {"labels": {"a": "b"}},
                              "spec": {"terminationGracePeriodSeconds": 0, "containers": [
                                  {"name": "main", "image": "x", "command": ["sleep", "100000"]}]}}}})
    platform = Platform()
    try:
        begin = time.monotonic()
        platform.kubectl("apply", "-f", "-", input=manifest)
        platform.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=100", "deployment/hundred", "--timeout=120s")
        seconds = time.monotonic() - begin
        memory = platform.pss_mib()
    finally:
        platform.stop()
    return {"hundredPodsReadySeconds": round(seconds, 2), "pssMiB": memory}


def scheduler():
    folder = tempfile.mkdtemp(prefix="apus-bench-")
    server = Role("serve", "apiserver", "--data-dir", f"{folder}/data", "--listen", "127.0.0.1:0", "--network", "202",
                  "--kubeconfig", f"{folder}/kubeconfig", "--log-level", "error")
    planner = Role("serve", "scheduler", "--kubeconfig", f"{folder}/kubeconfig", "--log-level", "error")
    try:
        # The controller that makes accounts does not run here.
        subprocess.run([KUBECTL, "--kubeconfig", f"{folder}/kubeconfig", "create", "serviceaccount", "default"],
                       check=True, stdout=subprocess.DEVNULL)
        result = bench("scheduler", "--kubeconfig", f"{folder}/kubeconfig")
        result["pssMiB"] = {"apiserver": server.pss_mib(), "scheduler": planner.pss_mib()}
    finally:
        planner.stop()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return result


def roles():
    """Memory of each role alone, idle, and of the shim beside each container."""
    folder = tempfile.mkdtemp(prefix="apus-bench-")
    common = ["--data-dir", f"{folder}/data", "--network", "204", "--kubeconfig", f"{folder}/kubeconfig",
              "--log-level", "error"]
    running = {"apiserver": Role("serve", "apiserver", "--listen", "127.0.0.1:0", *common)}
    for role in ("controller-manager", "scheduler", "node-agent", "service-proxy"):
        running[role] = Role("serve", role, *common)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {
        "terminationGracePeriodSeconds": 0, "containers": [{"name": "a", "image": "x", "command": ["sleep", "1000"]}]}}
    kubectl = [KUBECTL, "--kubeconfig", f"{folder}/kubeconfig"]
    try:
        subprocess.run([*kubectl, "create", "-f", "-"], input=json.dumps(pod), text=True, check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run([*kubectl, "wait", "--for=condition=Ready", "pod/one", "--timeout=30s"], check=True,
                       stdout=subprocess.DEVNULL)
        time.sleep(3)
        result = {role: process.pss_mib() for role, process in running.items()}
        shims = subprocess.run(["pgrep", "-f", f"shim --spec {folder}"], text=True, stdout=subprocess.PIPE).stdout
        result["shim"] = pss_mib(int(shims.split()[0]))
        subprocess.run([*kubectl, "delete", "pod", "one"], check=True, stdout=subprocess.DEVNULL)
    finally:
        for process in reversed(running.values()):
            process.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return {"idlePssMiB": result}


def crash(rounds=500):
    """`kill -9` of `apus up` under write load, over and over; the test fails when an acknowledged write is lost."""
    begin = time.monotonic()
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-k", "nothing_acknowledged_is_lost",
                    str(ROOT / "Tests" / "RealClients" / "test_crash.py")], check=True, stdout=sys.stderr,
                   env={**os.environ, "APUS_KILL_ROUNDS": str(rounds), "APUS_BINARIES": str(BINARIES)})
    return {"killRounds": rounds, "acknowledgedWritesLost": 0, "seconds": round(time.monotonic() - begin, 1)}


def als():
    def run(*arguments):
        command = [sys.executable, str(ROOT / "Benchmarks" / "als.py"), "--binary", str(BINARIES / "movie-recommender")]
        return json.loads(subprocess.run([*command, *arguments], check=True, text=True, stdout=subprocess.PIPE).stdout)

    return {"movielens100K": run("--movielens", str(ROOT / ".cache" / "movielens-100k"), "--factors", "50"),
            "synthetic20M": run()}


def main():
    parts = {"start": start, "roles": roles, "api": api, "machinery": machinery, "watchers": watchers,
             "pods": pods, "scheduler": scheduler, "crash": crash, "als": als}
    wanted = sys.argv[1:] or list(parts)
    unknown = [name for name in wanted if name not in parts]
    if unknown:
        raise SystemExit(f"unknown benchmark {unknown[0]}: use {', '.join(parts)}")
    results = {name: parts[name]() for name in wanted}
    text = json.dumps(results, indent=2)
    (ROOT / ".build" / "benchmarks.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()

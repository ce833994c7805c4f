# SPDX-License-Identifier: Apache-2.0
"""StatefulSets, DaemonSets, CronJobs, Jobs, ReplicationControllers, disruption budgets and cascades, with kubectl."""
import json

import pytest

from conftest import wait_for


def manifest(kind, name, spec, api="apps/v1", **metadata):
    return json.dumps({"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec})


def template(app, *command, policy="Always", **spec):
    return {"metadata": {"labels": {"app": app}}, "spec": {
        "restartPolicy": policy, "terminationGracePeriodSeconds": 0, **spec,
        "containers": [{"name": "c", "image": "x", "command": list(command) or ["sleep", "3600"]}]}}


def job(name, *command, **spec):
    return manifest("Job", name, {"template": template(name, *command, policy="Never"), **spec}, "batch/v1")


def conditions(obj):
    return {c["type"]: c for c in obj.get("status", {}).get("conditions", []) if c["status"] == "True"}


def finished(cluster, name, n):
    def ended():
        found = conditions(cluster.get("job", name, *n))
        return found if "Complete" in found or "Failed" in found else None
    return wait_for(ended, what=f"job {name} to end")


def events(cluster, n, kind, name):
    items = cluster.get("events", *n, "--field-selector", f"involvedObject.kind={kind},involvedObject.name={name}")
    return {(e["reason"], e["message"]) for e in items["items"]}


# Jobs

def test_indexed_job_counts_every_index_once(cluster, namespace):
    n = ("-n", namespace)
    cluster.apply(job("many", "sh", "-c", "echo $JOB_COMPLETION_INDEX", completionMode="Indexed", completions=3,
                      parallelism=3), *n)
    assert finished(cluster, "many", n)["Complete"]["reason"] == "CompletionsReached"
    status = cluster.get("job", "many", *n)["status"]
    assert status["completedIndexes"] == "0-2" and status["succeeded"] == 3
    pods = cluster.get("pods", *n, "-l", "job-name=many")["items"]
    assert {p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for p in pods} == {"0", "1", "2"}
    assert {p["spec"]["hostname"] for p in pods} == {"many-0", "many-1", "many-2"}
    assert not any(p["metadata"].get("finalizers") for p in pods)
    logs = {cluster.kubectl("logs", p["metadata"]["name"], *n).strip() for p in pods}
    assert logs == {"0", "1", "2"}
    assert "3/3" in cluster.kubectl("get", "job", "many", *n)
    assert "Completed Indexes:" in cluster.kubectl("describe", "job", "many", *n)


def test_pod_failure_policy_and_backoff_per_index(cluster, namespace):
    n = ("-n", namespace)
    rules = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]}
    cluster.apply(job("fatal", "sh", "-c", "exit 42", backoffLimit=6, podFailurePolicy=rules), *n)
    cluster.apply(job("partly", "sh", "-c", "exit $JOB_COMPLETION_INDEX", completionMode="Indexed", completions=2,
                      parallelism=2, backoffLimitPerIndex=0), *n)
    failed = finished(cluster, "fatal", n)["Failed"]
    assert failed["reason"] == "PodFailurePolicy"
    assert failed["message"].endswith("failed with exit code 42 matching FailJob rule at index 0")
    assert finished(cluster, "partly", n)["Failed"]["reason"] == "FailedIndexes"
    status = cluster.get("job", "partly", *n)["status"]
    assert (status["completedIndexes"], status["failedIndexes"], status["failed"]) == ("0", "1", 1)


def test_suspended_job_runs_when_resumed_and_goes_after_its_time(cluster, namespace):
    n = ("-n", namespace)
    cluster.apply(job("later", "true", suspend=True, ttlSecondsAfterFinished=0), *n)
    wait_for(lambda: "Suspended" in conditions(cluster.get("job", "later", *n)), what="the job to be suspended")
    assert cluster.get("pods", *n)["items"] == []
    cluster.kubectl("patch", "job", "later", *n, "-p", '{"spec":{"suspend":false}}')
    wait_for(lambda: cluster.get("jobs", *n)["items"] == [] and cluster.get("pods", *n)["items"] == [],
             what="the job and its pod to go")


def test_success_policy_ends_a_job_early(cluster, namespace):
    n = ("-n", namespace)
    cluster.apply(job("leader", "sh", "-c", "test $JOB_COMPLETION_INDEX = 0 || sleep 3600", completionMode="Indexed",
                      completions=2, parallelism=2, successPolicy={"rules": [{"succeededIndexes": "0"}]}), *n)
    found = finished(cluster, "leader", n)
    assert found["SuccessCriteriaMet"]["reason"] == found["Complete"]["reason"] == "SuccessPolicy"


def test_jobs_that_are_refused(cluster, namespace):
    n = ("-n", namespace)
    bad = cluster.kubectl("create", "-f", "-", *n, input=job("bad", completionMode="Indexed", parallelism=1),
                          check=False)
    assert 'The Job "bad" is invalid: spec.completions: Required value: when completion mode is Indexed' in bad.stderr
    cluster.apply(job("fixed", "true", completions=2), *n)
    changed = cluster.kubectl("patch", "job", "fixed", *n, "-p", '{"spec":{"completions":3}}', check=False)
    assert "spec.completions: Invalid value: 3: field is immutable" in changed.stderr


# CronJobs

def test_cronjob_by_hand_and_its_validation(cluster, namespace):
    n = ("-n", namespace)
    cluster.kubectl("create", "cronjob", "tick", "--image=x", "--schedule=0 0 1 1 *", *n, "--", "true")
    cluster.kubectl("create", "job", "now", "--from=cronjob/tick", *n)
    assert "Complete" in finished(cluster, "now", n)
    made = cluster.get("job", "now", *n)["metadata"]
    assert made["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    wait_for(lambda: cluster.get("cronjob", "tick", *n).get("status", {}).get("lastSuccessfulTime"),
             what="the last success to be noted")
    row = cluster.kubectl("get", "cronjob", "tick", *n).splitlines()
    assert row[0].split() == ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "SCHEDULE", "AGE"]
    assert row[1].split()[:9] == ["tick", "0", "0", "1", "1", "*", "<none>", "False", "0"]
    assert "Concurrency Policy:" in cluster.kubectl("describe", "cronjob", "tick", *n)
    bad = cluster.kubectl("patch", "cronjob", "tick", *n, "-p", '{"spec":{"timeZone":"Mars/X"}}', check=False)
    assert 'spec.timeZone: Invalid value: "Mars/X": unknown time zone Mars/X' in bad.stderr
    cluster.kubectl("delete", "cronjob", "tick", *n)
    wait_for(lambda: cluster.get("jobs", *n)["items"] == [], what="its job to go with it")


# StatefulSets

def stateful(name, replicas, **spec):
    return manifest("StatefulSet", name, {
        "replicas": replicas, "serviceName": name, "selector": {"matchLabels": {"app": name}},
        "template": template(name), **spec})


def pods(cluster, n, selector=None):
    items = cluster.get("pods", *n, *(("-l", selector) if selector else ()))["items"]
    return {p["metadata"]["name"]: p for p in items if "deletionTimestamp" not in p["metadata"]}


def test_statefulset_rolls_back_scales_and_keeps_claims(cluster, namespace):
    n = ("-n", namespace)
    claim = {"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}
    cluster.apply(stateful("web", 2, volumeClaimTemplates=[claim],
                           persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete", "whenDeleted": "Retain"}), *n)
    cluster.kubectl("rollout", "status", "statefulset/web", "--timeout=60s", *n)
    first = pods(cluster, n)
    assert sorted(first) == ["web-0", "web-1"]
    for index, pod in enumerate(first[name] for name in sorted(first)):
        assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == str(index)
        assert pod["spec"]["hostname"] == pod["metadata"]["name"] and pod["spec"]["subdomain"] == "web"
    created = [first[name]["metadata"]["creationTimestamp"] for name in sorted(first)]
    assert created == sorted(created)
    claims = {c["metadata"]["name"] for c in cluster.get("pvc", *n)["items"]}
    assert claims == {"data-web-0", "data-web-1"}

    cluster.kubectl("set", "env", "statefulset/web", "A=2", *n)
    cluster.kubectl("rollout", "status", "statefulset/web", "--timeout=60s", *n)
    history = cluster.kubectl("rollout", "history", "statefulset/web", *n)
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]
    assert "A:\t2" in cluster.kubectl("rollout", "history", "statefulset/web", "--revision=2", *n)
    cluster.kubectl("rollout", "undo", "statefulset/web", *n)
    cluster.kubectl("rollout", "status", "statefulset/web", "--timeout=60s", *n)
    assert "env" not in cluster.get("statefulset", "web", *n)["spec"]["template"]["spec"]["containers"][0]
    revisions = cluster.get("controllerrevisions", *n)["items"]
    assert sorted(r["revision"] for r in revisions) == [2, 3]
    status = cluster.get("statefulset", "web", *n)["status"]
    assert status["currentRevision"] == status["updateRevision"] and status["updatedReplicas"] == 2

    cluster.kubectl("scale", "statefulset/web", "--replicas=1", *n)
    wait_for(lambda: sorted(pods(cluster, n)) == ["web-0"], what="web-1 to go")
    wait_for(lambda: [c["metadata"]["name"] for c in cluster.get("pvc", *n)["items"]] == ["data-web-0"],
             what="its claim to go")
    assert cluster.kubectl("get", "sts", "web", *n).splitlines()[0].split() == ["NAME", "READY", "AGE"]
    refused = cluster.kubectl("patch", "sts", "web", *n, "-p", '{"spec":{"serviceName":"other"}}', check=False)
    assert "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals'" in refused.stderr
    told = events(cluster, n, "StatefulSet", "web")
    assert ("SuccessfulCreate", "create Pod web-0 in StatefulSet web successful") in told
    assert ("SuccessfulCreate", "create Claim data-web-0 Pod web-0 in StatefulSet web success") in told
    cluster.kubectl("delete", "sts", "web", "--cascade=orphan", *n)
    assert sorted(pods(cluster, n)) == ["web-0"]
    assert "ownerReferences" not in cluster.get("pod", "web-0", *n)["metadata"]


def test_statefulset_partition(cluster, namespace):
    n = ("-n", namespace)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    cluster.apply(stateful("part", 2, podManagementPolicy="Parallel", updateStrategy=strategy), *n)
    cluster.kubectl("rollout", "status", "statefulset/part", "--timeout=60s", *n)
    cluster.kubectl("set", "env", "statefulset/part", "A=2", *n)
    out = cluster.kubectl("rollout", "status", "statefulset/part", "--timeout=60s", *n)
    assert "partitioned roll out complete: 1 new pods have been updated" in out
    env = {name: "env" in pod["spec"]["containers"][0] for name, pod in pods(cluster, n).items()}
    assert env == {"part-0": False, "part-1": True}


# DaemonSets

def test_daemonset_runs_rolls_and_rolls_back(cluster, namespace):
    n = ("-n", namespace)
    cluster.apply(manifest("DaemonSet", "agent", {
        "selector": {"matchLabels": {"app": "agent"}}, "template": template("agent")}), *n)
    cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s", *n)
    nodes = [node["metadata"]["name"] for node in cluster.get("nodes")["items"]]
    first = pods(cluster, n)
    assert sorted(p["spec"]["nodeName"] for p in first.values()) == sorted(nodes)
    row = cluster.kubectl("get", "ds", "agent", *n).splitlines()
    assert row[0].split() == ["NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE", "SELECTOR", "AGE"]
    assert row[1].split()[:7] == ["agent", *[str(len(nodes))] * 5, "<none>"]
    cluster.kubectl("set", "env", "daemonset/agent", "A=2", *n)
    cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s", *n)
    assert all("env" in p["spec"]["containers"][0] for p in pods(cluster, n).values())
    cluster.kubectl("rollout", "undo", "daemonset/agent", *n)
    cluster.kubectl("rollout", "status", "daemonset/agent", "--timeout=60s", *n)
    history = cluster.kubectl("rollout", "history", "daemonset/agent", *n)
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["2", "3"]
    assert "Desired Number of Nodes Scheduled: 1" in cluster.kubectl("describe", "ds", "agent", *n)
    cluster.kubectl("patch", "ds", "agent", *n, "-p",
                    '{"spec":{"template":{"spec":{"nodeSelector":{"no":"where"}}}}}')
    wait_for(lambda: not pods(cluster, n), what="the pods to leave nodes that are not selected")


# Disruption budgets

def test_drain_waits_for_the_budget(cluster, namespace):
    n = ("-n", namespace)
    # Drain looks at all namespaces: a label that no other test has, whose pods may be on their way out.
    cluster.kubectl("create", "deployment", "shy", "--image=x", "--replicas=2", *n, "--", "sleep", "3600")
    cluster.kubectl("create", "pdb", "keep", "--selector=app=shy", "--min-available=2", *n)
    cluster.kubectl("rollout", "status", "deployment/shy", "--timeout=60s", *n)
    wait_for(lambda: cluster.get("pdb", "keep", *n)["status"].get("currentHealthy") == 2, what="two healthy pods")
    name = next(iter(pods(cluster, n)))
    eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}})
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    refused = cluster.kubectl("create", "--raw", path, "-f", "-", input=eviction, check=False)
    assert "Cannot evict pod as it would violate the pod's disruption budget." in refused.stderr
    assert name in pods(cluster, n)
    assert cluster.kubectl("get", "pdb", "keep", *n).splitlines()[1].split()[:4] == ["keep", "2", "N/A", "0"]
    assert "Allowed disruptions:  0" in cluster.kubectl("describe", "pdb", "keep", *n)
    cluster.kubectl("patch", "pdb", "keep", *n, "-p", '{"spec":{"minAvailable":1}}')
    wait_for(lambda: cluster.get("pdb", "keep", *n)["status"]["disruptionsAllowed"] == 1, what="one to be allowed")
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    drain = cluster.popen("drain", node, "--pod-selector=app=shy", "--timeout=60s")
    try:
        # The replacement has nowhere to go, so that only one of the two may be evicted; kubectl tries the other again.
        refusals, said = 0, []
        while refusals < 2 and (line := drain.stdout.readline()):
            said.append(line)
            refusals += "Cannot evict pod" in line
        assert refusals == 2, said
        wait_for(lambda: cluster.get("pdb", "keep", *n)["status"]["currentHealthy"] == 1, what="one to be evicted")
    finally:
        drain.kill()
        drain.wait()
        cluster.kubectl("uncordon", node)
    cluster.kubectl("rollout", "status", "deployment/shy", "--timeout=60s", *n)


# ReplicationControllers and cascades

def test_replication_controller_scales_and_lets_go(cluster, namespace):
    n = ("-n", namespace)
    cluster.apply(manifest("ReplicationController", "rc", {
        "replicas": 2, "selector": {"app": "rc"}, "template": template("rc")}, "v1"), *n)
    wait_for(lambda: cluster.get("rc", "rc", *n)["status"].get("readyReplicas") == 2, what="two ready pods")
    assert cluster.kubectl("get", "rc", "rc", *n).splitlines()[1].split()[:4] == ["rc", "2", "2", "2"]
    cluster.kubectl("scale", "rc/rc", "--replicas=1", *n)
    wait_for(lambda: len(pods(cluster, n)) == 1, what="one pod")
    scale = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/replicationcontrollers/rc/scale"))
    assert scale["status"]["selector"] == "app=rc" and scale["spec"]["replicas"] == 1
    name = next(iter(pods(cluster, n)))
    cluster.kubectl("label", "pod", name, "app=free", "--overwrite", *n)
    wait_for(lambda: not cluster.get("pod", name, *n)["metadata"].get("ownerReferences"), what="the pod to be let go")
    wait_for(lambda: len(pods(cluster, n, "app=rc")) == 1, what="another pod")
    cluster.kubectl("delete", "rc", "rc", *n)
    wait_for(lambda: sorted(pods(cluster, n)) == [name], what="its pod to go with it")


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_cascades(cluster, namespace, cascade):
    n = ("-n", namespace)
    cluster.kubectl("create", "deployment", "web", "--image=x", "--replicas=2", *n, "--", "sleep", "3600")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    cluster.kubectl("delete", "deployment", "web", f"--cascade={cascade}", *n)
    assert not cluster.get("deployments", *n)["items"]
    if cascade == "orphan":
        left = cluster.get("rs", *n)["items"]
        assert len(left) == 1 and "ownerReferences" not in left[0]["metadata"] and len(pods(cluster, n)) == 2
        return
    if cascade == "foreground":
        assert not cluster.get("rs", *n)["items"] and not cluster.get("pods", *n)["items"]
    wait_for(lambda: not cluster.get("rs", *n)["items"] and not pods(cluster, n), what="what depends on it to go")


def test_job_keeps_its_pods_unless_the_client_says_otherwise(cluster, namespace):
    n = ("-n", namespace)
    cluster.apply(job("kept", "true"), *n)
    finished(cluster, "kept", n)
    out = cluster.kubectl("delete", "--raw", f"/apis/batch/v1/namespaces/{namespace}/jobs/kept", check=False)
    assert "child pods are preserved by default when jobs are deleted" in out.stderr
    wait_for(lambda: not cluster.get("jobs", *n)["items"], what="the job to go")
    left = pods(cluster, n)
    assert len(left) == 1 and all("ownerReferences" not in p["metadata"] for p in left.values())

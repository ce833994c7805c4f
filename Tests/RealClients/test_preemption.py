# SPDX-License-Identifier: Apache-2.0
"""Pods of high priority take the place of others, with kubectl on the real platform."""
import json

import pytest

from conftest import wait_for


def pod(name, priority, cpu, grace=0, command=("sleep", "3600"), **labels):
    return json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"test": "preemption", **labels}},
        "spec": {"priorityClassName": priority, "terminationGracePeriodSeconds": grace, "containers": [
            {"name": "c", "image": "x", "command": list(command), "resources": {"requests": {"cpu": f"{cpu}m"}}}]}})


@pytest.fixture(scope="module")
def free(cluster):
    """Priority classes, and how much cpu the node has to give, in thousandths of a core."""
    for name, value, policy in [("low", 10, "PreemptLowerPriority"), ("middle", 100, "PreemptLowerPriority"),
                                ("high", 1000, "PreemptLowerPriority"), ("patient", 1000, "Never")]:
        cluster.kubectl("create", "priorityclass", name, f"--value={value}", f"--preemption-policy={policy}")
    stated = cluster.get("nodes")["items"][0]["status"]["allocatable"]["cpu"]
    return int(stated[:-1]) if stated.endswith("m") else int(float(stated) * 1000)


@pytest.fixture
def n(cluster, free, namespace):
    """Options for a namespace of the test's own; its pods have gone when the next test starts."""
    yield "-n", namespace
    cluster.kubectl("delete", "pods", "--all", "-n", namespace, "--grace-period=0", "--force")


def jsonpath(cluster, n, name, path):
    return cluster.kubectl("get", "pod", name, *n, "-o", f"jsonpath={{{path}}}")


def runs(cluster, n, *names):
    wait_for(lambda: all(jsonpath(cluster, n, name, ".status.phase") == "Running" for name in names),
             what=f"{names} to run")


def scheduled(obj):
    return {c["type"]: c for c in obj["status"].get("conditions", [])}.get("PodScheduled", {})


def test_a_pod_takes_the_place_of_the_least_important(cluster, free, n, tmp_path):
    third = free // 3
    # Told to go, it stays until it may leave, so that the states between can be seen.
    leave = tmp_path / "leave"
    stays = ("sh", "-c",
             f"trap 'while [ ! -e {leave} ]; do sleep 0.1; done; exit 0' TERM; while :; do sleep 0.1; done")
    for name, priority in [("least", "low"), ("one", "middle"), ("other", "middle")]:
        cluster.apply(pod(name, priority, third, grace=600, command=stays), *n)
    runs(cluster, n, "least", "one", "other")
    cluster.apply(pod("urgent", "high", third), *n)
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    wait_for(lambda: jsonpath(cluster, n, "urgent", ".status.nominatedNodeName") == node, what="the nomination")
    assert node in cluster.kubectl("get", "pod", "urgent", *n, "-o", "wide")
    victim = wait_for(lambda: next((p for p in cluster.get("pods", *n)["items"]
                                    if p["metadata"]["name"] == "least" and "deletionTimestamp" in p["metadata"]), None),
                      what="the victim to be told to go")
    assert victim["metadata"]["deletionGracePeriodSeconds"] == 600
    condition = {c["type"]: c for c in victim["status"]["conditions"]}["DisruptionTarget"]
    assert (condition["status"], condition["reason"]) == ("True", "PreemptionByScheduler")
    assert condition["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
    # The room is not for what comes later and is worth less.
    cluster.apply(pod("later", "middle", third), *n)
    leave.touch()
    runs(cluster, n, "urgent", "one", "other")
    assert jsonpath(cluster, n, "urgent", ".status.nominatedNodeName") == ""
    wait_for(lambda: "least" not in cluster.kubectl("get", "pods", *n, "-o", "name"), what="the victim to be gone")
    assert jsonpath(cluster, n, "later", ".spec.nodeName") == ""
    uid = jsonpath(cluster, n, "urgent", ".metadata.uid")
    events = cluster.get("events", *n)["items"]
    assert [(e["type"], e["message"], e["involvedObject"]["name"]) for e in events if e["reason"] == "Preempted"] == [
        ("Normal", f"Preempted by pod {uid} on node {node}", "least")]
    assert "Insufficient cpu" in next(e["message"] for e in events if e["reason"] == "FailedScheduling"
                                      and e["involvedObject"]["name"] == "urgent")


def test_a_pod_that_never_preempts_waits(cluster, free, n):
    cluster.apply(pod("holder", "low", free * 2 // 3), *n)
    runs(cluster, n, "holder")
    for name, priority in [("patient", "patient"), ("equal", "low")]:
        cluster.apply(pod(name, priority, free * 2 // 3), *n)
    wait_for(lambda: all(scheduled(cluster.get("pod", name, *n)) for name in ["patient", "equal"]), what="the refusals")
    said = {name: scheduled(cluster.get("pod", name, *n))["message"] for name in ["patient", "equal"]}
    assert said["patient"] == ("0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to "
                               "preemptionPolicy=Never.")
    assert said["equal"] == ("0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No "
                             "preemption victims found for incoming pod.")
    assert jsonpath(cluster, n, "patient", ".status.nominatedNodeName") == ""
    assert jsonpath(cluster, n, "holder", ".metadata.deletionTimestamp") == ""
    assert "not eligible due to preemptionPolicy=Never." in cluster.kubectl("describe", "pod", "patient", *n)
    # It comes before others all the same.
    cluster.kubectl("delete", "pod", "holder", *n)
    runs(cluster, n, "patient")
    assert jsonpath(cluster, n, "equal", ".spec.nodeName") == ""


def test_what_a_budget_protects_goes_last(cluster, free, n):
    cluster.kubectl("create", "poddisruptionbudget", "db", "--selector=app=db", "--min-available=1", *n)
    cluster.apply(pod("protected", "low", free // 2 - 1, app="db"), *n)
    cluster.apply(pod("free", "middle", free // 2 - 1, app="web"), *n)
    runs(cluster, n, "protected", "free")
    wait_for(lambda: cluster.get("pdb", "db", *n).get("status", {}).get("currentHealthy") == 1, what="the budget")
    cluster.apply(pod("urgent", "high", free // 2 - 1), *n)
    runs(cluster, n, "urgent", "protected")
    wait_for(lambda: "free" not in [p["metadata"]["name"] for p in cluster.get("pods", *n)["items"]],
             what="the victim to be gone")
    runs(cluster, n, "urgent", "protected")


def test_what_no_removal_helps_removes_nobody(cluster, free, n):
    cluster.apply(pod("holder", "low", free // 2), *n)
    runs(cluster, n, "holder")
    cluster.apply(pod("giant", "high", free * 2), *n)
    message = wait_for(lambda: scheduled(cluster.get("pod", "giant", *n)).get("message"), what="the refusal")
    assert message == ("0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption "
                       "is not helpful for scheduling.")
    assert jsonpath(cluster, n, "holder", ".metadata.deletionTimestamp") == ""

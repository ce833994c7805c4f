# SPDX-License-Identifier: Apache-2.0
"""Cordon, taint and drain, driven by kubectl."""
from conftest import wait_for

POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: host, command: [sleep, "600"]}]
  tolerations: %s
"""


def names(cluster, namespace):
    return sorted(cluster.kubectl("-n", namespace, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}").split())


def running(cluster, namespace, count):
    wait_for(lambda: cluster.kubectl("-n", namespace, "get", "pods", "-o", "jsonpath={.items[*].status.phase}").split()
             == ["Running"] * count, 30, f"{count} running pods")


def test_cordon(cluster, namespace):
    """A cordoned node gets the taint and no new pods; uncordoned it takes those that waited."""
    assert "cordoned" in cluster.kubectl("cordon", "apus")
    wait_for(lambda: "node.kubernetes.io/unschedulable:NoSchedule" in cluster.kubectl("describe", "node", "apus"),
             what="the taint of a cordoned node")
    assert "SchedulingDisabled" in cluster.kubectl("get", "node", "apus")
    cluster.apply(POD % ("waits", "x", "[]"), "-n", namespace)
    wait_for(lambda: "FailedScheduling" in cluster.kubectl("-n", namespace, "get", "events"), what="the refusal")
    cluster.kubectl("uncordon", "apus")
    running(cluster, namespace, 1)
    wait_for(lambda: "unschedulable" not in cluster.kubectl("get", "node", "apus", "-o", "jsonpath={.spec.taints}"),
             what="the taint to go")


def test_taint_evicts(cluster, namespace):
    """NoExecute takes pods away at once, after their time, or never."""
    forever = "[{key: gone, operator: Exists, effect: NoExecute}]"
    shortly = "[{key: gone, operator: Equal, value: yes, effect: NoExecute, tolerationSeconds: 1}]"
    for name, tolerations in [("now", "[]"), ("soon", shortly.replace("yes", '"yes"')), ("never", forever)]:
        cluster.apply(POD % (name, "x", tolerations), "-n", namespace)
    running(cluster, namespace, 3)
    try:
        assert "tainted" in cluster.kubectl("taint", "node", "apus", "gone=yes:NoExecute")
        wait_for(lambda: names(cluster, namespace) == ["never"], 30, "two pods to be evicted")
    finally:
        cluster.kubectl("taint", "node", "apus", "gone:NoExecute-")
    wait_for(lambda: f"Marking for deletion Pod {namespace}/soon" in cluster.kubectl(
        "-n", namespace, "get", "events", "--field-selector", "reason=TaintManagerEviction"), what="the event")


def test_taint_keeps_off(cluster, namespace):
    cluster.kubectl("taint", "node", "apus", "only=mine:NoSchedule")
    try:
        cluster.apply(POD % ("other", "x", "[]"), "-n", namespace)
        wait_for(lambda: "had untolerated taint {only: mine}" in cluster.kubectl("-n", namespace, "get", "events"),
                 what="the refusal")
        cluster.apply(POD % ("mine", "x", "[{key: only, operator: Exists}]"), "-n", namespace)
        wait_for(lambda: cluster.kubectl(
            "-n", namespace, "get", "pod", "mine", "-o", "jsonpath={.status.phase}") == "Running",
            what="the pod that tolerates it to run")
    finally:
        cluster.kubectl("taint", "node", "apus", "only-")
    running(cluster, namespace, 2)


def test_drain(cluster, namespace):
    """Drain cordons the node and evicts what runs there."""
    cluster.apply(POD % ("a", "drained", "[]"), "-n", namespace)
    running(cluster, namespace, 1)
    refused = cluster.kubectl("drain", "apus", "--pod-selector=app=drained", check=False)
    assert refused.returncode != 0 and "cannot delete" in refused.stderr
    try:
        said = cluster.kubectl("drain", "apus", "--pod-selector=app=drained", "--force", "--timeout=30s")
        assert "node/apus drained" in said
        assert names(cluster, namespace) == []
    finally:
        cluster.kubectl("uncordon", "apus")

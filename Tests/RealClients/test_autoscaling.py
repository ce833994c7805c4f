# SPDX-License-Identifier: Apache-2.0
"""`kubectl top`, `kubectl autoscale`, and a workload that grows with what it uses."""
import json
import os
import re
import shutil

import pytest

from conftest import new_cluster, wait_for

# So small a request that the pod uses more even where the machine is busy and gives it just its share.
BURN = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: burn}
spec:
  replicas: 1
  selector: {matchLabels: {app: burn}}
  template:
    metadata: {labels: {app: burn}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: host
          command: [sh, -c, "while :; do :; done"]
          resources: {requests: {cpu: 1m, memory: 8Mi}}
        - name: side
          image: host
          command: [sleep, "600"]
          resources: {requests: {cpu: 1m, memory: 8Mi}}
"""


@pytest.fixture(scope="module")
def cluster(request):
    """A platform that looks at what pods use, and at its autoscalers, every second."""
    os.environ["APUS_METRIC_RESOLUTION"] = "1"
    os.environ["APUS_HORIZONTAL_POD_AUTOSCALER_SYNC_PERIOD"] = "1"
    try:
        cluster, folder = new_cluster()
        cluster.start()
    finally:
        del os.environ["APUS_METRIC_RESOLUTION"], os.environ["APUS_HORIZONTAL_POD_AUTOSCALER_SYNC_PERIOD"]
    wait_for(lambda: "True" in cluster.kubectl(
        "get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"),
        what="the node to be Ready")
    yield cluster
    cluster.down()
    if not request.session.testsfailed:
        shutil.rmtree(folder, ignore_errors=True)


def condition(autoscaler, kind):
    for entry in autoscaler.get("status", {}).get("conditions", []):
        if entry["type"] == kind:
            return f"{entry['status']} {entry['reason']}"
    return None


def test_burning_pod_scales_out_and_back(cluster, namespace):
    """A pod that burns CPU is joined by others up to the limit; by kubectl top one sees why."""
    cluster.apply(BURN, "-n", namespace)
    cluster.kubectl("-n", namespace, "autoscale", "deployment", "burn", "--min=1", "--max=3", "--cpu=50%")
    get = lambda: cluster.get("-n", namespace, "hpa", "burn")  # noqa: E731
    wait_for(lambda: get()["status"].get("desiredReplicas") == 3, 60, "the autoscaler to want 3 replicas")
    wait_for(lambda: cluster.get("-n", namespace, "deployment", "burn")["status"].get("readyReplicas") == 3, 30,
             "3 ready pods")
    found = get()
    assert found["apiVersion"] == "autoscaling/v2"
    assert condition(found, "AbleToScale").startswith("True ")
    assert condition(found, "ScalingActive") == "True ValidMetricFound"
    assert found["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"] > 50
    assert "lastScaleTime" in found["status"]
    events = cluster.kubectl("-n", namespace, "get", "events", "--field-selector", "reason=SuccessfulRescale")
    assert "reason: cpu resource utilization (percentage of request) above target" in events
    header = cluster.kubectl("-n", namespace, "get", "hpa").splitlines()[0]
    assert header.split() == ["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"]
    wait_for(lambda: re.match(r"burn +Deployment/burn +cpu: \d+%/50% +1 +3 +3 ", cluster.kubectl(
        "-n", namespace, "get", "hpa", "--no-headers")), 30, "the row to show 3 replicas")
    assert "ValidMetricFound" in cluster.kubectl("-n", namespace, "describe", "hpa", "burn")

    def top():
        result = cluster.kubectl("-n", namespace, "top", "pod", check=False)
        return result.returncode == 0 and len(result.stdout.splitlines()) == 4 and result.stdout

    text = wait_for(top, 30, "metrics of all pods")
    assert text.splitlines()[0].split() == ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    assert all(re.match(r"burn-\S+ +\d+m +\d+Mi", line) for line in text.splitlines()[1:])

    def told_apart():
        """To start costs something, too: what idles uses less than what burns only once that is over."""
        containers = cluster.kubectl("-n", namespace, "top", "pod", "--containers", "--no-headers").splitlines()
        assert sorted(line.split()[1] for line in containers) == ["main"] * 3 + ["side"] * 3
        busy, idle = ([int(line.split()[2].removesuffix("m")) for line in containers if line.split()[1] == name]
                      for name in ("main", "side"))
        return min(busy) > max(idle)

    wait_for(told_apart, 30, "the containers that burn to use more than those that idle")
    selected = cluster.kubectl("-n", namespace, "top", "pod", "-l", "app=burn", "--no-headers").splitlines()
    assert len(selected) == 3
    # A lower limit is kept to at once.
    cluster.kubectl("-n", namespace, "patch", "hpa", "burn", "--type=merge", "-p", '{"spec":{"maxReplicas":2}}')
    wait_for(lambda: cluster.get("-n", namespace, "deployment", "burn")["spec"]["replicas"] == 2, 30, "2 replicas")


def test_top_node(cluster):
    header, row = wait_for(
        lambda: (text := cluster.kubectl("top", "node", check=False).stdout.splitlines()) and len(text) == 2 and text,
        30, "metrics of the node")
    assert header.split() == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
    assert re.match(r"apus +\d+m +\d+% +\d+Mi +\d+%", row)
    raw = json.loads(cluster.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes/apus"))
    assert raw["kind"] == "NodeMetrics" and raw["usage"]["cpu"].endswith("n") and raw["window"].endswith("s")
    refused = cluster.kubectl("delete", "nodes.metrics.k8s.io", "apus", check=False)
    assert "MethodNotAllowed" in refused.stderr


def test_versions(cluster, namespace):
    """autoscaling/v1 and v2 are two forms of one object; what v1 has no fields for is in annotations."""
    cluster.apply("""
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: old}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: none}
  minReplicas: 2
  maxReplicas: 9
  targetCPUUtilizationPercentage: 70
""", "-n", namespace)
    new = cluster.get("-n", namespace, "hpa", "old")
    assert new["apiVersion"] == "autoscaling/v2"
    assert new["spec"]["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]
    metrics = [{"type": "Pods", "pods": {"metric": {"name": "hits"},
                                         "target": {"type": "AverageValue", "averageValue": "10"}}}]
    patch = json.dumps({"spec": {"metrics": new["spec"]["metrics"] + metrics, "behavior": {"scaleDown": {
        "stabilizationWindowSeconds": 10}}}})
    cluster.kubectl("-n", namespace, "patch", "hpa", "old", "--type=merge", "-p", patch)
    old = cluster.get("-n", namespace, "horizontalpodautoscalers.v1.autoscaling", "old")
    assert old["apiVersion"] == "autoscaling/v1" and old["spec"]["targetCPUUtilizationPercentage"] == 70
    annotations = old["metadata"]["annotations"]
    assert json.loads(annotations["autoscaling.alpha.kubernetes.io/metrics"]) == [
        {"type": "Pods", "pods": {"metricName": "hits", "targetAverageValue": "10"}}]
    behavior = json.loads(annotations["autoscaling.alpha.kubernetes.io/behavior"])
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 10
    assert behavior["scaleUp"]["policies"][0] == {"type": "Pods", "value": 4, "periodSeconds": 15}
    cluster.kubectl("-n", namespace, "label", "horizontalpodautoscalers.v1.autoscaling", "old", "touched=yes")
    kept = cluster.get("-n", namespace, "hpa", "old")
    assert [metric["type"] for metric in kept["spec"]["metrics"]] == ["Resource", "Pods"]
    assert kept["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 10
    assert "autoscaling.alpha.kubernetes.io/metrics" not in kept["metadata"].get("annotations", {})


def test_refused(cluster, namespace):
    result = cluster.kubectl("-n", namespace, "apply", "-f", "-", check=False, input="""
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: bad}
spec:
  scaleTargetRef: {kind: Deployment, name: x}
  minReplicas: 5
  maxReplicas: 2
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization}}}]
  behavior: {scaleUp: {stabilizationWindowSeconds: 4000}}
""")
    for text in [
        "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`",
        "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a "
        "target utilization",
        "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600",
    ]:
        assert text in result.stderr


def test_custom_resource(cluster, namespace):
    """Anything with a scale subresource is scaled: here a kind of a CustomResourceDefinition."""
    cluster.apply("""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fleets.scaling.example.com}
spec:
  group: scaling.example.com
  scope: Namespaced
  names: {plural: fleets, singular: fleet, kind: Fleet}
  versions:
    - name: v1
      served: true
      storage: true
      subresources:
        status: {}
        scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size, labelSelectorPath: .status.selector}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer}}}
            status: {type: object, properties: {size: {type: integer}, selector: {type: string}}}
""")
    try:
        cluster.kubectl("wait", "crd/fleets.scaling.example.com", "--for=condition=Established", "--timeout=20s")
        cluster.apply("apiVersion: scaling.example.com/v1\nkind: Fleet\nmetadata: {name: f}\nspec: {size: 1}\n",
                      "-n", namespace)
        cluster.apply("""
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: f}
spec:
  scaleTargetRef: {apiVersion: scaling.example.com/v1, kind: Fleet, name: f}
  minReplicas: 3
  maxReplicas: 5
  metrics: [{type: External, external: {metric: {name: lag}, target: {type: AverageValue, averageValue: "5"}}}]
""", "-n", namespace)
        wait_for(lambda: cluster.get("-n", namespace, "fleet", "f")["spec"]["size"] == 3, 30, "the fleet to have 3")
        wait_for(lambda: condition(cluster.get("-n", namespace, "hpa", "f"), "ScalingActive")
                 == "False InvalidSelector", 30, "the autoscaler to miss a selector")
        cluster.kubectl("-n", namespace, "patch", "fleet", "f", "--subresource=status", "--type=merge", "-p",
                        '{"status":{"selector":"app=f","size":3}}')
        wait_for(lambda: condition(cluster.get("-n", namespace, "hpa", "f"), "ScalingActive")
                 == "False FailedGetExternalMetric", 30, "the autoscaler to miss the metric")
    finally:
        cluster.kubectl("delete", "crd", "fleets.scaling.example.com", "--wait=false")

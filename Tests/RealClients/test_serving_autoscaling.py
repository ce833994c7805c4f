# SPDX-License-Identifier: Apache-2.0
"""Replicas that follow requests and triggers: a step of traffic, from zero through a gateway and back, ScaledObjects.

Decisions are recomputed by kpa_reference.py, an implementation of Knative's formulas of its own."""
import datetime
import http.server
import json
import os
import threading
import time
import uuid

import pytest
import requests
from kubernetes import client, config

from conftest import running_cluster, wait_for
from kpa_reference import KPA
from events_fixture import Broker, new_topic
from scaling_fixture import (IS_KPA, KPA as PREFIX, LONG, ToldLoad, apply_kinds, autoscaler, deployment, free_port,
                             gateway, service)

GROUP = "gateway.networking.k8s.io"
SLEEP = ["sleep", "3600"]


@pytest.fixture(scope="module")
def cluster(request):
    """A platform that looks at what pods use every second."""
    os.environ["APUS_METRIC_RESOLUTION"] = "1"
    try:
        yield from running_cluster(request)
    finally:
        del os.environ["APUS_METRIC_RESOLUTION"]


@pytest.fixture(scope="module")
def told():
    load = ToldLoad()
    yield load
    load.stop()


@pytest.fixture(scope="module")
def scaled(cluster, told):
    """A platform with a gateway, a gateway that is told by tests, and the autoscaler."""
    apply_kinds(cluster)
    cluster.kubectl("create", "namespace", "knative-serving")
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config-autoscaler", "namespace": "knative-serving"},
        "data": {"scale-to-zero-grace-period": "1s"}}))
    cluster.apply(json.dumps({"apiVersion": f"{GROUP}/v1", "kind": "GatewayClass", "metadata": {"name": "apus"},
                              "spec": {"controllerName": "serving.apus.dev/gateway"}}))
    cluster.gateway = gateway(cluster).start()
    cluster.autoscaler = autoscaler(cluster, "--gateway", told.url).start()
    yield cluster
    cluster.autoscaler.stop()
    cluster.gateway.stop()


def replicas(cluster, namespace, name):
    return int(cluster.kubectl("get", "deployment", name, "-n", namespace, "-o", "jsonpath={.spec.replicas}") or 0)


def ready(cluster, namespace, name):
    return int(cluster.kubectl("get", "deployment", name, "-n", namespace, "-o",
                               "jsonpath={.status.readyReplicas}") or 0)


def check(decisions):
    """Every decision follows from what it says was seen, by the reference; `decisions` are all of one Deployment."""
    first = decisions[0]
    reference = KPA(target=first["target"], window=int(first["window"]), total=first["total"], low=first["minimum"],
                    high=first["maximum"], ready=0)
    # It may have begun with several pods, so in panic with their number.
    reference.panic_time, reference.max_panic = first.get("panicSince"), first["panicPods"]
    for d in decisions:
        made = reference.judge(d["now"], d["ready"], d["stable"], d["panic"])
        for field in ["stableWant", "panicWant", "isPanicking", "want", "excessBurst"]:
            assert made[field] == d[field], (field, made, d)


def test_from_zero(scaled):
    """Requests at a Service without pods are held until there is one."""
    port, name, namespace = free_port(), "zero", "from-zero"
    scaled.kubectl("create", "namespace", namespace)
    scaled.apply(deployment(name, 0, {**IS_KPA, PREFIX + "window": "6s", "serving.apus.dev/service": name}), "-n",
                 namespace)
    scaled.apply(service(name, {"serving.apus.dev/scale-from-zero": "true"}), "-n", namespace)
    scaled.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "Gateway", "metadata": {"name": "gw", "namespace": namespace},
        "spec": {"gatewayClassName": "apus", "listeners": [{"name": "main", "port": port, "protocol": "HTTP"}]}}))
    scaled.apply(json.dumps({
        "apiVersion": f"{GROUP}/v1", "kind": "HTTPRoute", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": name, "port": 80}]}]}}))
    scaled.kubectl("wait", "-n", namespace, "--for=condition=Programmed", "gateway/gw", "--timeout=60s")

    def routed():
        parents = scaled.get("httproute", "web", "-n", namespace).get("status", {}).get("parents", [])
        return parents and parents[0]["conditions"][0]["status"] == "True"

    wait_for(routed, what="the route to be accepted")
    time.sleep(1)
    assert replicas(scaled, namespace, name) == 0
    begin = time.monotonic()
    answers, threads = [], []
    for _ in range(20):
        threads.append(threading.Thread(target=lambda: answers.append(
            requests.get(f"http://127.0.0.1:{port}/v2", timeout=90).status_code)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    print(f"from zero in {time.monotonic() - begin:.3f} s")
    assert answers == [200] * 20
    # It may be back at zero by now.
    wait_for(lambda: f"{namespace}/{name} from 0 to 1 replicas" in scaled.autoscaler.logged(), what="the way up's log")


def test_a_step_of_traffic(scaled, told, namespace):
    """3 → 30 → 3 (or 1 → 6 → 1 where it has to be short), of pods that only sleep."""
    low, high, step = (3, 30, 42.0) if LONG else (1, 6, 8.0)
    name = "step-" + namespace
    scaled.apply(deployment(name, low, {
        **IS_KPA, PREFIX + "target": "2", PREFIX + "min-scale": str(low), PREFIX + "max-scale": str(high),
        PREFIX + "window": "6s", "serving.apus.dev/service": "step"}, command=SLEEP, serves=False), "-n", namespace)
    wait_for(lambda: ready(scaled, namespace, name) == low, what="the first pods")
    told.set(namespace, "step", 1.0)
    wait_for(lambda: scaled.autoscaler.decisions(name), what="a decision")
    told.set(namespace, "step", step)
    wait_for(lambda: ready(scaled, namespace, name) == high, seconds=120, what=f"{high} replicas")
    told.set(namespace, "step", 1.0)
    wait_for(lambda: replicas(scaled, namespace, name) == low, seconds=120, what=f"{low} replicas again")
    decisions = scaled.autoscaler.decisions(name)
    check(decisions)
    # What was told is what was seen.
    assert max(d["panic"] for d in decisions) == pytest.approx(step, rel=0.2)
    assert max(d["want"] for d in decisions) == high and decisions[-1]["want"] == low
    events = scaled.get("events", "-n", namespace, "--field-selector", "reason=ScaledByRequests")["items"]
    assert any("requests at a time in 6 s" in e["message"] and "target 1.4" in e["message"] for e in events)


def test_a_restart_takes_no_pods(scaled, told, namespace):
    name = "kept-" + namespace
    scaled.apply(deployment(name, 2, {
        **IS_KPA, PREFIX + "target": "1", PREFIX + "window": "6s", "serving.apus.dev/service": "kept"},
        command=SLEEP, serves=False), "-n", namespace)
    told.set(namespace, "kept", 1.2)
    # What was told first may be a part of a second, which wants one.
    wait_for(lambda: ready(scaled, namespace, name) == replicas(scaled, namespace, name) == 2 and [
        d["want"] for d in scaled.autoscaler.decisions(name)][-1:] == [2], what="two pods that are wanted")
    scaled.autoscaler.stop()
    before = len(scaled.autoscaler.decisions(name))
    scaled.autoscaler.start()
    wait_for(lambda: len(scaled.autoscaler.decisions(name)) > before + 1, what="decisions of the new autoscaler")
    assert {d["want"] for d in scaled.autoscaler.decisions(name)[before:]} == {2}


def test_settings_of_all_hold_at_once(scaled, told, namespace):
    name = "set-" + namespace

    def settings(data):
        scaled.kubectl("patch", "configmap", "config-autoscaler", "-n", "knative-serving", "--type=merge", "-p",
                       json.dumps({"data": data}))

    scaled.apply(deployment(name, 1, {**IS_KPA, PREFIX + "min-scale": "1", "serving.apus.dev/service": "set"},
                            command=SLEEP, serves=False), "-n", namespace)
    told.set(namespace, "set", 1.0)
    wait_for(lambda: [d["target"] for d in scaled.autoscaler.decisions(name)][-1:] == [70.0], what="Knative's default")
    settings({"container-concurrency-target-default": "50"})
    wait_for(lambda: scaled.autoscaler.decisions(name)[-1]["target"] == 35.0, what="the new default")
    settings({"container-concurrency-target-default": None})


def test_annotations_that_are_wrong_are_told(scaled, namespace):
    scaled.apply(deployment("odd", 1, {**IS_KPA, PREFIX + "window": "1s"}, command=SLEEP, serves=False), "-n", namespace)
    wait_for(lambda: scaled.get("events", "-n", namespace, "--field-selector", "reason=InvalidScaling")["items"],
             what="the event")


# MARK: ScaledObjects


def scaled_object(cluster, namespace, target, triggers, **spec):
    cluster.apply(json.dumps({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": target},
        "spec": {"scaleTargetRef": {"name": target}, "pollingInterval": 1, "cooldownPeriod": 1,
                 "triggers": triggers, **spec}}), "-n", namespace)


def status(cluster, namespace, name):
    custom = client.CustomObjectsApi(config.new_client_from_config(cluster.kubeconfig))
    found = custom.get_namespaced_custom_object("keda.sh", "v1alpha1", namespace, "scaledobjects", name)
    return found.get("status", {})


def condition(status, kind):
    found = next((c for c in status.get("conditions", []) if c["type"] == kind), None)
    return found and f"{found['status']} {found['reason']}"


class Prometheus:
    """A Prometheus API that gives the value that a test sets; None: it fails."""

    def __init__(self):
        self.value, self.queries, prometheus = "0", [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                prometheus.queries.append(self.path)
                result = {"status": "success", "data": {"resultType": "vector", "result": [
                    {"metric": {}, "value": [time.time(), prometheus.value]}]}}
                body = json.dumps(result).encode()
                self.send_response(200 if prometheus.value is not None else 500)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def test_a_query_scales(scaled, namespace):
    prometheus = Prometheus()
    scaled.apply(deployment("web", 0, command=SLEEP, serves=False), "-n", namespace)
    scaled_object(scaled, namespace, "web", [{"type": "prometheus", "metadata": {
        "serverAddress": prometheus.url, "query": "sum(rate(x[1m]))", "threshold": "10", "activationThreshold": "5"}}],
        maxReplicaCount=4, fallback={"failureThreshold": 2, "replicas": 4},
        advanced={"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}})
    wait_for(lambda: condition(status(scaled, namespace, "web"), "Active") == "False ScalerNotActive", what="a look")
    assert "query=sum%28rate%28x%5B1m%5D%29%29" in prometheus.queries[0]
    prometheus.value = "31"
    wait_for(lambda: replicas(scaled, namespace, "web") == 4, what="31 of 10 a pod to be 4 pods")
    # Statuses and events come after what they tell of.
    found = wait_for(lambda: condition(s := status(scaled, namespace, "web"), "Active") == "True ScalerActive" and s,
                     what="the activity to be said")
    assert found["externalMetricNames"] == ["s0-prometheus"]
    assert "HorizontalPodAutoscaler" in next(c for c in found["conditions"] if c["type"] == "Ready")["message"]
    prometheus.value = "12"
    wait_for(lambda: replicas(scaled, namespace, "web") == 2, what="12 of 10 a pod to be 2 pods")
    prometheus.value = None
    wait_for(lambda: condition(status(scaled, namespace, "web"), "Fallback") == "True FallbackExists", what="fallback")
    wait_for(lambda: replicas(scaled, namespace, "web") == 4, what="the fallback's replicas")
    prometheus.value = "0"
    wait_for(lambda: replicas(scaled, namespace, "web") == 0, what="none without activity")
    wait_for(lambda: {"KEDAScaleTargetActivated", "KEDAScaleTargetDeactivated", "SuccessfulRescale", "KEDAScalerFailed"} <= {
        e["reason"] for e in scaled.get("events", "-n", namespace)["items"]}, what="the events")


def test_lag_scales(scaled, namespace):
    from confluent_kafka import Consumer, Producer, TopicPartition
    broker = Broker().start()
    try:
        topic, group = new_topic(broker, partitions=3), "g-" + uuid.uuid4().hex[:8]
        consumer = Consumer({"bootstrap.servers": broker.address, "group.id": group, "log_level": 0})
        consumer.commit(offsets=[TopicPartition(topic, p, 0) for p in range(3)], asynchronous=False)
        scaled.apply(deployment("eats", 0, command=SLEEP, serves=False), "-n", namespace)
        scaled_object(scaled, namespace, "eats", [{"type": "kafka", "metadata": {
            "bootstrapServers": broker.address, "consumerGroup": group, "topic": topic, "lagThreshold": "10"}}])
        wait_for(lambda: condition(status(scaled, namespace, "eats"), "Active") == "False ScalerNotActive", what="a look")
        producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
        for index in range(90):
            producer.produce(topic, b"x", partition=index % 3)
        assert producer.flush(30) == 0
        wait_for(lambda: replicas(scaled, namespace, "eats") == 3, what="a consumer each partition, not 9")
        ends = [TopicPartition(topic, p, consumer.get_watermark_offsets(TopicPartition(topic, p))[1]) for p in range(3)]
        consumer.commit(offsets=ends, asynchronous=False)
        wait_for(lambda: replicas(scaled, namespace, "eats") == 0, what="none without lag")
        consumer.close()
    finally:
        broker.stop()
        broker.clean(keep=False)


def test_what_pods_use_scales(scaled, namespace):
    scaled.apply(deployment("burns", 1, command=["sh", "-c", "while :; do :; done"], serves=False), "-n", namespace)
    scaled_object(scaled, namespace, "burns", [{"type": "cpu", "metricType": "AverageValue",
                                                "metadata": {"value": "5m"}}], minReplicaCount=1, maxReplicaCount=2)
    wait_for(lambda: replicas(scaled, namespace, "burns") == 2, seconds=120, what="more pods, as each uses more")
    found = wait_for(lambda: (s := status(scaled, namespace, "burns")).get("resourceMetricNames") and s, what="a status")
    assert found["resourceMetricNames"] == ["cpu"] and found["externalMetricNames"] == []
    scaled.kubectl("delete", "deployment", "burns", "-n", namespace)


def test_times_pauses_and_refusals(scaled, namespace):
    # From yesterday until the day after tomorrow.
    begin, end = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days) for days in (-1, 2))
    cron = {"type": "cron", "metadata": {"timezone": "UTC", "start": f"0 0 {begin.day} {begin.month} *",
                                         "end": f"0 0 {end.day} {end.month} *", "desiredReplicas": "2"}}
    scaled.apply(deployment("timed", 0, command=SLEEP, serves=False), "-n", namespace)
    scaled_object(scaled, namespace, "timed", [cron])
    wait_for(lambda: replicas(scaled, namespace, "timed") == 2, what="the time's replicas")
    scaled.kubectl("annotate", "scaledobject", "timed", "-n", namespace, "autoscaling.keda.sh/paused-replicas=1")
    wait_for(lambda: replicas(scaled, namespace, "timed") == 1, what="the paused replicas")
    wait_for(lambda: condition(status(scaled, namespace, "timed"), "Paused") == "True ScaledObjectPaused",
             what="the pause to be said")
    scaled_object(scaled, namespace, "nowhere", [cron])
    wait_for(lambda: condition(status(scaled, namespace, "nowhere"), "Ready") == "False ScaledObjectCheckFailed",
             what="the missing target to be said")
    scaled_object(scaled, namespace, "odd", [{"type": "rabbitmq", "metadata": {}}])
    wait_for(lambda: condition(status(scaled, namespace, "odd"), "Ready") == "False ScaledObjectCheckFailed",
             what="the unknown trigger to be said")


def test_and_back_to_zero(scaled):
    """Meanwhile nobody asked what test_from_zero has woken."""
    namespace, name = "from-zero", "zero"
    wait_for(lambda: replicas(scaled, namespace, name) == 0, seconds=120, what="no replicas again")
    check(scaled.autoscaler.decisions(name))

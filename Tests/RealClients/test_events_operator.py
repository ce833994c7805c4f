# SPDX-License-Identifier: Apache-2.0
"""deploy/events on a platform, and KafkaTopic objects as kubectl and kcat see them."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from conftest import APUS, ROOT, wait_for

KCAT = shutil.which("kcat")
N = ["-n", "events"]


class Events:
    """The broker that `kubectl apply -k deploy/events` started, and its operator."""

    def __init__(self, cluster):
        self.cluster = cluster
        spec = cluster.get("service", "events", *N)["spec"]
        self.address = f"{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def topic(self, name):
        """A topic's partitions by kcat; nil when there is none."""
        out = subprocess.run([KCAT, "-b", self.address, "-m", "30", "-L", "-J"], text=True, check=True,
                             capture_output=True, timeout=60).stdout
        found = next((t for t in json.loads(out)["topics"] if t["topic"] == name), None)
        return found and len(found["partitions"])

    def settings(self, name):
        out = subprocess.run([APUS, "events", "topics", "describe", name, "--bootstrap", self.address], text=True,
                             check=True, capture_output=True, timeout=30).stdout
        return out

    def apply(self, name, namespace, **spec):
        self.cluster.apply(json.dumps({
            "apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaTopic",
            "metadata": {"name": name, "namespace": namespace, "labels": {"strimzi.io/cluster": "events"}},
            "spec": spec}))

    def ready(self, name, namespace, status=None, reason=None):
        """The condition Ready, once it speaks of the object as it is now (and has that status or reason: a call
        of the operator that took too long is told as KafkaError, and made again)."""
        def current():
            topic = self.cluster.get("kafkatopic", name, "-n", namespace)
            if topic.get("status", {}).get("observedGeneration") != topic["metadata"]["generation"]:
                return None
            condition = next((c for c in topic["status"].get("conditions", []) if c["type"] == "Ready"), None)
            said = condition or {}
            return condition if status in (None, said.get("status")) and reason in (None, said.get("reason")) else None
        return wait_for(current, 30, f"a condition of {name}")

    def annotate(self, name, namespace, value):
        self.cluster.kubectl("annotate", "kafkatopic", name, "-n", namespace, "--overwrite", value)


@pytest.fixture(scope="module")
def events(cluster):
    cluster.kubectl("apply", "-k", str(ROOT / "deploy" / "events"))
    cluster.kubectl("rollout", "status", "statefulset/events", *N, "--timeout=60s")
    cluster.kubectl("rollout", "status", "deployment/events-operator", *N, "--timeout=60s")
    return Events(cluster)


def test_topic_is_made_changed_and_deleted(events, cluster, namespace):
    events.apply("ratings", namespace, partitions=3, replicas=1, config={"retention.ms": 7200000})
    assert events.ready("ratings", namespace, status="True")
    assert events.topic("ratings") == 3 and "7200000" in events.settings("ratings")
    status = cluster.get("kafkatopic", "ratings", "-n", namespace)["status"]
    assert status["topicName"] == "ratings" and len(status["topicId"]) == 22

    events.apply("ratings", namespace, partitions=5, replicas=1, config={"cleanup.policy": "compact"})
    assert events.ready("ratings", namespace, status="True")
    settings = events.settings("ratings")
    assert events.topic("ratings") == 5 and "compact" in settings and "7200000" not in settings

    cluster.kubectl("delete", "kafkatopic", "ratings", "-n", namespace, "--timeout=30s")
    assert events.topic("ratings") is None


def test_partitions_never_decrease(events, cluster, namespace):
    events.apply("shrinking", namespace, partitions=4)
    assert events.ready("shrinking", namespace, status="True")
    events.apply("shrinking", namespace, partitions=2)
    condition = events.ready("shrinking", namespace, reason="NotSupported")
    assert condition["status"] == "False"
    assert "4" in condition["message"] and events.topic("shrinking") == 4
    events.apply("shrinking", namespace, partitions=4)
    assert events.ready("shrinking", namespace, status="True")


def test_name_in_kafka_and_two_objects_of_one_topic(events, cluster, namespace):
    events.apply("first", namespace, topicName="Movie_Ratings", partitions=1)
    assert events.ready("first", namespace, status="True") and events.topic("Movie_Ratings") == 1
    events.apply("second", namespace, topicName="Movie_Ratings", partitions=2)
    assert events.ready("second", namespace, reason="ResourceConflict")["status"] == "False"
    cluster.kubectl("delete", "kafkatopic", "second", "-n", namespace, "--timeout=30s")
    assert events.topic("Movie_Ratings") == 1, "it was never the second's topic"
    events.apply("first", namespace, topicName="Other_Name", partitions=1)
    assert events.ready("first", namespace, reason="NotSupported") and events.topic("Other_Name") is None


def test_wrong_settings_are_told(events, cluster, namespace):
    events.apply("wrong", namespace, partitions=1, config={"retention.ms": "soon"})
    condition = events.ready("wrong", namespace)
    assert (condition["status"], condition["reason"]) == ("False", "KafkaError")
    assert condition["message"] and events.topic("wrong") is None
    refused = cluster.kubectl("apply", "-n", namespace, "-f", "-", check=False, input=json.dumps({
        "apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaTopic", "metadata": {"name": "zero"},
        "spec": {"partitions": 0}}))
    assert refused.returncode != 0 and "spec.partitions" in refused.stderr


def test_users_need_a_broker_with_logins(events, cluster, namespace):
    cluster.apply(json.dumps({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": {"name": "alice", "namespace": namespace},
        "spec": {"authentication": {"type": "scram-sha-512"}}}))
    # A call that took too long is told before, perhaps, and made again.
    condition = wait_for(lambda: next((c for c in cluster.get("kafkauser", "alice", "-n", namespace).get(
        "status", {}).get("conditions", []) if "--sasl" in c.get("message", "")), None), 30, "a condition")
    assert (condition["status"], condition["reason"]) == ("False", "KafkaError")
    cluster.kubectl("delete", "kafkauser", "alice", "-n", namespace, "--timeout=30s")


def test_topic_that_is_not_managed_stays(events, cluster, namespace):
    events.apply("kept", namespace, partitions=1)
    assert events.ready("kept", namespace, status="True")
    events.annotate("kept", namespace, "strimzi.io/managed=false")
    wait_for(lambda: any(c["type"] == "Unmanaged" for c in cluster.get(
        "kafkatopic", "kept", "-n", namespace)["status"]["conditions"]), 30, "the topic to be let go")
    cluster.kubectl("delete", "kafkatopic", "kept", "-n", namespace, "--timeout=30s")
    assert events.topic("kept") == 1


def test_operator_against_a_broker_that_comes_back(events, cluster, namespace):
    pod = cluster.get("pod", "events-0", *N)
    cluster.kubectl("scale", "statefulset/events", "--replicas=0", *N)
    cluster.kubectl("wait", "--for=delete", "pod/events-0", *N, "--timeout=60s")
    events.apply("late", namespace, partitions=2)
    condition = wait_for(lambda: events.ready("late", namespace), 60, "a condition while no broker is there")
    assert (condition["status"], condition["reason"]) == ("False", "KafkaError")
    cluster.kubectl("scale", "statefulset/events", "--replicas=1", *N)
    assert events.ready("late", namespace, status="True")
    assert events.topic("late") == 2
    assert cluster.get("pod", "events-0", *N)["metadata"]["uid"] != pod["metadata"]["uid"]


def test_operator_outside_of_the_cluster_and_only_its_label(events, cluster, namespace, tmp_path):
    """`apus operate events` by hand, for objects of one label only, against the same broker."""
    cluster.kubectl("scale", "deployment/events-operator", "--replicas=0", *N)
    cluster.kubectl("wait", "--for=delete", "pod", "-l", "app=events-operator", *N, "--timeout=60s")
    log = open(tmp_path / "operator.log", "wb")
    process = subprocess.Popen(
        [APUS, "operate", "events", "--kubeconfig", cluster.kubeconfig, "--bootstrap", events.address, "--cluster",
         "events"], env={**os.environ, "HOME": str(tmp_path)}, stdout=log, stderr=log)
    try:
        wait_for(lambda: b"ready events-operator" in (tmp_path / "operator.log").read_bytes(), 30, "the operator")
        cluster.apply(json.dumps({
            "apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaTopic",
            "metadata": {"name": "others", "namespace": namespace, "labels": {"strimzi.io/cluster": "another"}},
            "spec": {"partitions": 1}}))
        events.apply("mine", namespace, partitions=1)
        assert events.ready("mine", namespace, status="True")
        assert "status" not in cluster.get("kafkatopic", "others", "-n", namespace)
        cluster.kubectl("delete", "kafkatopic", "mine", "-n", namespace, "--timeout=30s")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
        cluster.kubectl("scale", "deployment/events-operator", "--replicas=1", *N)
        cluster.kubectl("rollout", "status", "deployment/events-operator", *N, "--timeout=60s")

# SPDX-License-Identifier: Apache-2.0
"""What /metrics says of the queues of the controllers."""
import re

from conftest import wait_for

LINE = re.compile(r'^(workqueue_\w+)\{name="([^"]+)"(?:,le="([^"]+)")?\} (\S+)$', re.M)


def queues(cluster):
    """Samples by metric, queue and bucket."""
    text = cluster.kubectl("get", "--raw", "/metrics")
    return {(metric, name, bound): float(value) for metric, name, bound, value in LINE.findall(text)}, text


def test_queues(cluster, namespace):
    def value(metric, bound=""):
        return queues(cluster)[0][(f"workqueue_{metric}", "replicaset-controller", bound)]

    before = value("adds_total")
    cluster.kubectl("-n", namespace, "create", "deployment", "web", "--image=host", "--replicas=2", "--", "sleep", "600")
    wait_for(lambda: value("adds_total") > before, 10, "the queue to count")
    # A key counts as added when it begins to wait, and its work when it has been done.
    wait_for(lambda: value("work_duration_seconds_count") > 0, what="work to be done")
    samples, text = queues(cluster)
    names = {name for metric, name, _ in samples if metric == "workqueue_depth"}
    assert {"deployment-controller", "garbage-collector", "resourcequota-controller", "job-controller"} <= names
    for metric, kind in [("adds_total", "counter"), ("depth", "gauge"), ("retries_total", "counter"),
                         ("queue_duration_seconds", "histogram"), ("work_duration_seconds", "histogram"),
                         ("unfinished_work_seconds", "gauge"), ("longest_running_processor_seconds", "gauge")]:
        assert text.count(f"# TYPE workqueue_{metric} {kind}\n") == 1
    for name in names:
        for metric in ("queue_duration_seconds", "work_duration_seconds"):
            buckets = [value for (found, queue, _), value in samples.items()
                       if (found, queue) == (f"workqueue_{metric}_bucket", name)]
            assert len(buckets) == 13 and buckets == sorted(buckets)
            assert buckets[-1] == samples[(f"workqueue_{metric}_count", name, "")]
            assert samples[(f"workqueue_{metric}_sum", name, "")] >= 0
        # What was taken was added before.
        assert samples[("workqueue_queue_duration_seconds_count", name, "")] <= samples[("workqueue_adds_total", name, "")]
    assert samples[("workqueue_work_duration_seconds_sum", "replicaset-controller", "")] > 0

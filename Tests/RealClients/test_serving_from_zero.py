# SPDX-License-Identifier: Apache-2.0
"""An InferenceService without replicas, as deploy/serving serves it: the model server starts when a request comes, by
gateway, operator and autoscaler in pods. Runs with APUS_LONG_TESTS=1; the parts are tested apart in
test_serving_autoscaling.py."""
import json
import time

import pytest
import requests

from conftest import wait_for
from gateway_load import Serving
from scaling_fixture import KPA, LONG
from serving_fixture import iris

pytestmark = pytest.mark.skipif(not LONG, reason="set APUS_LONG_TESTS=1")


def test_a_model_from_zero(cluster):
    cluster.kubectl("create", "namespace", "knative-serving")
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config-autoscaler", "namespace": "knative-serving"},
        "data": {"scale-to-zero-grace-period": "1s"}}))
    serving = Serving(cluster)
    cluster.apply(json.dumps({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "flowers", "namespace": "default", "annotations": {KPA + "window": "6s"}},
        "spec": {"predictor": {"minReplicas": 0, "model": {
            "modelFormat": {"name": "onnx"}, "protocolVersion": "v2", "storageUri": f"file://{iris()}"}}}}))
    wait_for(lambda: serving.ready("flowers", "default"), seconds=90, what="the InferenceService")
    pods = lambda: cluster.get(  # noqa: E731
        "pods", "-l", "serving.kserve.io/inferenceservice=flowers")["items"]

    def ask():
        begin = time.monotonic()
        answer = requests.post(
            f"{serving.url}/v2/models/flowers/infer", headers={"Host": serving.host("flowers", "default")}, timeout=90,
            json={"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["model_name"] == "flowers"
        return time.monotonic() - begin

    print(f"warm in {ask():.3f} s")
    times = []
    for _ in range(3):
        wait_for(lambda: not pods(), seconds=120, what="no pods")
        assert serving.ready("flowers", "default"), "without pods it is ready all the same"
        times.append(ask())
        print(f"from zero in {times[-1]:.3f} s")
    events = cluster.get("events", "--field-selector", "reason=ScaledByRequests")["items"]
    assert any("from 0 to 1 replicas: 1 requests are held" in e["message"] for e in events)

# SPDX-License-Identifier: Apache-2.0
"""InferenceServices by the unmodified `kserve` SDK and kubectl, through the gateway; and what they hold under load: shares of
canaries, bad revisions that go back by themselves, revisions and pods that come and go (must hold 3 and 4).

APUS_SERVING_SECONDS makes the loads longer: seconds for each (2 in `make test`)."""
import asyncio
import json
import math
import os
import signal
import subprocess
import time

import numpy
import pytest

from conftest import APUS, wait_for
from gateway_load import Serving

SECONDS = float(os.environ.get("APUS_SERVING_SECONDS", "2"))


@pytest.fixture(scope="module")
def serving(cluster):
    return Serving(cluster)


@pytest.fixture(scope="module")
def space(cluster, serving):
    cluster.kubectl("create", "namespace", "models")
    return "models"


def pids(cluster, name, namespace):
    """Processes of the ready pods of a service that run the stub."""
    import pathlib
    names = {p["metadata"]["name"] for p in cluster.get(
        "pods", "-l", f"serving.kserve.io/inferenceservice={name}", "-n", namespace)["items"]
        if "deletionTimestamp" not in p["metadata"]}
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                command = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            host = next((e[9:].decode() for e in environment if e.startswith(b"HOSTNAME=")), None)
            if host in names and any(part.endswith(b"serving_stub.py") for part in command[:3]) and b"shim" not in command[:2]:
                found.append(int(process.name))
    return found


def within_chance(count, total, share):
    """Whether as few, and as many, come by chance more often than once in a billion times (binomial distribution)."""
    def chance(n):
        ways = math.lgamma(total + 1) - math.lgamma(n + 1) - math.lgamma(total - n + 1)
        return math.exp(ways + n * math.log(share) + (total - n) * math.log(1 - share))

    return min(sum(map(chance, range(count + 1))), sum(map(chance, range(count, total + 1)))) > 1e-9


def test_canary_shares(cluster, serving, space):
    serving.stub("shares", space, "one")
    wait_for(lambda: serving.ready("shares", space), what="the first revision")
    serving.stub("shares", space, "two", canaryTrafficPercent=10)
    wait_for(lambda: serving.shares("shares", space) == {
        "shares-predictor-00001": 90, "shares-predictor-00002": 10}, what="ten percent")
    wait_for(lambda: serving.routed("shares", space), what="the gateway to go by it")
    with serving.load("shares", space) as load:
        for percent in [10, 50, 100]:
            if percent != 10:
                serving.stub("shares", space, "two", canaryTrafficPercent=percent)
                wait_for(lambda: serving.shares("shares", space).get("shares-predictor-00002") == percent,
                         what=f"{percent} percent")
                wait_for(lambda: serving.routed("shares", space), what="the gateway to go by it")
                load.settle()
            went = load.more(int(300 * max(1, SECONDS / 2)))
            total = sum(went.values())
            if percent == 100:
                assert went["one"] == 0
            else:
                assert within_chance(went["two"], total, percent / 100), went
        table = cluster.kubectl("get", "isvc", "shares", "-n", space).splitlines()
        assert table[0].split() == ["NAME", "URL", "READY", "PREV", "LATEST", "PREVROLLEDOUTREVISION",
                                    "LATESTREADYREVISION", "AGE"]
        assert table[1].split()[:4] == ["shares", f"http://shares-{space}.localhost", "True", "100"]
    assert load.failed == []


def test_forward_back_and_killed_pods_lose_nothing(cluster, serving, space):
    serving.stub("rolled", space, "one", minReplicas=2)
    wait_for(lambda: serving.ready("rolled", space), what="the first revision")
    with serving.load("rolled", space) as load:
        for turn in range(max(1, int(SECONDS / 2))):
            serving.stub("rolled", space, "two", minReplicas=2)
            wait_for(lambda: list(serving.shares("rolled", space).values()) == [100] and load.more(30)["one"] == 0,
                     what="all traffic at the second")
            serving.stub("rolled", space, "one", minReplicas=2)
            wait_for(lambda: load.more(30)["two"] == 0, what="all traffic at the first again")
        os.kill(pids(cluster, "rolled", space)[0], signal.SIGKILL)
        load.more(100)
        cluster.kubectl("rollout", "restart", "deployment/gateway", "-n", "kserve") if SECONDS > 2 else None
        # Routes are loaded anew: another service comes and goes.
        serving.stub("other", space, "x")
        load.more(50)
        cluster.kubectl("delete", "isvc", "other", "-n", space, "--wait=false")
        load.more(50)
    assert load.failed == [], load.failed[:3]


@pytest.mark.parametrize("fault", ["--fail=100", "--delay=0.6"])
def test_a_bad_revision_goes_back_by_itself(cluster, serving, space, fault):
    name = "errors" if "fail" in fault else "slow"
    first = 2 if "fail" in fault else 25
    steps = {"serving.apus.dev/rollout-steps": f"{first},50,100", "serving.apus.dev/rollout-interval": "5s",
             "serving.apus.dev/rollout-min-requests": "20"}
    serving.stub(name, space, "good", annotations=steps)
    wait_for(lambda: serving.ready(name, space), what="the first revision")
    # Not as fast as the machine can: failures are at the rate of the load until the rollback, in seconds.
    with serving.load(name, space, workers=4, pause=0.005) as load:
        load.more(200)
        begin = time.monotonic()
        serving.stub(name, space, "bad", fault, annotations=steps)
        wait_for(lambda: "RolloutStep" in serving.events(name, space), what="the first step")
        wait_for(lambda: "RolloutRolledBack" in serving.events(name, space), 60, "the rollback")
        assert time.monotonic() - begin < 120
        wait_for(lambda: serving.shares(name, space) == {f"{name}-predictor-00001": 100}, what="the traffic to be back")
        load.more(int(2500 * max(1, SECONDS / 2)))
    # At 2 percent of the traffic five failures decide; those on their way meanwhile fail, too.
    assert len(load.failed) < load.total / 100, (len(load.failed), load.total)
    message = serving.events(name, space)["RolloutRolledBack"]
    assert "in a row" in message or "percent of" in message
    latest = next(c for c in serving.status(name, space)["conditions"] if c["type"] == "LatestDeploymentReady")
    assert latest["status"] == "False" and latest["reason"] == "RolledBack"
    assert serving.ready(name, space)


def test_kserve_sdk(cluster, serving, space, tmp_path_factory):
    """Create, wait, ask, patch to a canary, delete: what KServe's own examples do."""
    from kserve import (InferenceRESTClient, InferInput, InferRequest, KServeClient, RESTConfig, V1beta1InferenceService,
                        V1beta1InferenceServiceSpec, V1beta1ModelFormat, V1beta1ModelSpec, V1beta1PredictorSpec, constants)
    from kubernetes import client
    from serving_fixture import iris, scale
    path, other = iris(), scale()

    def service(uri, **predictor):
        model = V1beta1ModelSpec(model_format=V1beta1ModelFormat(name="onnx"), storage_uri=uri, protocol_version="v2")
        return V1beta1InferenceService(
            api_version=constants.KSERVE_V1BETA1, kind=constants.KSERVE_KIND_INFERENCESERVICE,
            metadata=client.V1ObjectMeta(name="iris", namespace=space),
            spec=V1beta1InferenceServiceSpec(predictor=V1beta1PredictorSpec(model=model, **predictor)))

    kserve = KServeClient(config_file=cluster.kubeconfig)
    kserve.create(service(f"file://{path}"))
    kserve.wait_isvc_ready("iris", namespace=space, timeout_seconds=60, polling_interval=1)
    assert kserve.is_isvc_ready("iris", namespace=space)
    status = kserve.get("iris", namespace=space)["status"]
    assert status["url"] == f"http://iris-{space}.localhost"
    assert status["modelStatus"]["states"]["activeModelState"] == "Loaded"

    async def ask():
        rest = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
        data = InferInput("X", [2, 4], "FP32")
        data.set_data_from_numpy(numpy.ones((2, 4), numpy.float32), binary_data=False)
        headers = {"Host": serving.host("iris", space)}
        assert await rest.is_server_ready(serving.url, headers=headers)
        assert await rest.is_model_ready(serving.url, "iris", headers=headers)
        return await rest.infer(serving.url, InferRequest("iris", [data]), model_name="iris", headers=headers)

    answer = asyncio.run(ask())
    assert answer.outputs[0].shape[0] == 2
    kserve.patch("iris", service(f"file://{other}", canary_traffic_percent=20), namespace=space)
    wait_for(lambda: serving.shares("iris", space) == {"iris-predictor-00001": 80, "iris-predictor-00002": 20},
             what="the canary's share")
    kserve.get("iris", namespace=space, watch=True, timeout_seconds=1)
    kserve.delete("iris", namespace=space)
    wait_for(lambda: cluster.get("deployments", "-n", space, "-l", "serving.kserve.io/inferenceservice=iris")["items"] == [],
             what="what it was made of to be gone")


def test_one_command_from_a_model_to_an_endpoint(cluster, serving, space):
    """`apus models serve`, and the curl line that it prints."""
    from serving_fixture import scale
    done = subprocess.run([APUS, "models", "serve", str(scale(3.0)), "--name", "times", "-n", space, "--kubeconfig",
                           cluster.kubeconfig, "--timeout", "60"], text=True, capture_output=True, timeout=90,
                          env=cluster.env())
    assert done.returncode == 0, done.stdout + done.stderr
    curl = done.stdout.splitlines()[-1]
    assert curl.startswith("curl ")
    answer = subprocess.run(["bash", "-c", curl.replace("curl ", "curl -sS ", 1)], text=True, capture_output=True,
                            timeout=30)
    output = json.loads(answer.stdout)["outputs"][0]
    assert output["data"] == [3.0] * 4
    bad = subprocess.run([APUS, "models", "serve", str(scale(3.0)), "--format", "pmml", "-n", space, "--kubeconfig",
                          cluster.kubeconfig], text=True, capture_output=True, timeout=60, env=cluster.env())
    assert bad.returncode == 1 and "no runtime serves the format 'pmml'" in bad.stderr


def test_trained_models_and_graph_by_the_sdk(cluster, serving, space):
    """Two models in one server, loaded by TrainedModels, and a graph over a service."""
    import requests
    from kserve import (KServeClient, V1alpha1InferenceGraph, V1alpha1InferenceGraphSpec, V1alpha1InferenceRouter,
                        V1alpha1InferenceStep, V1alpha1ModelSpec, V1alpha1TrainedModel, V1alpha1TrainedModelSpec,
                        constants)
    from kubernetes import client
    from serving_fixture import scale
    kserve = KServeClient(config_file=cluster.kubeconfig)
    cluster.apply(json.dumps({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "many", "namespace": space},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "onnx"}, "protocolVersion": "v2"}}}}))
    kserve.wait_isvc_ready("many", namespace=space, timeout_seconds=60, polling_interval=1)
    for name, factor in [("twice", 2.0), ("thrice", 3.0)]:
        kserve.create_trained_model(V1alpha1TrainedModel(
            api_version=constants.KSERVE_V1ALPHA1, kind=constants.KSERVE_KIND_TRAINEDMODEL,
            metadata=client.V1ObjectMeta(name=name, namespace=space),
            spec=V1alpha1TrainedModelSpec(inference_service="many", model=V1alpha1ModelSpec(
                framework="onnx", memory="64Mi", storage_uri=f"file://{scale(factor)}"))), space)

    def ask(host, path, body):
        answer = requests.post(serving.url + path, json=body, headers={"Host": serving.host(host, space)}, timeout=30)
        return answer.json() if answer.status_code == 200 else None

    body = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
    for name, factor in [("twice", 2.0), ("thrice", 3.0)]:
        answer = wait_for(lambda: ask("many", f"/v2/models/{name}/infer", body), 90, f"{name} to be loaded")
        assert answer["outputs"][0]["data"] == [factor, 2 * factor, 3 * factor, 4 * factor]
    assert cluster.get("trainedmodel", "twice", "-n", space)["status"]["url"].endswith("/v2/models/twice/infer")
    ip = cluster.get("service", "many-predictor", "-n", space)["spec"]["clusterIP"]
    kserve.create_inference_graph(V1alpha1InferenceGraph(
        api_version=constants.KSERVE_V1ALPHA1, kind="InferenceGraph",
        metadata=client.V1ObjectMeta(name="both", namespace=space),
        spec=V1alpha1InferenceGraphSpec(nodes={"root": V1alpha1InferenceRouter(
            router_type="Ensemble", steps=[
                V1alpha1InferenceStep(name=name, service_url=f"http://{ip}/v2/models/{name}/infer")
                for name in ["twice", "thrice"]])})), space)
    kserve.wait_ig_ready("both", namespace=space, timeout_seconds=60, polling_interval=1)
    answer = wait_for(lambda: ask("both", "/", body), what="the graph to answer")
    assert answer["thrice"]["outputs"][0]["data"] == [3, 6, 9, 12] and "twice" in answer
    kserve.delete_trained_model("twice", space)
    wait_for(lambda: ask("many", "/v2/models/twice/infer", body) is None, 90, "the model to be gone")


def test_canaries_by_the_sdk(cluster, serving, space):
    """`spec.canary[]` of KServe's SDK: further predictors with shares of the traffic, which change and go under load."""
    import sys

    from gateway_load import STUB
    from kserve import (KServeClient, V1beta1CanarySpec, V1beta1InferenceService, V1beta1InferenceServiceSpec,
                        V1beta1PredictorSpec, constants)
    from kubernetes import client

    def predictor(revision, **more):
        return V1beta1PredictorSpec(containers=[client.V1Container(
            name="kserve-container", image="python", command=[sys.executable, str(STUB), "--name", revision],
            ports=[client.V1ContainerPort(name="http", container_port=8080)],
            readiness_probe=client.V1Probe(http_get=client.V1HTTPGetAction(path="/ready", port=8080), period_seconds=1,
                                           timeout_seconds=10))], **more)

    def service(**shares):
        return V1beta1InferenceService(
            api_version=constants.KSERVE_V1BETA1, kind=constants.KSERVE_KIND_INFERENCESERVICE,
            metadata=client.V1ObjectMeta(name="parts", namespace=space),
            spec=V1beta1InferenceServiceSpec(predictor=predictor("main"), canary=[
                V1beta1CanarySpec(predictor=predictor(name, name=name), traffic_percent=share)
                for name, share in shares.items()]))

    def weights():
        rules = cluster.get("httproute", "parts", "-n", space)["spec"]["rules"]
        return {b["name"]: b["weight"] for b in rules[-1]["backendRefs"]}

    def settled(expected, load=None):
        wait_for(lambda: sorted(weights().values()) == expected, what=f"the shares {expected}")
        wait_for(lambda: serving.routed("parts", space), what="the gateway to go by them")
        if load:
            load.settle()

    kserve = KServeClient(config_file=cluster.kubeconfig)
    kserve.create(service(left=20, right=30))
    kserve.wait_isvc_ready("parts", namespace=space, timeout_seconds=60, polling_interval=1)
    settled([20, 30, 50])
    with serving.load("parts", space) as load:
        went = load.more(int(300 * max(1, SECONDS / 2)))
        total = sum(went.values())
        for name, share in [("main", 0.5), ("left", 0.2), ("right", 0.3)]:
            assert within_chance(went[name], total, share), went
        # Another share, one canary less; then none.
        kserve.patch("parts", service(left=60), namespace=space)
        settled([40, 60], load)
        went = load.more(int(200 * max(1, SECONDS / 2)))
        assert went["right"] == 0 and within_chance(went["left"], sum(went.values()), 0.6), went
        kserve.patch("parts", service(), namespace=space)
        settled([100], load)
        assert load.more(100)["left"] == 0
    assert load.failed == [], load.failed[:3]
    # Shares that cannot be: said in the status, and what serves goes on.
    kserve.patch("parts", service(left=60, right=50), namespace=space)
    wait_for(lambda: any("more than 100" in c.get("message", "") for c in serving.status("parts", space)["conditions"]),
             what="the shares to be refused")
    assert list(weights().values()) == [100]
    kserve.delete("parts", namespace=space)


def test_a_model_in_a_claim(cluster, serving, space):
    """`pvc://`: a pod puts the model into a claim, the predictor serves it from there."""
    import requests
    from kserve import (KServeClient, V1beta1InferenceService, V1beta1InferenceServiceSpec, V1beta1ModelFormat,
                        V1beta1ModelSpec, V1beta1PredictorSpec, constants)
    from kubernetes import client
    from serving_fixture import scale
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "models"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}), "-n", space)
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "writer"},
        "spec": {"restartPolicy": "Never", "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "models"}}],
            "containers": [{"name": "main", "image": "host", "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                            "command": ["sh", "-c", "mkdir -p $APUS_VOLUME_DATA/times/three && cp "
                                        f"{scale(3.0)} $APUS_VOLUME_DATA/times/three/model.onnx"]}]}}), "-n", space)
    wait_for(lambda: cluster.get("pod", "writer", "-n", space)["status"]["phase"] == "Succeeded", 60, "the model's copy")
    kserve = KServeClient(config_file=cluster.kubeconfig)
    kserve.create(V1beta1InferenceService(
        api_version=constants.KSERVE_V1BETA1, kind=constants.KSERVE_KIND_INFERENCESERVICE,
        metadata=client.V1ObjectMeta(name="claimed", namespace=space),
        spec=V1beta1InferenceServiceSpec(predictor=V1beta1PredictorSpec(model=V1beta1ModelSpec(
            model_format=V1beta1ModelFormat(name="onnx"), protocol_version="v2",
            storage_uri="pvc://models/times/three")))))
    kserve.wait_isvc_ready("claimed", namespace=space, timeout_seconds=60, polling_interval=1)
    answer = requests.post(
        serving.url + "/v2/models/claimed/infer", headers={"Host": serving.host("claimed", space)}, timeout=30,
        json={"inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]})
    assert answer.json()["outputs"][0]["data"] == [3, 6, 9, 12]
    kserve.delete("claimed", namespace=space)


def test_a_rollout_that_nobody_asks_has_an_end(cluster, serving, space):
    """A step without requests goes on after its time, or back, as the object says."""
    def steps(choice):
        return {"serving.apus.dev/rollout-steps": "50,100", "serving.apus.dev/rollout-interval": "1s",
                "serving.apus.dev/rollout-max-wait": "2s", "serving.apus.dev/rollout-when-idle": choice}

    for name, choice in [("onward", "proceed"), ("backward", "rollback")]:
        serving.stub(name, space, "one", annotations=steps(choice))
    for name in ["onward", "backward"]:
        wait_for(lambda: serving.ready(name, space), what="the first revision")
    for name, choice in [("onward", "proceed"), ("backward", "rollback")]:
        serving.stub(name, space, "two", annotations=steps(choice))
    wait_for(lambda: serving.shares("onward", space) == {"onward-predictor-00002": 100}, what="the rollout to go on")
    wait_for(lambda: "RolloutRolledBack" in serving.events("backward", space), what="the rollout to go back")
    wait_for(lambda: serving.shares("backward", space) == {"backward-predictor-00001": 100}, what="the traffic to be back")
    assert "0 of 50 requests at 50 percent within 2 s" in serving.events("backward", space)["RolloutRolledBack"]
    for name in ["onward", "backward"]:
        cluster.kubectl("delete", "isvc", name, "-n", space, "--wait=false")

# SPDX-License-Identifier: Apache-2.0
"""The unmodified `kubeflow` and `kserve` SDKs against definitions of their kinds (must hold 2); nothing runs them."""
import json
import pathlib
import threading

import pytest

from conftest import wait_for

CRDS = pathlib.Path(__file__).parent / "crds"

RUNTIME = """
apiVersion: trainer.kubeflow.org/v1alpha1
kind: ClusterTrainingRuntime
metadata:
  name: torch-distributed
  labels: {trainer.kubeflow.org/framework: torch}
spec:
  mlPolicy: {numNodes: 1, torch: {}}
  template:
    spec:
      replicatedJobs:
      - name: node
        template:
          metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}
          spec:
            template:
              spec:
                containers: [{name: node, image: example/torch:1}]
"""


@pytest.fixture(scope="module")
def kinds(cluster):
    """The definitions, established."""
    for name in ["kubeflow-trainer.yaml", "kserve.yaml"]:
        cluster.kubectl("apply", "-f", str(CRDS / name))
    for plural in ["trainjobs.trainer.kubeflow.org", "inferenceservices.serving.kserve.io"]:
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{plural}", "--timeout=30s")
    cluster.apply(RUNTIME)


def status(cluster, namespace, kind, name, body):
    cluster.kubectl("patch", kind, name, "-n", namespace, "--subresource=status", "--type=merge",
                    "-p", json.dumps({"status": body}))


def test_kubeflow_trainer(cluster, namespace, kinds):
    from kubeflow.trainer import CustomTrainer, KubernetesBackendConfig, TrainerClient
    trainer = TrainerClient(KubernetesBackendConfig(namespace=namespace, config_file=cluster.kubeconfig))
    runtimes = trainer.list_runtimes()
    assert [runtime.name for runtime in runtimes] == ["torch-distributed"]
    runtime = trainer.get_runtime("torch-distributed")
    assert runtime.trainer.framework == "torch"

    def train():
        print("trained")

    name = trainer.train(
        runtime=runtime, trainer=CustomTrainer(func=train, num_nodes=2, resources_per_node={"cpu": 1, "memory": "1Gi"}))
    job = trainer.get_job(name)
    assert (job.name, job.num_nodes, job.status) == (name, 2, "Created")
    stored = cluster.get("trainjob", name, "-n", namespace)
    assert stored["spec"]["suspend"] is False and stored["spec"]["runtimeRef"]["kind"] == "ClusterTrainingRuntime"
    assert stored["spec"]["trainer"]["resourcesPerNode"]["requests"]["memory"] == "1Gi"
    assert [one.name for one in trainer.list_jobs()] == [name]
    assert [one.name for one in trainer.list_jobs(runtime=runtime)] == [name]
    condition = {"type": "Complete", "status": "True", "reason": "JobsCompleted", "message": "done",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}
    threading.Timer(0.2, status, (cluster, namespace, "trainjob", name, {"conditions": [condition]})).start()
    done = trainer.wait_for_job_status(name, timeout=60, polling_interval=1)
    assert done.status == "Complete"
    assert trainer.get_job_events(name) == []
    with pytest.raises(RuntimeError):
        trainer.train(runtime=runtime, trainer=CustomTrainer(func=train, num_nodes=-1))
    trainer.delete_job(name)
    wait_for(lambda: trainer.list_jobs() == [], what="the job to be gone")


def isvc(name, namespace, **predictor):
    from kserve import (V1beta1InferenceService, V1beta1InferenceServiceSpec, V1beta1ModelFormat, V1beta1ModelSpec,
                        V1beta1PredictorSpec, constants)
    from kubernetes import client
    model = V1beta1ModelSpec(
        model_format=V1beta1ModelFormat(name="sklearn"), storage_uri="s3://models/iris",
        resources=client.V1ResourceRequirements(requests={"cpu": "100m"}, limits={"cpu": "1"}))
    return V1beta1InferenceService(
        api_version=constants.KSERVE_V1BETA1, kind=constants.KSERVE_KIND_INFERENCESERVICE,
        metadata=client.V1ObjectMeta(name=name, namespace=namespace),
        spec=V1beta1InferenceServiceSpec(predictor=V1beta1PredictorSpec(model=model, **predictor)))


def test_kserve(cluster, namespace, kinds, capsys):
    from kserve import KServeClient
    kserve = KServeClient(config_file=cluster.kubeconfig)
    made = kserve.create(isvc("iris", namespace, min_replicas=1))
    assert made["spec"]["predictor"]["model"]["modelFormat"]["name"] == "sklearn"
    assert made["spec"]["predictor"]["model"]["resources"]["limits"] == {"cpu": "1"}
    assert kserve.get("iris", namespace=namespace)["metadata"]["generation"] == 1
    assert [item["metadata"]["name"] for item in kserve.get(namespace=namespace)["items"]] == ["iris"]
    patched = kserve.patch("iris", isvc("iris", namespace, max_replicas=3))
    assert patched["spec"]["predictor"]["maxReplicas"] == 3 and patched["metadata"]["generation"] == 2
    replaced = kserve.replace("iris", isvc("iris", namespace, min_replicas=2))
    assert replaced["spec"]["predictor"].get("maxReplicas") is None and replaced["metadata"]["generation"] == 3
    with pytest.raises(RuntimeError, match="spec.predictor.canaryTrafficPercent in body should be less than or equal"):
        kserve.patch("iris", isvc("iris", namespace, canary_traffic_percent=101))
    ready = {"url": "http://iris.example.com", "observedGeneration": 3,
             "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    threading.Timer(0.3, status, (cluster, namespace, "isvc", "iris", ready)).start()
    kserve.wait_isvc_ready("iris", namespace=namespace, timeout_seconds=60, polling_interval=1)
    assert kserve.is_isvc_ready("iris", namespace=namespace)
    kserve.get("iris", namespace=namespace, watch=True, timeout_seconds=60)
    assert "iris.example.com" in capsys.readouterr().out
    table = cluster.kubectl("get", "isvc", "-n", namespace).splitlines()
    assert table[0].split() == ["NAME", "URL", "READY", "AGE"]
    assert table[1].split()[:3] == ["iris", "http://iris.example.com", "True"]
    kserve.delete("iris", namespace=namespace)
    with pytest.raises(RuntimeError, match="404"):
        kserve.get("iris", namespace=namespace)

# SPDX-License-Identifier: Apache-2.0
"""Claims, volumes and storage classes, driven by kubectl."""
import json
import pathlib
import signal

from conftest import wait_for

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: %s}}
"""

POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: host
      command: [sh, -c, "%s"]
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: %s}}]
"""


def phase(cluster, namespace, kind, name):
    """Empty where there is no such object, yet."""
    return cluster.kubectl("-n", namespace, "get", kind, name, "--ignore-not-found", "-o", "jsonpath={.status.phase}")


def wait_phase(cluster, namespace, kind, name, wanted):
    wait_for(lambda: phase(cluster, namespace, kind, name) == wanted, 30, f"{kind} {name} to be {wanted}")


def test_default_class(cluster):
    lines = cluster.kubectl("get", "storageclass").splitlines()
    assert lines[0].split() == ["NAME", "PROVISIONER", "RECLAIMPOLICY", "VOLUMEBINDINGMODE", "ALLOWVOLUMEEXPANSION",
                                "AGE"]
    assert lines[1].split()[:6] == ["local-path", "(default)", "apus.dev/local-path", "Delete",
                                    "WaitForFirstConsumer", "true"]


def test_dynamic_volume(cluster, namespace):
    """A claim waits for its pod, gets a folder on the pod's node, keeps its data, grows, and goes with its data."""
    cluster.apply(CLAIM % ("data", "1Gi"), "-n", namespace)
    wait_for(lambda: "waiting for first consumer" in cluster.kubectl("-n", namespace, "get", "events"),
             what="the event WaitForFirstConsumer")
    assert phase(cluster, namespace, "pvc", "data") == "Pending"
    claim = cluster.get("-n", namespace, "pvc", "data")
    assert claim["spec"]["storageClassName"] == "local-path"
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    cluster.apply(POD % ("writer", "echo kept > $APUS_VOLUME_DATA/file", "data"), "-n", namespace)
    wait_phase(cluster, namespace, "pod", "writer", "Succeeded")
    claim = cluster.get("-n", namespace, "pvc", "data")
    assert claim["status"]["phase"] == "Bound"
    assert claim["status"]["capacity"] == {"storage": "1Gi"}
    assert claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "apus"
    name = claim["spec"]["volumeName"]
    volume = cluster.get("pv", name)
    assert volume["status"]["phase"] == "Bound" and volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
    assert volume["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    folder = pathlib.Path(volume["spec"]["local"]["path"])
    assert (folder / "file").read_text() == "kept\n"
    row = cluster.kubectl("get", "pv", name).splitlines()[1].split()
    assert row[:7] == [name, "1Gi", "RWO", "Delete", "Bound", f"{namespace}/data", "local-path"]
    # Another pod sees the data; while it is there the claim stays.
    cluster.apply(POD % ("reader", "cat $APUS_VOLUME_DATA/file", "data"), "-n", namespace)
    wait_phase(cluster, namespace, "pod", "reader", "Succeeded")
    assert cluster.kubectl("-n", namespace, "logs", "reader") == "kept\n"
    grown = json.dumps({"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    cluster.kubectl("-n", namespace, "patch", "pvc", "data", "-p", grown)
    wait_for(lambda: cluster.get("-n", namespace, "pvc", "data")["status"]["capacity"] == {"storage": "2Gi"},
             what="the claim to have grown")
    assert cluster.get("pv", name)["spec"]["capacity"] == {"storage": "2Gi"}
    cluster.kubectl("-n", namespace, "delete", "pvc", "data", "--wait=false")
    assert cluster.kubectl("-n", namespace, "get", "pvc", "data").splitlines()[1].split()[1] == "Terminating"
    cluster.kubectl("-n", namespace, "delete", "pod", "writer", "reader")
    wait_for(lambda: "NotFound" in cluster.kubectl("get", "pv", name, check=False).stderr, what="the volume to be gone")
    assert not folder.exists()


def test_static_volume(cluster, namespace, tmp_path):
    """A claim takes the volume that somebody made, which stays when the claim goes."""
    name = f"static-{namespace}"
    (tmp_path / "file").write_text("mine")
    cluster.apply(f"""
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}, labels: {{of: {namespace}}}}}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {{storage: 5Gi}}
  storageClassName: ""
  hostPath: {{path: {tmp_path}, type: Directory}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  selector: {{matchLabels: {{of: {namespace}}}}}
  resources: {{requests: {{storage: 1Gi}}}}
""", "-n", namespace)
    cluster.kubectl("-n", namespace, "wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=20s")
    assert cluster.get("-n", namespace, "pvc", "data")["status"]["capacity"] == {"storage": "5Gi"}
    cluster.apply(POD % ("reader", "cat $APUS_VOLUME_DATA/file", "data"), "-n", namespace)
    wait_phase(cluster, namespace, "pod", "reader", "Succeeded")
    assert cluster.kubectl("-n", namespace, "logs", "reader").strip() == "mine"
    cluster.kubectl("-n", namespace, "delete", "pod/reader", "pvc/data")
    wait_phase(cluster, namespace, "pv", name, "Released")
    refused = cluster.kubectl("patch", "pv", name, "-p", '{"spec":{"hostPath":{"path":"/etc"}}}', check=False)
    assert "spec.persistentvolumesource is immutable after creation" in refused.stderr
    cluster.kubectl("delete", "pv", name)
    assert (tmp_path / "file").read_text() == "mine"


def test_missing_claim_and_class(cluster, namespace):
    cluster.apply(POD % ("early", "true", "later"), "-n", namespace)
    wait_for(lambda: 'persistentvolumeclaim "later" not found' in cluster.kubectl("-n", namespace, "get", "events"),
             what="the scheduler to say so")
    cluster.apply(CLAIM % ("later", "1Gi"), "-n", namespace)
    wait_phase(cluster, namespace, "pod", "early", "Succeeded")
    cluster.apply(CLAIM % ("lost", "1Gi") + "  storageClassName: no-such\n", "-n", namespace)
    wait_for(lambda: '"no-such" not found' in cluster.kubectl("-n", namespace, "get", "events"),
             what="the event ProvisioningFailed")


def test_ephemeral_volume(cluster, namespace):
    cluster.apply("""
apiVersion: v1
kind: Pod
metadata: {name: temp}
spec:
  restartPolicy: Never
  containers: [{name: main, image: host, command: [sh, -c, "echo x > $APUS_VOLUME_SCRATCH/f && sleep 600"]}]
  terminationGracePeriodSeconds: 0
  volumes:
    - name: scratch
      ephemeral:
        volumeClaimTemplate:
          spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
""", "-n", namespace)
    wait_phase(cluster, namespace, "pod", "temp", "Running")
    claim = cluster.get("-n", namespace, "pvc", "temp-scratch")
    assert claim["metadata"]["ownerReferences"][0]["name"] == "temp"
    cluster.kubectl("-n", namespace, "delete", "pod", "temp")
    wait_for(lambda: not cluster.get("-n", namespace, "pvc")["items"], what="the claim to go with its pod")


def test_kill_keeps_data(own_cluster):
    """A bound claim's data outlive kill -9 of the platform, and a pod gets them again."""
    cluster = own_cluster
    cluster.start()
    cluster.apply(CLAIM % ("data", "1Gi"))
    cluster.apply(POD % ("writer", "echo kept > $APUS_VOLUME_DATA/file", "data"))
    wait_for(lambda: phase(cluster, "default", "pod", "writer") == "Succeeded", 60, "the writer to end")
    cluster.process.send_signal(signal.SIGKILL)
    cluster.process.wait()
    cluster.start()
    cluster.apply(POD % ("reader", "cat $APUS_VOLUME_DATA/file", "data"))
    wait_for(lambda: phase(cluster, "default", "pod", "reader") == "Succeeded", 60, "the reader to end")
    assert cluster.kubectl("logs", "reader") == "kept\n"


def test_claim_of_an_earlier_version(cluster, namespace):
    """A claim that was bound to a folder when there were no volumes gets one, and its data stay."""
    cluster.apply((CLAIM % ("old", "1Gi")) + "  storageClassName: \"\"\n", "-n", namespace)
    uid = cluster.get("-n", namespace, "pvc", "old")["metadata"]["uid"]
    folder = cluster.data / "node" / "volumes" / uid
    folder.mkdir(parents=True)
    (folder / "file").write_text("kept\n")
    cluster.kubectl("-n", namespace, "patch", "pvc", "old", "--type=merge", "-p", json.dumps({
        "metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes",
                                     "pv.kubernetes.io/bound-by-controller": "yes"}},
        "spec": {"volumeName": f"pvc-{uid}"}}))
    wait_phase(cluster, namespace, "pv", f"pvc-{uid}", "Bound")
    wait_phase(cluster, namespace, "pvc", "old", "Bound")
    cluster.apply(POD % ("reader", "cat $APUS_VOLUME_DATA/file", "old"), "-n", namespace)
    wait_phase(cluster, namespace, "pod", "reader", "Succeeded")
    assert cluster.kubectl("-n", namespace, "logs", "reader") == "kept\n"
    cluster.kubectl("-n", namespace, "delete", "pod/reader", "pvc/old")
    wait_for(lambda: not folder.exists(), what="the folder to go with its claim")

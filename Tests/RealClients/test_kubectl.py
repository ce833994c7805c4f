# SPDX-License-Identifier: Apache-2.0
"""The unmodified kubectl against `apus up` (must hold 1)."""
import json
import re

import yaml

from conftest import wait_for

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: example/web:1
        command: [sh, -c, 'echo "hello from $POD_IP"; echo "second line"; trap "exit 0" TERM; sleep 1000 & wait']
"""


def apply_web(cluster, namespace):
    cluster.apply(WEB, "-n", namespace)
    cluster.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s")


def test_version_and_discovery(cluster):
    version = json.loads(cluster.kubectl("version", "-o", "json"))
    assert version["serverVersion"]["major"] == "1"
    names = cluster.kubectl("api-resources", "--no-headers")
    for kind in ["Pod", "Deployment", "Job", "EndpointSlice", "Lease", "PersistentVolumeClaim"]:
        assert re.search(rf"\b{kind}$", names, re.M), f"{kind} is not in api-resources"
    assert "apps/v1" in cluster.kubectl("api-versions")
    assert cluster.kubectl("get", "--raw", "/readyz").strip() == "ok"
    assert "explain" not in cluster.kubectl("explain", "deployment.spec.replicas", check=False).stderr


def test_imperative_create_sends_protobuf(cluster, namespace):
    n = ["-n", namespace]
    cluster.kubectl("create", "configmap", "settings", "--from-literal=a=1", *n)
    cluster.kubectl("create", "secret", "generic", "key", "--from-literal=token=abc", *n)
    cluster.kubectl("create", "serviceaccount", "robot", *n)
    cluster.kubectl("create", "deployment", "made", "--image=x", "--replicas=0", *n)
    cluster.kubectl("create", "service", "clusterip", "made", "--tcp=80:8080", *n)
    cluster.kubectl("create", "job", "once", "--image=x", *n, "--", "true")
    assert cluster.get("secret", "key", *n)["data"] == {"token": "YWJj"}
    assert cluster.get("configmap", "settings", *n)["data"] == {"a": "1"}
    port = cluster.get("service", "made", *n)["spec"]["ports"][0]
    assert (port["port"], port["targetPort"]) == (80, 8080)
    assert cluster.kubectl("create", "token", "robot", *n).count(".") == 2
    assert "apus" in cluster.kubectl("auth", "whoami") or "admin" in cluster.kubectl("auth", "whoami")


def test_apply_get_describe(cluster, namespace):
    apply_web(cluster, namespace)
    n = ["-n", namespace]
    assert "unchanged" in cluster.apply(WEB, *n)
    header, row = cluster.kubectl("get", "deployment", "web", *n).splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:4] == ["web", "2/2", "2", "2"]
    wide = cluster.kubectl("get", "pods", "-o", "wide", *n).splitlines()
    assert wide[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED", "NODE",
                               "READINESS", "GATES"]
    assert all(line.split()[1:3] == ["1/1", "Running"] for line in wide[1:]) and len(wide) == 3
    assert yaml.safe_load(cluster.kubectl("get", "deployment", "web", "-o", "yaml", *n))["spec"]["replicas"] == 2
    assert cluster.kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}", *n) == "2"
    columns = cluster.kubectl("get", "pods", "-o", "custom-columns=N:.metadata.name,P:.status.phase", *n)
    assert columns.splitlines()[0].split() == ["N", "P"] and "Running" in columns
    described = cluster.kubectl("describe", "deployment", "web", *n)
    assert "ScalingReplicaSet" in described and "NewReplicaSetAvailable" in described
    pod = cluster.get("pods", *n)["items"][0]["metadata"]["name"]
    described = cluster.kubectl("describe", "pod", pod, *n)
    for reason in ["Scheduled", "Created", "Started"]:
        assert reason in described
    assert "Started" in cluster.kubectl("events", *n)
    assert "ScalingReplicaSet" in cluster.kubectl("get", "events", *n)


def test_get_watch(cluster, namespace):
    watch = cluster.popen("get", "configmap", "-w", "-o", "name", "-n", namespace)
    try:
        cluster.kubectl("create", "configmap", "seen", "-n", namespace)
        for line in watch.stdout:
            if line.strip() == "configmap/seen":
                break
        else:
            raise AssertionError("the watch ended without the new object")
    finally:
        watch.kill()
        watch.wait()


def test_scale_rollout_history_undo_set(cluster, namespace):
    apply_web(cluster, namespace)
    n = ["-n", namespace]
    cluster.kubectl("scale", "deployment/web", "--replicas=3", *n)
    cluster.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=3", "deployment/web", "--timeout=60s", *n)
    cluster.kubectl("set", "image", "deployment/web", "main=example/web:2", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    cluster.kubectl("set", "env", "deployment/web", "COLOUR=blue", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    history = cluster.kubectl("rollout", "history", "deployment/web", *n)
    assert re.findall(r"^(\d+)\s", history, re.M) == ["1", "2", "3"]
    cluster.kubectl("rollout", "undo", "deployment/web", "--to-revision=1", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    container = cluster.get("deployment", "web", *n)["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "example/web:1" and "env" not in container
    cluster.kubectl("rollout", "restart", "deployment/web", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    wait_for(lambda: len(cluster.get("pods", *n)["items"]) == 3, what="old pods to go")
    replica_sets = cluster.get("replicasets", *n)["items"]
    assert sum(r["spec"]["replicas"] for r in replica_sets) == 3


def test_logs(cluster, namespace):
    n = ["-n", namespace]
    cluster.apply("""
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  restartPolicy: Never
  containers:
  - {name: main, image: x, command: [sh, -c, 'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done']}
""", *n)
    wait_for(lambda: cluster.get("pod", "talker", *n)["status"].get("phase") in ("Running", "Succeeded"),
             what="the pod to run")
    followed = cluster.kubectl("logs", "-f", "talker", *n)
    assert followed.splitlines() == [f"line {i}" for i in range(1, 6)]
    assert cluster.kubectl("logs", "talker", "--tail=2", *n).splitlines() == ["line 4", "line 5"]
    stamped = cluster.kubectl("logs", "talker", "--timestamps", "--tail=1", *n)
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z line 5", stamped)
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/talker", "--timeout=30s", *n)
    refused = cluster.kubectl("logs", "talker", "-c", "nope", *n, check=False)
    assert refused.returncode != 0 and "nope" in refused.stderr


def test_previous_log_and_restart_count(cluster, namespace):
    n = ["-n", namespace]
    cluster.apply("""
apiVersion: v1
kind: Pod
metadata: {name: crasher}
spec:
  containers:
  - {name: main, image: x, command: [sh, -c, 'echo attempt; sleep 0.3; exit 3']}
""", *n)
    wait_for(lambda: (cluster.get("pod", "crasher", *n)["status"].get("containerStatuses") or [{}])[0]
             .get("restartCount", 0) >= 1, what="a restart")
    assert "attempt" in cluster.kubectl("logs", "crasher", "--previous", *n)
    status = cluster.get("pod", "crasher", *n)["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 3


def test_label_annotate_patch(cluster, namespace):
    n = ["-n", namespace]
    cluster.kubectl("create", "configmap", "c", "--from-literal=a=1", *n)
    cluster.kubectl("label", "configmap", "c", "tier=gold", *n)
    cluster.kubectl("annotate", "configmap", "c", "note=hello", *n)
    cluster.kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"data":{"b":"2"}}', *n)
    cluster.kubectl("patch", "configmap", "c", "--type=json", "-p",
                    '[{"op":"remove","path":"/data/a"},{"op":"add","path":"/data/c","value":"3"}]', *n)
    cluster.kubectl("patch", "configmap", "c", "-p", '{"data":{"d":"4"}}', *n)
    found = cluster.get("configmap", "c", *n)
    assert found["data"] == {"b": "2", "c": "3", "d": "4"}
    assert found["metadata"]["labels"] == {"tier": "gold"}
    assert found["metadata"]["annotations"]["note"] == "hello"
    assert cluster.kubectl("get", "configmap", "-l", "tier in (gold)", "-o", "name", *n).strip() == "configmap/c"
    assert cluster.kubectl("get", "configmap", "-l", "tier!=gold,tier", "-o", "name", *n).strip() == ""
    cluster.kubectl("label", "configmap", "c", "tier-", *n)
    assert "labels" not in cluster.get("configmap", "c", *n)["metadata"]


def test_strategic_merge_keeps_other_containers(cluster, namespace):
    n = ["-n", namespace]
    cluster.apply("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: two}
spec:
  replicas: 0
  selector: {matchLabels: {app: two}}
  template:
    metadata: {labels: {app: two}}
    spec:
      containers:
      - {name: a, image: "x:1", command: [sleep, "9"]}
      - {name: b, image: "x:1", command: [sleep, "9"]}
""", *n)
    cluster.kubectl("set", "image", "deployment/two", "b=x:2", *n)
    containers = cluster.get("deployment", "two", *n)["spec"]["template"]["spec"]["containers"]
    assert [(c["name"], c["image"]) for c in containers] == [("a", "x:1"), ("b", "x:2")]


def test_apply_kustomize(cluster, namespace, tmp_path):
    (tmp_path / "kustomization.yaml").write_text(
        f"namespace: {namespace}\nresources: [web.yaml]\nconfigMapGenerator:\n- name: made\n  literals: [k=v]\n")
    (tmp_path / "web.yaml").write_text(WEB)
    cluster.kubectl("apply", "-k", str(tmp_path))
    cluster.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s", "-n", namespace)
    assert any(c["metadata"]["name"].startswith("made-") for c in cluster.get("configmap", "-n", namespace)["items"])
    cluster.kubectl("delete", "-k", str(tmp_path))


def test_delete_waits_and_cascades(cluster, namespace):
    apply_web(cluster, namespace)
    n = ["-n", namespace]
    cluster.kubectl("delete", "deployment", "web", *n, "--cascade=foreground")
    assert cluster.get("replicasets", *n)["items"] == []
    wait_for(lambda: cluster.get("pods", *n)["items"] == [], what="the pods to go")


def test_job_completes_and_fails(cluster, namespace):
    n = ["-n", namespace]
    cluster.kubectl("create", "job", "good", "--image=x", *n, "--", "true")
    cluster.kubectl("wait", "--for=condition=complete", "job/good", "--timeout=60s", *n)
    cluster.apply("""
apiVersion: batch/v1
kind: Job
metadata: {name: bad}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: x, command: ["false"]}]
""", *n)
    cluster.kubectl("wait", "--for=condition=failed", "job/bad", "--timeout=60s", *n)
    condition = [c for c in cluster.get("job", "bad", *n)["status"]["conditions"] if c["type"] == "Failed"][0]
    assert condition["reason"] == "BackoffLimitExceeded"


def test_service_balances_and_follows_pods(cluster, namespace):
    n = ["-n", namespace]
    serve = ("import http.server,os\n"
             "class H(http.server.BaseHTTPRequestHandler):\n"
             " def do_GET(s): s.send_response(200); s.end_headers(); s.wfile.write(os.environ['HOSTNAME'].encode())\n"
             " def log_message(s,*a): pass\n"
             "http.server.ThreadingHTTPServer((os.environ['POD_IP'],8080),H).serve_forever()")
    manifest = yaml.safe_load(WEB)
    manifest["spec"]["template"]["spec"]["containers"][0].update(
        command=["python3", "-c", serve], readinessProbe={"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1})
    cluster.apply(yaml.safe_dump(manifest), *n)
    cluster.kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    address = cluster.get("service", "web", *n)["spec"]["clusterIP"]
    import requests

    def answers():
        try:
            return {requests.get(f"http://{address}/", timeout=5).text for _ in range(10)}
        except requests.RequestException:
            return set()

    pods = {p["metadata"]["name"] for p in cluster.get("pods", *n)["items"]}
    wait_for(lambda: answers() == pods, what="both pods to answer through the service")
    slices = cluster.get("endpointslices", "-l", "kubernetes.io/service-name=web", *n)["items"]
    assert sum(len(s["endpoints"]) for s in slices) == 2
    victim = sorted(pods)[0]
    cluster.kubectl("delete", "pod", victim, *n)
    wait_for(lambda: victim not in answers(), what="the deleted pod to leave the service")


def test_unschedulable_pod_says_why(cluster, namespace):
    n = ["-n", namespace]
    cluster.apply("""
apiVersion: v1
kind: Pod
metadata: {name: huge}
spec:
  containers: [{name: main, image: x, command: [sleep, "9"], resources: {requests: {cpu: "9999"}}}]
""", *n)
    events = wait_for(lambda: [e for e in cluster.get("events", *n)["items"] if e["reason"] == "FailedScheduling"],
                      what="FailedScheduling")
    assert "0/1 nodes are available" in events[0]["message"] and "Insufficient cpu" in events[0]["message"]


def test_configmap_secret_env_files_and_init(cluster, namespace):
    n = ["-n", namespace]
    cluster.kubectl("create", "configmap", "conf", "--from-literal=colour=red", *n)
    cluster.kubectl("create", "secret", "generic", "sec", "--from-literal=password=hunter2", *n)
    cluster.apply("""
apiVersion: v1
kind: Pod
metadata: {name: reader, labels: {team: ml}}
spec:
  restartPolicy: Never
  volumes:
  - {name: conf, configMap: {name: conf}}
  - {name: scratch, emptyDir: {}}
  - {name: info, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  initContainers:
  - name: prepare
    image: x
    command: [sh, -c, 'echo prepared > $APUS_VOLUME_SCRATCH/flag']
    volumeMounts: [{name: scratch, mountPath: /scratch}]
  containers:
  - name: main
    image: x
    command: [sh, -c, 'echo $COLOUR $PASSWORD $NODE; cat $APUS_VOLUME_CONF/colour; echo; cat $APUS_VOLUME_SCRATCH/flag $APUS_VOLUME_INFO/labels']
    env:
    - {name: COLOUR, valueFrom: {configMapKeyRef: {name: conf, key: colour}}}
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: sec, key: password}}}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    volumeMounts:
    - {name: conf, mountPath: /conf}
    - {name: scratch, mountPath: /scratch}
    - {name: info, mountPath: /info}
""", *n)
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/reader", "--timeout=60s", *n)
    node = cluster.get("pod", "reader", *n)["spec"]["nodeName"]
    lines = cluster.kubectl("logs", "reader", "-c", "main", *n).splitlines()
    assert lines[0] == f"red hunter2 {node}"
    assert "red" in lines[1] and "prepared" in lines and 'team="ml"' in lines


def test_service_kubernetes_comes_back(cluster):
    cluster.kubectl("delete", "service", "kubernetes")
    wait_for(lambda: cluster.kubectl("get", "service", "kubernetes", check=False).returncode == 0,
             what="the service kubernetes")
    address = cluster.get("service", "kubernetes")["spec"]["clusterIP"]
    wait_for(lambda: cluster.kubectl("--server", f"https://{address}", "get", "namespaces", check=False).returncode == 0,
             what="the API server to answer on its cluster IP")

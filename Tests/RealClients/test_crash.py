# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of `apus up`: running pods are adopted, nothing acknowledged is lost (must hold 3)."""
import os
import threading
import time

from kubernetes import client, config
from kubernetes.client.rest import ApiException

from conftest import wait_for

ROUNDS = int(os.environ.get("APUS_KILL_ROUNDS", "100"))


def test_running_pods_are_adopted(own_cluster):
    cluster = own_cluster.start()
    cluster.apply("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: steady}
spec:
  replicas: 3
  selector: {matchLabels: {app: steady}}
  template:
    metadata: {labels: {app: steady}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: x, command: [sh, -c, 'echo pid $$$$; exec sleep 100000']}]
""")
    cluster.kubectl("rollout", "status", "deployment/steady", "--timeout=60s")

    def pods():
        return {p["metadata"]["name"]: (p["status"]["podIP"], p["status"]["containerStatuses"][0]["restartCount"],
                                        cluster.kubectl("logs", p["metadata"]["name"]))
                for p in cluster.get("pods")["items"]}

    wait_for(lambda: all("pid" in log for _, _, log in pods().values()), what="the pods' first words")
    before = pods()
    pids = [int(log.split()[1]) for _, _, log in before.values()]
    cluster.kill()
    for pid in pids:
        os.kill(pid, 0)
    cluster.start()
    wait_for(lambda: cluster.get("deployment", "steady")["status"].get("readyReplicas") == 3, what="3 ready pods")
    assert pods() == before
    for pid in pids:
        os.kill(pid, 0)
    victim = sorted(before)[0]
    cluster.kubectl("delete", "pod", victim)
    wait_for(lambda: not os.path.exists(f"/proc/{pids[0]}") or not os.path.exists(f"/proc/{pids[1]}")
             or not os.path.exists(f"/proc/{pids[2]}"), what="the deleted pod's process to end")
    cluster.down()
    for pid in pids:
        assert not os.path.exists(f"/proc/{pid}"), "apus down left a container running"


def test_nothing_acknowledged_is_lost(own_cluster):
    cluster = own_cluster.start()
    acknowledged = {}
    lock = threading.Lock()
    stop = threading.Event()

    def write(worker):
        api = client.CoreV1Api(config.new_client_from_config(cluster.kubeconfig))
        number = 0
        while not stop.is_set():
            number += 1
            name = f"w{worker}-{number % 20}"
            body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={"n": str(number)})
            try:
                try:
                    api.replace_namespaced_config_map(name, "default", body, _request_timeout=5)
                except ApiException as error:
                    if error.status != 404:
                        raise
                    api.create_namespaced_config_map("default", body, _request_timeout=5)
                with lock:
                    acknowledged[name] = number
            except Exception:  # not acknowledged: the server was killed meanwhile
                time.sleep(0.01)

    writers = [threading.Thread(target=write, args=(index,)) for index in range(4)]
    for writer in writers:
        writer.start()
    try:
        for round in range(ROUNDS):
            with lock:
                target = sum(acknowledged.values()) + 10
            wait_for(lambda: sum(acknowledged.values()) >= target, what=f"writes in round {round}")
            cluster.kill()
            with lock:
                expected = dict(acknowledged)
            cluster.start()
            api = client.CoreV1Api(config.new_client_from_config(cluster.kubeconfig))
            found = {c.metadata.name: int(c.data["n"]) for c in api.list_namespaced_config_map("default").items
                     if c.metadata.name.startswith("w")}
            lost = {name: (number, found.get(name)) for name, number in expected.items()
                    if found.get(name, 0) < number}
            assert not lost, f"round {round}: acknowledged writes lost: {lost}"
    finally:
        stop.set()
        for writer in writers:
            writer.join()

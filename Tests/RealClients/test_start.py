# SPDX-License-Identifier: Apache-2.0
"""The command line: idempotence, and one clear sentence for each thing that can go wrong (must hold 6)."""
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import threading
import time

import pytest
from kubernetes import config
from kubernetes.client import CoreV1Api

from conftest import APUS, wait_for


def apus(*arguments, env=None, timeout=60):
    return subprocess.run([APUS, *arguments], text=True, capture_output=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


def one_sentence(result, *fragments):
    lines = [line for line in result.stderr.splitlines() if line.startswith("apus: ")]
    assert result.returncode == 1, result.stderr
    assert len(lines) == 1, result.stderr
    for fragment in fragments:
        assert fragment in lines[0], lines[0]


def test_up_status_down(own_cluster):
    cluster = own_cluster.start()
    assert stat.S_IMODE(os.stat(cluster.kubeconfig).st_mode) == 0o600
    again = apus("up", "--data-dir", str(cluster.data), "--listen", cluster.listen)
    assert again.returncode == 0 and "already" in again.stdout, again
    status = apus("status", "--data-dir", str(cluster.data))
    assert status.returncode == 0 and cluster.url in status.stdout
    env = {"KUBECONFIG": cluster.kubeconfig}
    assert "default" in apus("get", "namespaces", env=env).stdout
    absent = apus("get", "pods", "absent", env=env)
    one_sentence(absent, "NotFound", 'pods "absent" not found')
    down = apus("down", "--data-dir", str(cluster.data))
    assert down.returncode == 0, down
    cluster.process.wait(30)
    assert apus("status", "--data-dir", str(cluster.data)).returncode != 0
    assert apus("down", "--data-dir", str(cluster.data)).returncode == 0


def test_detach(own_cluster):
    up = apus("up", "--detach", "--data-dir", str(own_cluster.data), "--listen", "127.0.0.1:0",
              "--network", str(own_cluster.network), "--kubeconfig", own_cluster.kubeconfig)
    assert up.returncode == 0, up
    assert "default" in own_cluster.kubectl("get", "namespaces")
    assert apus("down", "--data-dir", str(own_cluster.data)).returncode == 0


def test_cli_apply_get_logs_delete(own_cluster, tmp_path):
    cluster = own_cluster.start()
    env = {"KUBECONFIG": cluster.kubeconfig}
    manifest = tmp_path / "pod.yaml"
    manifest.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: hi}\nspec:\n  restartPolicy: Never\n"
                        "  containers: [{name: main, image: x, command: [echo, hello]}]\n")
    assert "pods/hi created" in apus("apply", "-f", str(manifest), env=env).stdout
    assert "pods/hi unchanged" in apus("apply", "-f", str(manifest), env=env).stdout
    wait_for(lambda: "hello" in apus("logs", "hi", env=env).stdout, what="the pod's log")
    wait_for(lambda: "Completed" in apus("get", "pods", env=env).stdout, what="the pod to complete")
    assert "deleted" in apus("delete", "pod", "hi", env=env).stdout


def test_apply_tells_its_own_changes_from_those_of_others(own_cluster, tmp_path):
    cluster = own_cluster.start()
    manifest = tmp_path / "map.yaml"

    def applied(value):
        manifest.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {{k: {value}}}\n")
        return apus("apply", "-f", str(manifest), env={"KUBECONFIG": cluster.kubeconfig}).stdout

    assert "configmaps/m created" in applied("a")
    api, stop, writes = CoreV1Api(config.new_client_from_config(cluster.kubeconfig)), threading.Event(), []

    def write():
        while not stop.wait(0.01):
            api.patch_namespaced_config_map("m", "default", {"metadata": {"annotations": {"n": str(len(writes))}}})
            writes.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for round in range(20):
            wait_for(lambda: len(writes) > round, what="a change of another")
            assert "configmaps/m unchanged" in applied("a" if round == 0 else f"b{round - 1}")
            assert "configmaps/m configured" in applied(f"b{round}")
    finally:
        stop.set()
        writer.join(60)


def test_port_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = apus("up", "--data-dir", str(tmp_path / "d"), "--listen", f"127.0.0.1:{port}")
        one_sentence(result, f"127.0.0.1:{port}", "already in use", "--listen")


def test_data_folder_unwritable(tmp_path):
    (tmp_path / "file").write_text("")
    result = apus("up", "--data-dir", str(tmp_path / "file" / "data"), "--listen", "127.0.0.1:0")
    one_sentence(result, str(tmp_path / "file" / "data"))


def test_data_from_a_newer_version(own_cluster):
    cluster = own_cluster.start()
    cluster.down()
    (store,) = cluster.data.rglob("store.sqlite")
    with sqlite3.connect(store) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    result = apus("up", "--data-dir", str(cluster.data), "--listen", "127.0.0.1:0")
    one_sentence(result, "newer", "--data-dir")


def test_another_network_than_before(own_cluster):
    cluster = own_cluster.start()
    cluster.down()
    result = apus("up", "--data-dir", str(cluster.data), "--listen", "127.0.0.1:0", "--network",
                  str(cluster.network + 1))
    one_sentence(result, f"--network {cluster.network}", "--data-dir")


def test_bad_arguments():
    for arguments, fragment in [(["up", "--listen", "nonsense"], "--listen must be HOST:PORT"),
                                (["up", "--network", "999"], "--network must be"),
                                (["serve", "nonsense"], "nonsense"),
                                (["up", "--log-level", "loud"], "--log-level")]:
        result = apus(*arguments)
        assert result.returncode != 0 and fragment in result.stderr, (arguments, result.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_disk_full(own_cluster):
    folder = own_cluster.data
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("this sandbox does not allow mounts")
    try:
        cluster = own_cluster.start()
        refused = None
        for index in range(90):
            refused = cluster.kubectl("create", "configmap", f"c{index}", "--from-literal=a=" + "x" * 100_000,
                                      check=False)
            if refused.returncode != 0:
                break
        assert refused.returncode != 0 and "full" in refused.stderr, refused
        names = cluster.kubectl("get", "configmaps", "-o", "name").split()
        assert f"configmap/c{index - 1}" in names and f"configmap/c{index}" not in names
        cluster.down()
    finally:
        for _ in range(50):
            if subprocess.run(["umount", str(folder)], capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)

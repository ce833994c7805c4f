# SPDX-License-Identifier: Apache-2.0
"""Many watchers, slow ones, streamed lists; deletions of many objects with conditions."""
import json
import socket
import ssl
import threading

import pytest
from kubernetes import client, config
from kubernetes.client.rest import ApiException

from conftest import wait_for


@pytest.fixture(scope="module")
def core(cluster):
    return client.CoreV1Api(config.new_client_from_config(cluster.kubeconfig))


class RawWatch:
    """A watch whose bytes are read only when the test says so."""

    def __init__(self, cluster, path):
        context = ssl.create_default_context(cafile=str(cluster.data / "pki" / "ca.crt"))
        context.check_hostname = False
        context.load_cert_chain(cluster.data / "pki" / "admin.crt", cluster.data / "pki" / "admin.key")
        host, port = cluster.url.removeprefix("https://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=60)
        self.connection = context.wrap_socket(connection)
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.data, self.modified = b"", 0

    def read(self):
        part = self.connection.recv(1 << 20)
        mark = b'"type":"MODIFIED"'
        self.modified += (self.data[1 - len(mark):] + part).count(mark)
        # Large objects are only counted.
        self.data = (self.data + part)[-(1 << 16):]
        return part

    def until(self, text):
        while text not in self.data:
            assert self.read(), f"the watch ended before {text}"
        return self

    def rest(self):
        """Reads up to the end of the answer."""
        try:
            while b"\r\n0\r\n\r\n" not in self.data[-16:] and self.read():
                pass
        except (ssl.SSLEOFError, ConnectionResetError):
            pass
        return self


def test_a_slow_watcher_is_cut_off_and_others_are_not(cluster, core, namespace):
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "big"}})
    path = (f"/api/v1/namespaces/{namespace}/configmaps?watch=true&timeoutSeconds=300"
            f"&resourceVersion={made.metadata.resource_version}")
    slow = RawWatch(cluster, path).until(b"\r\n\r\n")
    changes = 40

    def follow(watcher):
        watcher.until(b"\r\n\r\n")
        while watcher.modified < changes:
            assert watcher.read(), "a watcher that reads was cut off"

    quick = [RawWatch(cluster, path) for _ in range(4)]
    threads = [threading.Thread(target=follow, args=(watcher,)) for watcher in quick]
    for thread in threads:
        thread.start()
    for number in range(changes):
        core.patch_namespaced_config_map("big", namespace, {"data": {"k": f"{number} " + "x" * 700_000}})
    for thread in threads:
        thread.join(120)
    assert [watcher.modified for watcher in quick] == [changes] * 4
    # 28 MB were told; 16 MiB may wait for a watcher. It gets what waited, and then the end.
    seen = slow.rest().modified
    assert 0 < seen < changes
    again = RawWatch(cluster, path.replace(made.metadata.resource_version, core.read_namespaced_config_map(
        "big", namespace).metadata.resource_version)).until(b"\r\n\r\n")
    core.patch_namespaced_config_map("big", namespace, {"data": {"k": "small"}})
    again.until(b'"k":"small"')


def test_streamed_list_ends_with_its_bookmark(cluster, core, namespace):
    for index in range(5):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"c{index}", "labels": {"of": "stream"}}})
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    path = (f"/api/v1/namespaces/{namespace}/configmaps?watch=true&allowWatchBookmarks=true&sendInitialEvents=true"
            f"&resourceVersionMatch=NotOlderThan&resourceVersion={version}&labelSelector=of%3Dstream&timeoutSeconds=30")
    watcher = RawWatch(cluster, path).until(b"initial-events-end")
    events = [json.loads(line) for line in watcher.data.split(b"\n") if line.startswith(b'{"type"')]
    assert [event["type"] for event in events] == ["ADDED"] * 5 + ["BOOKMARK"]
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(events[-1]["object"]["metadata"]["resourceVersion"]) >= int(version)
    core.patch_namespaced_config_map("c1", namespace, {"data": {"k": "v"}})
    watcher.until(b'"MODIFIED"')


def test_deletions_of_many_with_conditions(core, namespace):
    def names():
        return [one.metadata.name for one in core.list_namespaced_config_map(namespace, label_selector="set").items]

    for index in range(6):
        core.create_namespaced_config_map(namespace, {"metadata": {
            "name": f"c{index}", "labels": {"set": "a" if index < 4 else "b"}}})
    made = core.read_namespaced_config_map("c0", namespace)
    for wrong in [{"uid": "another"}, {"resourceVersion": "1"}]:
        with pytest.raises(ApiException) as error:
            core.delete_namespaced_config_map("c0", namespace, body={"preconditions": wrong})
        assert error.value.status == 409 and "Precondition failed" in json.loads(error.value.body)["message"]
    assert len(names()) == 6
    core.delete_collection_namespaced_config_map(namespace, label_selector="set=a", dry_run="All")
    assert len(names()) == 6
    core.delete_collection_namespaced_config_map(namespace, label_selector="set=a", field_selector="metadata.name=c1")
    assert names() == ["c0", "c2", "c3", "c4", "c5"]
    core.delete_collection_namespaced_config_map(namespace, label_selector="set=b", limit=1)
    assert len(names()) == 4, "a limited deletion takes one page"
    with pytest.raises(ApiException) as error:
        core.delete_collection_namespaced_config_map(namespace, propagation_policy="Sideways")
    assert error.value.status == 422
    core.delete_namespaced_config_map("c0", namespace, body={"preconditions": {
        "uid": made.metadata.uid, "resourceVersion": made.metadata.resource_version}})
    core.patch_namespaced_config_map("c2", namespace, {"metadata": {"finalizers": ["example.com/hold"]}})
    core.delete_collection_namespaced_config_map(namespace, label_selector="set")
    held = core.read_namespaced_config_map("c2", namespace)
    assert held.metadata.deletion_timestamp and names() == ["c2"]
    core.patch_namespaced_config_map("c2", namespace, {"metadata": {"finalizers": None}})
    wait_for(lambda: names() == [], what="the held object to go")


def test_many_watchers(cluster, core, namespace):
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "watched"}})
    path = (f"/api/v1/namespaces/{namespace}/configmaps?watch=true&timeoutSeconds=300"
            f"&resourceVersion={made.metadata.resource_version}")
    watchers = [RawWatch(cluster, path) for _ in range(200)]
    for watcher in watchers:
        watcher.until(b"\r\n\r\n")
    for number in range(10):
        core.patch_namespaced_config_map("watched", namespace, {"data": {"n": str(number)}})
    core.delete_namespaced_config_map("watched", namespace)
    for watcher in watchers:
        watcher.until(b'"type":"DELETED"')
        assert watcher.modified == 10
        watcher.connection.close()

    def watching():
        text = cluster.kubectl("get", "--raw", "/metrics")
        return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("apiserver_longrunning_requests") and 'resource="configmaps",' in line
                   and 'scope="namespace"' in line)
    wait_for(lambda: watching() == 0, what="the watches of clients that left to end")

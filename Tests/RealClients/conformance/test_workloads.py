# SPDX-License-Identifier: Apache-2.0
"""Conformance of workload controllers: CronJob, disruption, ReplicationController, garbage collection."""
import time

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from conftest import wait_for

FOREVER = ["sleep", "3600"]


def pod_template(app, command=None, policy="Always"):
    return {"metadata": {"labels": {"app": app}}, "spec": {
        "restartPolicy": policy, "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "x", "command": command or FOREVER}]}}


def cron(name, schedule, policy="Allow", suspend=False, command=None, **spec):
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"schedule": schedule, "concurrencyPolicy": policy, "suspend": suspend,
                     "jobTemplate": {"spec": {"template": pod_template(name, command, "OnFailure")}}, **spec}}


@pytest.fixture(scope="module")
def clockwork(api, core):
    """CronJobs that are due each minute, all but one with a Job that runs already: one turn of a minute shows it all."""
    namespace = "clockwork"
    core.create_namespace({"metadata": {"name": namespace}})
    batch = client.BatchV1Api(api)
    policies = {"allow": "Allow", "forbid": "Forbid", "replace": "Replace"}
    first = {}
    for name, policy in policies.items():
        made = batch.create_namespaced_cron_job(namespace, cron(name, "*/1 * * * ?", policy, suspend=True))
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": name, "uid": made.metadata.uid,
                 "controller": True}
        job = batch.create_namespaced_job(namespace, {
            "metadata": {"name": f"{name}-first", "ownerReferences": [owner]},
            "spec": {"template": pod_template(name, policy="OnFailure")}})
        first[name] = job.metadata.uid
        batch.patch_namespaced_cron_job_status(name, namespace, {"status": {"active": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": job.metadata.name, "namespace": namespace,
            "uid": job.metadata.uid}]}})
    batch.create_namespaced_cron_job(namespace, cron("suspended", "*/1 * * * ?", suspend=True))
    for name in policies:
        batch.patch_namespaced_cron_job(name, namespace, {"spec": {"suspend": False}})

    def jobs(owner):
        return [j for j in batch.list_namespaced_job(namespace).items
                if any(o.name == owner for o in j.metadata.owner_references or [])]

    wait_for(lambda: len(jobs("allow")) > 1, 75, "the turn of the minute")
    second = next(j.metadata.name for j in jobs("allow") if j.metadata.uid != first["allow"])
    assert abs(int(second.removeprefix("allow-")) - time.time() / 60) < 2
    yield batch, namespace, jobs, first
    core.delete_namespace(namespace)


@pytest.mark.spec("[sig-apps] CronJob should schedule multiple jobs concurrently")
def test_cronjob_allow(clockwork):
    batch, namespace, jobs, _ = clockwork
    wait_for(lambda: len(batch.read_namespaced_cron_job("allow", namespace).status.active) > 1, what="two to be noted")
    wait_for(lambda: len([j for j in jobs("allow") if j.status.active]) > 1, what="two to run")


@pytest.mark.spec("[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Slow]")
def test_cronjob_forbid(clockwork, core):
    batch, namespace, jobs, _ = clockwork
    wait_for(lambda: any(e.reason == "JobAlreadyActive" for e in core.list_namespaced_event(namespace).items),
             what="the next start to be refused")
    assert len(jobs("forbid")) == 1
    assert len(batch.read_namespaced_cron_job("forbid", namespace).status.active) == 1


@pytest.mark.spec("[sig-apps] CronJob should replace jobs when ReplaceConcurrent")
def test_cronjob_replace(clockwork):
    batch, namespace, jobs, first = clockwork
    wait_for(lambda: [j for j in jobs("replace") if j.metadata.uid != first["replace"]], what="another Job")
    wait_for(lambda: all(j.metadata.uid != first["replace"] for j in jobs("replace")), what="the first Job to go")
    wait_for(lambda: len(batch.read_namespaced_cron_job("replace", namespace).status.active or []) == 1,
             what="the new one to be noted")


@pytest.mark.spec("[sig-apps] CronJob should not schedule jobs when suspended [Slow]")
def test_cronjob_suspended(clockwork):
    batch, namespace, jobs, _ = clockwork
    # The others have been through the turn of a minute.
    assert jobs("suspended") == []
    assert not batch.read_namespaced_cron_job("suspended", namespace).status.active


@pytest.mark.spec("[sig-apps] CronJob should support CronJob API operations")
def test_cronjob_api(api, namespace):
    batch = client.BatchV1Api(api)
    groups = {v.group_version for g in client.ApisApi(api).get_api_versions().groups for v in g.versions}
    assert "batch/v1" in groups
    kinds = {r.name for r in batch.get_api_resources().resources}
    assert {"cronjobs", "cronjobs/status"} <= kinds
    for name in ["one", "two", "three"]:
        batch.create_namespaced_cron_job(namespace, cron("all", "0 0 1 1 *") | {
            "metadata": {"name": name, "labels": {"special": "yes"}}})
    one = batch.read_namespaced_cron_job("one", namespace)
    assert len(batch.list_namespaced_cron_job(namespace, label_selector="special=yes").items) == 3
    assert len(batch.list_cron_job_for_all_namespaces(label_selector="special=yes").items) >= 3
    patched = batch.patch_namespaced_cron_job("one", namespace, {"metadata": {"annotations": {"patched": "true"}}})
    assert patched.metadata.annotations["patched"] == "true"
    patched.metadata.annotations["updated"] = "true"
    assert batch.replace_namespaced_cron_job("one", namespace, patched).metadata.annotations["updated"] == "true"
    when = "2026-01-01T00:00:00Z"
    status = batch.patch_namespaced_cron_job_status("one", namespace, {
        "metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"lastScheduleTime": when}})
    assert status.status.last_schedule_time.isoformat() == "2026-01-01T00:00:00+00:00"
    assert status.metadata.annotations["patchedstatus"] == "true"
    assert batch.read_namespaced_cron_job_status("one", namespace).metadata.uid == one.metadata.uid
    batch.delete_namespaced_cron_job("one", namespace)
    assert len(batch.list_namespaced_cron_job(namespace, label_selector="special=yes").items) == 2
    batch.delete_collection_namespaced_cron_job(namespace, label_selector="special=yes")
    assert batch.list_namespaced_cron_job(namespace, label_selector="special=yes").items == []


# Disruption

def budget(name, **labels):
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name, "labels": labels},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"foo": "bar"}}}}


@pytest.mark.spec("[sig-apps] DisruptionController should create a PodDisruptionBudget")
def test_create_budget(api, namespace):
    policy = client.PolicyV1Api(api)
    policy.create_namespaced_pod_disruption_budget(namespace, budget("foo"))
    wait_for(lambda: policy.read_namespaced_pod_disruption_budget("foo", namespace).status.observed_generation == 1,
             what="the budget to be taken up")
    patched = policy.patch_namespaced_pod_disruption_budget("foo", namespace, {"spec": {"minAvailable": "2%"}})
    assert patched.spec.min_available == "2%"
    # The controller writes the status of the new state meanwhile.
    wait_for(lambda: policy.read_namespaced_pod_disruption_budget("foo", namespace).status.observed_generation == 2,
             what="the patch to be taken up")
    patched = policy.read_namespaced_pod_disruption_budget("foo", namespace)
    patched.spec.min_available = 3
    assert policy.replace_namespaced_pod_disruption_budget("foo", namespace, patched).spec.min_available == 3
    wait_for(lambda: policy.read_namespaced_pod_disruption_budget_status("foo", namespace).status.desired_healthy == 3,
             what="the new number to be taken up")
    policy.delete_namespaced_pod_disruption_budget("foo", namespace)
    with pytest.raises(ApiException) as gone:
        policy.read_namespaced_pod_disruption_budget("foo", namespace)
    assert gone.value.status == 404


@pytest.mark.spec("[sig-apps] DisruptionController Listing PodDisruptionBudgets for all namespaces should list and "
                  "delete a collection of PodDisruptionBudgets")
def test_budget_collection(api, core, namespace):
    policy = client.PolicyV1Api(api)
    other = namespace + "-2"
    core.create_namespace({"metadata": {"name": other}})
    try:
        for space, name in [(namespace, "foo"), (namespace, "foo2"), (other, "foo")]:
            policy.create_namespaced_pod_disruption_budget(space, budget(name, set=namespace))
        selector = {"label_selector": f"set={namespace}"}
        assert len(policy.list_pod_disruption_budget_for_all_namespaces(**selector).items) == 3
        assert len(policy.list_namespaced_pod_disruption_budget(namespace, **selector).items) == 2
        policy.delete_collection_namespaced_pod_disruption_budget(namespace, **selector)
        assert policy.list_namespaced_pod_disruption_budget(namespace).items == []
        assert len(policy.list_pod_disruption_budget_for_all_namespaces(**selector).items) == 1
    finally:
        core.delete_namespace(other)


# ReplicationController

def controller(name, replicas):
    return {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"app": name}, "template": pod_template(name)}}


def owned(core, namespace, app):
    return [p for p in core.list_namespaced_pod(namespace, label_selector=f"app={app}").items
            if not p.metadata.deletion_timestamp]


@pytest.mark.spec("[sig-apps] ReplicationController should get and update a ReplicationController scale")
def test_rc_scale(core, namespace):
    core.create_namespaced_replication_controller(namespace, controller("e2e-rc", 1))
    scale = core.read_namespaced_replication_controller_scale("e2e-rc", namespace)
    assert scale.spec.replicas == 1 and scale.status.selector == "app=e2e-rc"
    scale.metadata.resource_version = None
    scale.spec.replicas = 2
    core.replace_namespaced_replication_controller_scale("e2e-rc", namespace, scale)
    wait_for(lambda: core.read_namespaced_replication_controller("e2e-rc", namespace).status.replicas == 2,
             what="two replicas")
    assert core.read_namespaced_replication_controller("e2e-rc", namespace).spec.replicas == 2


@pytest.mark.spec("[sig-apps] ReplicationController should release no longer matching pods")
def test_rc_release(core, namespace):
    core.create_namespaced_replication_controller(namespace, controller("pod-release", 1))
    wait_for(lambda: len(owned(core, namespace, "pod-release")) == 1, what="one pod")
    pod = owned(core, namespace, "pod-release")[0].metadata.name
    core.patch_namespaced_pod(pod, namespace, {"metadata": {"labels": {"app": "not-matching"}}})
    wait_for(lambda: not core.read_namespaced_pod(pod, namespace).metadata.owner_references, what="its release")
    wait_for(lambda: len(owned(core, namespace, "pod-release")) == 1, what="another pod")


@pytest.mark.spec("[sig-apps] ReplicationController should surface a failure condition on a common issue like "
                  "exceeded quota")
def test_rc_quota(core, namespace):
    core.create_namespaced_resource_quota(namespace, {"metadata": {"name": "condition-test"}, "spec": {
        "hard": {"pods": "2"}}})
    wait_for(lambda: (core.read_namespaced_resource_quota("condition-test", namespace).status.hard or {}).get("pods")
             == "2", what="the quota to be taken up")
    core.create_namespaced_replication_controller(namespace, controller("condition-test", 3))

    def failure():
        found = core.read_namespaced_replication_controller("condition-test", namespace).status.conditions or []
        return [c for c in found if c.type == "ReplicaFailure"]
    # As upstream, it is taken back for a moment while the pods that were made are not all seen yet.
    reported = wait_for(failure, what="the failure to be reported")[0]
    assert reported.reason == "FailedCreate" and "exceeded quota" in reported.message
    core.patch_namespaced_replication_controller_scale("condition-test", namespace, {"spec": {"replicas": 2}})
    wait_for(lambda: not failure(), what="the failure to go")


# Garbage collection

def deployment(name):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": pod_template(name)}}


def replica_sets(apps, namespace):
    return apps.list_namespaced_replica_set(namespace).items


@pytest.mark.spec("[sig-api-machinery] Garbage collector should delete RS created by deployment when not orphaning")
def test_gc_deployment(api, core, namespace):
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, deployment("gc"))
    wait_for(lambda: replica_sets(apps, namespace), what="the ReplicaSet")
    apps.delete_namespaced_deployment("gc", namespace, propagation_policy="Background")
    wait_for(lambda: not replica_sets(apps, namespace) and not core.list_namespaced_pod(namespace).items,
             what="what depends on the Deployment to go")


@pytest.mark.spec("[sig-api-machinery] Garbage collector should orphan RS created by deployment when "
                  "deleteOptions.PropagationPolicy is Orphan")
def test_gc_orphan(api, namespace):
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, deployment("gc"))
    wait_for(lambda: replica_sets(apps, namespace), what="the ReplicaSet")
    apps.delete_namespaced_deployment("gc", namespace, propagation_policy="Orphan")
    wait_for(lambda: not apps.list_namespaced_deployment(namespace).items, what="the Deployment to go")
    time.sleep(1)
    left = replica_sets(apps, namespace)
    assert len(left) == 1 and not left[0].metadata.owner_references


@pytest.mark.spec("[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning")
def test_gc_rc(core, namespace):
    core.create_namespaced_replication_controller(namespace, controller("gc", 2))
    wait_for(lambda: len(owned(core, namespace, "gc")) == 2, what="two pods")
    core.delete_namespaced_replication_controller("gc", namespace, propagation_policy="Background")
    wait_for(lambda: not core.list_namespaced_pod(namespace).items, what="the pods to go")


@pytest.mark.spec("[sig-api-machinery] Garbage collector should not be blocked by dependency circle")
def test_gc_circle(core, namespace):
    names = ["pod1", "pod2", "pod3"]
    uids = {}
    for name in names:
        body = {"metadata": {"name": name}, "spec": pod_template(name)["spec"]}
        uids[name] = core.create_namespaced_pod(namespace, body).metadata.uid
    for name, owner in zip(names, names[2:] + names[:2]):
        core.patch_namespaced_pod(name, namespace, {"metadata": {"ownerReferences": [{
            "apiVersion": "v1", "kind": "Pod", "name": owner, "uid": uids[owner], "controller": True,
            "blockOwnerDeletion": True}]}})
    core.delete_namespaced_pod("pod1", namespace, propagation_policy="Foreground")
    wait_for(lambda: not core.list_namespaced_pod(namespace).items, what="the circle to go")


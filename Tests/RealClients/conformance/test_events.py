# SPDX-License-Identifier: Apache-2.0
"""Events, in both of their groups."""
import datetime

import pytest
from kubernetes import client
from kubernetes.client.rest import ApiException


def core_event(name, namespace, labels=None):
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels or {"testevent-constant": "true"}},
            "message": "This is a test event", "reason": "Test", "type": "Normal",
            "involvedObject": {"kind": "Event", "namespace": namespace}, "count": 1}


def new_event(name, namespace, labels=None):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels or {"testevent-set": "true"}},
            "regarding": {"kind": "Pod", "name": "pod1", "namespace": namespace}, "eventTime": now,
            "note": "note of an event", "type": "Normal", "reason": "Test", "action": "Do",
            "reportingController": "test-controller", "reportingInstance": "test-node"}


@pytest.mark.spec("[sig-instrumentation] Events should manage the lifecycle of an event")
def test_core_lifecycle(core, namespace):
    core.create_namespaced_event(namespace, core_event("e", namespace))
    listed = core.list_event_for_all_namespaces(label_selector="testevent-constant=true",
                                                field_selector=f"metadata.namespace={namespace}")
    assert [one.metadata.name for one in listed.items] == ["e"]
    core.patch_namespaced_event("e", namespace, {"message": "This is a test event - patched"})
    event = core.read_namespaced_event("e", namespace)
    assert event.message == "This is a test event - patched"
    event.series = {"count": 100, "lastObservedTime": "2024-01-01T00:00:00.000000Z"}
    updated = core.replace_namespaced_event("e", namespace, event)
    assert updated.series.count == 100
    core.delete_namespaced_event("e", namespace)
    assert core.list_namespaced_event(namespace, label_selector="testevent-constant=true").items == []


@pytest.mark.spec("[sig-instrumentation] Events should delete a collection of events")
def test_core_collection(core, namespace):
    for name in ["test-event-1", "test-event-2", "test-event-3"]:
        core.create_namespaced_event(namespace, core_event(name, namespace, {"testevent-set": "true"}))
    core.create_namespaced_event(namespace, core_event("other", namespace, {"other": "true"}))
    assert len(core.list_namespaced_event(namespace, label_selector="testevent-set=true").items) == 3
    core.delete_collection_namespaced_event(namespace, label_selector="testevent-set=true")
    assert core.list_namespaced_event(namespace, label_selector="testevent-set=true").items == []
    assert [one.metadata.name for one in core.list_namespaced_event(namespace).items] == ["other"]


@pytest.mark.spec("[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and "
                  "listed")
def test_new_group(api, core, namespace):
    events = client.EventsV1Api(api)
    events.create_namespaced_event(namespace, new_event("e", namespace))
    listed = events.list_event_for_all_namespaces(
        label_selector="testevent-set=true", field_selector=f"metadata.namespace={namespace}")
    assert [one.metadata.name for one in listed.items] == ["e"]
    selected = events.list_namespaced_event(namespace, field_selector="reportingController=test-controller")
    assert [one.metadata.name for one in selected.items] == ["e"]
    events.patch_namespaced_event("e", namespace, {
        "series": {"count": 2, "lastObservedTime": "2024-01-01T00:00:01.000000Z"}})
    event = events.read_namespaced_event("e", namespace)
    assert event.series.count == 2 and event.note == "note of an event"
    event.series.count = 100
    assert events.replace_namespaced_event("e", namespace, event).series.count == 100
    # The same event in the older group.
    old = core.read_namespaced_event("e", namespace)
    assert old.message == "note of an event" and old.involved_object.name == "pod1"
    events.delete_namespaced_event("e", namespace)
    with pytest.raises(ApiException) as error:
        events.read_namespaced_event("e", namespace)
    assert error.value.status == 404


@pytest.mark.spec("[sig-instrumentation] Events API should delete a collection of events")
def test_new_group_collection(api, namespace):
    events = client.EventsV1Api(api)
    for name in ["test-event-1", "test-event-2", "test-event-3"]:
        events.create_namespaced_event(namespace, new_event(name, namespace))
    assert len(events.list_namespaced_event(namespace, label_selector="testevent-set=true").items) == 3
    events.delete_collection_namespaced_event(namespace, label_selector="testevent-set=true")
    assert events.list_namespaced_event(namespace, label_selector="testevent-set=true").items == []

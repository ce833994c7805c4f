# SPDX-License-Identifier: Apache-2.0
"""Watchers: what they see, from where, and in which order."""
import asyncio
import random

import pytest
from kubernetes import watch


def label(value):
    return {"watch-this-configmap": value}


def events(core, namespace, count, selector, version, seconds=30):
    """The next events as (type, name, data of `mutation`)."""
    seen = []
    for event in watch.Watch().stream(core.list_namespaced_config_map, namespace, label_selector=selector,
                                      resource_version=version, timeout_seconds=seconds):
        body = event["object"]
        seen.append((event["type"], body.metadata.name, (body.data or {}).get("mutation")))
        if len(seen) == count:
            break
    return seen


def create(core, namespace, name, labels):
    return core.create_namespaced_config_map(namespace, {"metadata": {"name": name, "labels": labels}})


def mutate(core, namespace, name, mutation, labels=None):
    body = {"data": {"mutation": str(mutation)}}
    if labels:
        body["metadata"] = {"labels": labels}
    return core.patch_namespaced_config_map(name, namespace, body)


@pytest.mark.spec("[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps")
def test_add_update_delete(core, namespace):
    start = core.list_namespaced_config_map(namespace).metadata.resource_version
    create(core, namespace, "a", label("A"))
    mutate(core, namespace, "a", 1)
    mutate(core, namespace, "a", 2)
    core.delete_namespaced_config_map("a", namespace)
    create(core, namespace, "b", label("B"))
    core.delete_namespaced_config_map("b", namespace)
    of_a = [("ADDED", "a", None), ("MODIFIED", "a", "1"), ("MODIFIED", "a", "2"), ("DELETED", "a", "2")]
    of_b = [("ADDED", "b", None), ("DELETED", "b", None)]
    assert events(core, namespace, 4, "watch-this-configmap=A", start) == of_a
    assert events(core, namespace, 2, "watch-this-configmap=B", start) == of_b
    assert events(core, namespace, 6, "watch-this-configmap in (A, B)", start) == of_a + of_b
    # Nothing of the other: the watch of B ends at its timeout with what it had.
    assert events(core, namespace, 3, "watch-this-configmap=B", start, seconds=1) == of_b


@pytest.mark.spec("[sig-api-machinery] Watchers should be able to start watching from a specific resource version")
def test_from_a_version(core, namespace):
    create(core, namespace, "c", label("from"))
    first = mutate(core, namespace, "c", 1)
    mutate(core, namespace, "c", 2)
    core.delete_namespaced_config_map("c", namespace)
    seen = events(core, namespace, 2, "watch-this-configmap=from", first.metadata.resource_version)
    assert seen == [("MODIFIED", "c", "2"), ("DELETED", "c", "2")]


@pytest.mark.spec("[sig-api-machinery] Watchers should be able to restart watching from the last resource version "
                  "observed by the previous watch")
def test_restart(core, namespace):
    start = core.list_namespaced_config_map(namespace).metadata.resource_version
    create(core, namespace, "r", label("restart"))
    mutate(core, namespace, "r", 1)
    last, seen = None, []
    for event in watch.Watch().stream(core.list_namespaced_config_map, namespace, resource_version=start,
                                      label_selector="watch-this-configmap=restart", timeout_seconds=30):
        seen.append(event["type"])
        last = event["object"].metadata.resource_version
        if len(seen) == 2:
            break
    assert seen == ["ADDED", "MODIFIED"]
    # While nobody watches:
    mutate(core, namespace, "r", 2)
    core.delete_namespaced_config_map("r", namespace)
    assert events(core, namespace, 2, "watch-this-configmap=restart", last) == [
        ("MODIFIED", "r", "2"), ("DELETED", "r", "2")]


@pytest.mark.spec("[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements "
                  "of the selector")
def test_selector(core, namespace):
    start = core.list_namespaced_config_map(namespace).metadata.resource_version
    create(core, namespace, "s", label("in"))
    mutate(core, namespace, "s", 1)
    mutate(core, namespace, "s", 1, label("out"))
    mutate(core, namespace, "s", 2)
    mutate(core, namespace, "s", 2, label("in"))
    mutate(core, namespace, "s", 3)
    core.delete_namespaced_config_map("s", namespace)
    assert events(core, namespace, 6, "watch-this-configmap=in", start) == [
        ("ADDED", "s", None), ("MODIFIED", "s", "1"), ("DELETED", "s", "1"), ("ADDED", "s", "2"),
        ("MODIFIED", "s", "3"), ("DELETED", "s", "3")]


@pytest.mark.spec("[sig-api-machinery] Watchers should receive events on concurrent watches in same order")
def test_concurrent_watches(core, namespace, run_async):
    from kubernetes_asyncio import client as aio_client, watch as aio_watch
    operations = 60

    async def body(api):
        aio = aio_client.CoreV1Api(api)
        start = (await aio.list_namespaced_config_map(namespace)).metadata.resource_version
        versions = asyncio.Queue()

        async def produce():
            present = []
            for number in range(operations):
                action = random.choice(["create", "update", "delete"]) if present else "create"
                if action == "create":
                    present.append(f"o{number}")
                    made = await aio.create_namespaced_config_map(namespace, {"metadata": {"name": present[-1]}})
                elif action == "update":
                    made = await aio.patch_namespaced_config_map(
                        random.choice(present), namespace, {"data": {"mutation": str(number)}})
                else:
                    await aio.delete_namespaced_config_map(
                        present.pop(random.randrange(len(present))), namespace)
                    continue
                await versions.put(made.metadata.resource_version)
            await aio.create_namespaced_config_map(namespace, {"metadata": {"name": "end"}})
            await versions.put(None)

        async def follow(version):
            seen = []
            async with aio_watch.Watch().stream(aio.list_namespaced_config_map, namespace, resource_version=version,
                                                timeout_seconds=60) as stream:
                async for event in stream:
                    one = event["object"].metadata
                    seen.append((event["type"], one.name, int(one.resource_version)))
                    if one.name == "end":
                        return seen

        producer = asyncio.create_task(produce())
        watches = [asyncio.create_task(follow(start))]
        while (version := await versions.get()) is not None:
            watches.append(asyncio.create_task(follow(version)))
        await producer
        return await asyncio.gather(*watches)

    all_of_it, *parts = run_async(body, 60)
    assert len(all_of_it) == operations + 1
    order = [version for _, _, version in all_of_it]
    assert order == sorted(order)
    for part in parts:
        assert part == all_of_it[-len(part):], "a watch that began later sees the end of the same sequence"

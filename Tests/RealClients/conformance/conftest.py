# SPDX-License-Identifier: Apache-2.0
"""One platform for all conformance files, and the Python clients that drive it."""
import asyncio
import contextlib

import pytest
from kubernetes import client, config, dynamic

from conftest import namespace, running_cluster  # noqa: F401  (namespace is a fixture of these tests too)


@pytest.fixture(scope="session")
def cluster(request):
    """A running platform for all conformance files, its node Ready."""
    yield from running_cluster(request)


@pytest.fixture(scope="session")
def api(cluster):
    """The `kubernetes` client, as administrator: `client.CoreV1Api(api)`."""
    return config.new_client_from_config(cluster.kubeconfig)


@pytest.fixture(scope="session")
def core(api):
    return client.CoreV1Api(api)


@pytest.fixture(scope="session")
def dyn(api):
    """The dynamic client: `dyn.resources.get(api_version="v1", kind="ConfigMap")`."""
    return dynamic.DynamicClient(api)


@pytest.fixture(scope="session")
def run_async(cluster):
    """Runs `body(api_client)` with a `kubernetes_asyncio` client: `run_async(body, seconds=30)`."""
    from kubernetes_asyncio import config as aio_config

    def run(body, seconds=30):
        async def main():
            aio_client = await aio_config.new_client_from_config(cluster.kubeconfig)
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(aio_client.close)
                return await asyncio.wait_for(body(aio_client), seconds)
        return asyncio.run(main())
    return run

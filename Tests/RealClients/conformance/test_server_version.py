# SPDX-License-Identifier: Apache-2.0
"""Who the server says it is."""
import re

import pytest
from kubernetes import client


@pytest.mark.spec("[sig-api-machinery] server version should find the server version")
def test_server_version(api, run_async):
    version = client.VersionApi(api).get_code()
    assert re.fullmatch(r"[1-9]\d*", version.major)
    assert re.fullmatch(r"[1-9]\d*\+?", version.minor)

    async def same(aio):
        from kubernetes_asyncio import client as aio_client
        return await aio_client.VersionApi(aio).get_code()

    assert run_async(same).git_version == version.git_version

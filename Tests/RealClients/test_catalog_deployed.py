# SPDX-License-Identifier: Apache-2.0
"""deploy/catalog beside deploy/objects on a platform, used by pyiceberg with a token and the keys that it gets."""
import pyarrow as pa
import pytest
import requests
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchTableError, UnauthorizedError

from conftest import PATIENCE, ROOT, wait_for

N = ["-n", "objects"]


def rollout(cluster, what):
    cluster.kubectl("rollout", "status", what, *N, "--timeout=60s")


def answers(url):
    """Whether the service leads to a server: the endpoints follow the pods' readiness after a while."""
    try:
        return requests.get(url + "/healthz", timeout=PATIENCE).text == "ok\n"
    except requests.RequestException:
        return False


def test_deployed(cluster):
    for folder in ("objects", "catalog"):
        cluster.kubectl("apply", "-k", str(ROOT / "deploy" / folder))
    # It waits for the Secret of who may use it.
    cluster.kubectl(*N, "create", "secret", "generic", "catalog-tokens", "--from-literal=tokens=a-token-of-sixteen me")
    rollout(cluster, "statefulset/objects")
    rollout(cluster, "deployment/catalog")
    address = cluster.get("service", "catalog", *N)["spec"]["clusterIP"]
    settings = {"type": "rest", "uri": f"http://{address}:8181"}
    wait_for(lambda: answers(settings["uri"]), what="the catalog to be reached")
    with pytest.raises(UnauthorizedError):
        load_catalog("apus", **settings)
    catalog = load_catalog("apus", **settings, token="a-token-of-sixteen")
    cluster.kubectl(*N, "wait", "--for=condition=Ready", "bucket/iceberg", "--timeout=60s")
    # The object server follows the key that it was given.
    status = "apus.dev/s3-access-key-status"
    wait_for(lambda: cluster.get("secret", "catalog-key", *N)["metadata"].get("annotations", {}).get(status) == "ready",
             what="the catalog's key")
    catalog.create_namespace("films")
    rows = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "stars": [4.0, None, 1.5]})
    table = catalog.create_table("films.ratings", rows.schema)
    table.append(rows)
    assert table.location().startswith("s3://iceberg/tables/films/ratings")
    # Which of the files count, the claim says.
    cluster.kubectl(*N, "delete", "pod", "-l", "app=catalog")
    rollout(cluster, "deployment/catalog")

    def again():
        try:
            return load_catalog("apus", **settings, token="a-token-of-sixteen").load_table("films.ratings")
        except OSError:
            return None
    table = wait_for(again, 30, "the catalog")
    table.append(rows.slice(0, 1))
    assert sorted(table.scan().to_arrow().column("id").to_pylist()) == [1, 1, 2, 3]
    with pytest.raises(NoSuchTableError):
        catalog.load_table("films.nothing")

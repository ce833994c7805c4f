# SPDX-License-Identifier: Apache-2.0
"""Views of `apus serve catalog`: pyiceberg creates, loads, lists and drops them; what its client does not have (replace,
rename) is asked for as the specification has it."""
import concurrent.futures

import pyarrow as pa
import pytest
from pyiceberg.exceptions import NamespaceNotEmptyError, NoSuchViewError, TableAlreadyExistsError, ViewAlreadyExistsError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType
from pyiceberg.view.metadata import SQLViewRepresentation, ViewRepresentation, ViewVersion

from catalog_fixture import CatalogServer, running
from conftest import wait_for

SCHEMA = Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "who", StringType()))


@pytest.fixture(scope="module")
def server(request):
    yield from running(request, CatalogServer())


def version(sql, dialect="spark", **more):
    return ViewVersion(schema_id=1, representations=[ViewRepresentation(SQLViewRepresentation(
        type="sql", sql=sql, dialect=dialect))], default_namespace=("films",), **more)


def as_json(sql, dialect="spark", **more):
    return {"version-id": 1, "schema-id": -1, "timestamp-ms": 1700000000000, "summary": {}, "default-namespace": ["films"],
            "representations": [{"type": "sql", "sql": sql, "dialect": dialect}], **more}


def replace(server, view, *updates, uuid=None):
    requirements = [{"type": "assert-view-uuid", "uuid": uuid}] if uuid else []
    return server.call("POST", f"/v1/namespaces/films/views/{view}", {"requirements": requirements, "updates": list(updates)})


def new_version(sql, **more):
    return ({"action": "add-view-version", "view-version": as_json(sql, **more)},
            {"action": "set-current-view-version", "view-version-id": -1})


def test_pyiceberg(server):
    catalog = server.pyiceberg()
    catalog.create_namespace("films")
    made = catalog.create_view("films.best", SCHEMA, version("SELECT id, who FROM ratings"), properties={"a": "b"})
    assert made.name() == ("films", "best")
    view = catalog.load_view("films.best")
    assert view.metadata == made.metadata and view.metadata.properties == {"a": "b"}
    assert view.current_version().representations[0].root.sql == "SELECT id, who FROM ratings"
    assert [field.name for field in view.schema().fields] == ["id", "who"]
    assert catalog.list_views("films") == [("films", "best")] and catalog.list_tables("films") == []
    assert catalog.view_exists("films.best") and not catalog.view_exists("films.worst")
    with pytest.raises(ViewAlreadyExistsError):
        catalog.create_view("films.best", SCHEMA, version("SELECT 1"))
    # A table and a view have not the same name.
    table = catalog.create_table("films.ratings", pa.schema([("id", pa.int64())]))
    with pytest.raises(ViewAlreadyExistsError):
        catalog.create_view("films.ratings", SCHEMA, version("SELECT 1"))
    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table("films.best", table.schema())
    catalog.drop_table("films.ratings")
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace("films")
    # Its file is in the warehouse, and goes with it.
    location = view.metadata.location
    assert location.startswith(server.warehouse) and len(server.files(location)) == 1
    catalog.drop_view("films.best")
    with pytest.raises(NoSuchViewError):
        catalog.load_view("films.best")
    with pytest.raises(NoSuchViewError):
        catalog.drop_view("films.best")
    wait_for(lambda: server.files(location) == [], 20, "the view's file to be deleted")
    catalog.drop_namespace("films")


def test_replace_rename_and_restart(server):
    catalog = server.pyiceberg()
    catalog.create_namespace("films")
    view = catalog.create_view("films.v", SCHEMA, version("SELECT 1"))
    uuid = str(view.metadata.view_uuid)
    status, answer = replace(
        server, "v", {"action": "add-schema", "schema": {"type": "struct", "schema-id": 7, "fields": [
            {"id": 1, "name": "n", "type": "long", "required": False}]}},
        *new_version("SELECT 2 AS n", dialect="duckdb"), {"action": "set-properties", "updates": {"x": "y"}}, uuid=uuid)
    assert status == 200, answer
    loaded = catalog.load_view("films.v")
    assert loaded.metadata.current_version_id == 2 and loaded.metadata.properties == {"x": "y"}
    assert [field.name for field in loaded.schema().fields] == ["n"]
    assert [entry.version_id for entry in loaded.metadata.version_log] == [1, 2]
    # The same again is the same version; an old one can be taken up; the number of versions is bounded.
    assert replace(server, "v", *new_version("SELECT 2 AS n", dialect="duckdb"))[0] == 400
    assert replace(server, "v", {"action": "set-current-view-version", "view-version-id": 1})[0] == 200
    assert catalog.load_view("films.v").current_version().representations[0].root.sql == "SELECT 1"
    for number in range(12):
        assert replace(server, "v", *new_version(f"SELECT {number}", **{"schema-id": 0}))[0] == 200
    metadata = catalog.load_view("films.v").metadata
    assert len(metadata.versions) == 10 and metadata.current_version_id == 13 and str(metadata.view_uuid) == uuid
    assert {entry.version_id for entry in metadata.version_log} == {found.version_id for found in metadata.versions}
    # Many at the same time: each is there.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: replace(
            server, "v", {"action": "set-properties", "updates": {f"p{number}": "1"}})[0], range(24)))
    assert answers == [200] * 24
    assert len(catalog.load_view("films.v").metadata.properties) == 25
    wait_for(lambda: len(server.files(metadata.location)) == 1, 20, "old files to be deleted")
    # Another name, in another namespace.
    catalog.create_namespace("other")
    body = {"source": {"namespace": ["films"], "name": "v"}, "destination": {"namespace": ["other"], "name": "w"}}
    assert server.call("POST", "/v1/views/rename", body)[0] == 204
    assert server.call("POST", "/v1/views/rename", body)[1]["error"]["type"] == "NoSuchViewException"
    assert catalog.list_views("films") == [] and catalog.list_views("other") == [("other", "w")]
    before = catalog.load_view("other.w").metadata
    server.kill()
    server.start()
    assert server.pyiceberg().load_view("other.w").metadata == before
    for path in ("/v1/namespaces/other/views/w", "/v1/namespaces/other", "/v1/namespaces/films"):
        assert server.call("DELETE", path)[0] == 204


def test_wrong_views(server):
    catalog = server.pyiceberg()
    catalog.create_namespace("films")
    catalog.create_view("films.v", SCHEMA, version("SELECT 1"))
    before = catalog.load_view("films.v").metadata
    schema = SCHEMA.model_dump(mode="json", by_alias=True)
    create = {"name": "n", "schema": schema, "view-version": as_json("SELECT 1"), "properties": {}}
    double = as_json("SELECT 1")
    double["representations"] *= 2
    for body, code in [
            ({**create, "view-version": double}, 400), ({**create, "view-version": as_json("x", representations=[])}, 400),
            ({**create, "view-version": as_json("x" * (1 << 21))}, 400), ({**create, "what": 1}, 400), ({**create, "name": "a/b"}, 400),
            ({**create, "location": "s3://elsewhere/x"}, 403), ({**create, "location": before.location + "/in"}, 409),
            ({**create, "properties": {"version.history.num-entries": "0"}}, 400), ({"name": "n"}, 400)]:
        status, answer = server.call("POST", "/v1/namespaces/films/views", body)
        assert status == code, (body, answer)
    for updates, code in [
            ([{"action": "set-current-view-version", "view-version-id": 9}], 400), ([{"action": "other"}], 400),
            ([{"action": "assign-uuid", "uuid": "x"}], 400), ([{"action": "upgrade-format-version", "format-version": 2}], 406),
            ([{"action": "set-location", "location": "file:///etc"}], 403),
            (list(new_version("SELECT 1", **{"schema-id": 99})), 400)]:
        status, answer = replace(server, "v", *updates)
        assert status == code, (updates, answer)
    status, answer = replace(server, "v", {"action": "set-properties", "updates": {"a": "b"}}, uuid="another")
    assert (status, answer["error"]["type"]) == (409, "CommitFailedException")
    assert replace(server, "none", {"action": "set-properties", "updates": {}})[1]["error"]["type"] == "NoSuchViewException"
    status, answer = server.call("POST", "/v1/namespaces/films/register-view", {"name": "n", "metadata-location": "x"})
    assert status == 406
    assert catalog.load_view("films.v").metadata == before and catalog.list_views("films") == [("films", "v")]
    catalog.drop_view("films.v")
    catalog.drop_namespace("films")

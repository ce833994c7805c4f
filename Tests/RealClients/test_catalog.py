# SPDX-License-Identifier: Apache-2.0
"""pyiceberg on `apus serve catalog` over `apus serve objects`."""
import uuid

import pyarrow as pa
import pytest
from pyiceberg.exceptions import (NamespaceAlreadyExistsError, NamespaceNotEmptyError, NoSuchNamespaceError,
                                  NoSuchTableError, TableAlreadyExistsError)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform
from pyiceberg.types import (DoubleType, ListType, LongType, MapType, NestedField, StringType, StructType,
                             TimestamptzType)

from catalog_fixture import catalog  # noqa: F401


@pytest.fixture
def iceberg(catalog):
    return catalog.pyiceberg()


@pytest.fixture
def namespace(iceberg):
    name = "n" + uuid.uuid4().hex[:8]
    iceberg.create_namespace(name)
    return name


ROWS = pa.schema([pa.field("id", pa.int64()), pa.field("name", pa.string())])


def rows(first, count):
    return pa.table({"id": range(first, first + count), "name": [f"r{n}" for n in range(first, first + count)]},
                    schema=ROWS)


def test_namespaces(iceberg, catalog):
    iceberg.create_namespace("a", {"owner": "me", "gone": "soon"})
    iceberg.create_namespace(("a", "b"))
    iceberg.create_namespace(("a", "c d.é"))
    with pytest.raises(NamespaceAlreadyExistsError):
        iceberg.create_namespace("a")
    with pytest.raises(NoSuchNamespaceError):
        iceberg.load_namespace_properties("missing")
    assert ("a",) in iceberg.list_namespaces()
    assert sorted(iceberg.list_namespaces("a")) == [("a", "b"), ("a", "c d.é")]
    assert iceberg.load_namespace_properties("a") == {"owner": "me", "gone": "soon"}
    summary = iceberg.update_namespace_properties("a", {"gone", "never"}, {"new": "x"})
    assert (summary.removed, summary.updated, summary.missing) == (["gone"], ["new"], ["never"])
    assert iceberg.load_namespace_properties("a") == {"owner": "me", "new": "x"}
    assert iceberg.namespace_exists("a") and not iceberg.namespace_exists("b")
    with pytest.raises(NamespaceNotEmptyError):
        iceberg.drop_namespace("a")
    for name in (("a", "b"), ("a", "c d.é"), "a"):
        iceberg.drop_namespace(name)
    with pytest.raises(NoSuchNamespaceError):
        iceberg.drop_namespace("a")


def test_create_append_overwrite_delete_upsert(iceberg, namespace):
    table = iceberg.create_table(f"{namespace}.t", ROWS)
    with pytest.raises(TableAlreadyExistsError):
        iceberg.create_table(f"{namespace}.t", ROWS)
    table.append(rows(0, 10))
    table.append(rows(10, 5))
    table.delete("id < 3")
    assert sorted(iceberg.load_table(f"{namespace}.t").scan().to_arrow()["id"].to_pylist()) == list(range(3, 15))
    table.overwrite(pa.table({"id": [100], "name": ["x"]}, schema=ROWS), overwrite_filter="id >= 10")
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == [3, 4, 5, 6, 7, 8, 9, 100]
    changed = table.upsert(pa.table({"id": [100, 101], "name": ["y", "new"]}, schema=ROWS), join_cols=["id"])
    assert (changed.rows_updated, changed.rows_inserted) == (1, 1)
    found = {row["id"]: row["name"] for row in iceberg.load_table(f"{namespace}.t").scan().to_arrow().to_pylist()}
    assert found[100] == "y" and found[101] == "new" and len(found) == 9


def test_spec_order_and_nested_types(iceberg, namespace, catalog):
    schema = Schema(
        NestedField(1, "id", LongType(), required=True, doc="the key"),
        NestedField(2, "at", TimestamptzType(), required=True),
        NestedField(3, "tags", ListType(4, StringType(), element_required=False), required=False),
        NestedField(5, "more", MapType(6, StringType(), 7, DoubleType(), value_required=False), required=False),
        NestedField(8, "place", StructType(NestedField(9, "x", DoubleType(), required=False)), required=False),
        identifier_field_ids=[1])
    spec = PartitionSpec(PartitionField(2, 1000, DayTransform(), "at_day"),
                         PartitionField(1, 1001, BucketTransform(4), "id_bucket"))
    order = SortOrder(SortField(2, IdentityTransform(), SortDirection.DESC, NullOrder.NULLS_LAST))
    table = iceberg.create_table(f"{namespace}.t", schema, partition_spec=spec, sort_order=order,
                                 properties={"a": "b", "format-version": "2"})
    loaded = iceberg.load_table(f"{namespace}.t")
    assert loaded.metadata.format_version == 2 and loaded.properties == {"a": "b"}
    assert [field.name for field in loaded.spec().fields] == ["at_day", "id_bucket"]
    assert loaded.sort_order().fields[0].direction == SortDirection.DESC
    assert loaded.schema().find_type("place.x") == DoubleType()
    assert loaded.schema().identifier_field_names() == {"id"}
    assert loaded.schema() == table.schema()
    assert loaded.location().startswith(catalog.warehouse + f"/{namespace}/t-")
    assert loaded.metadata_location.startswith(loaded.location() + "/metadata/00000-")


def test_schema_and_partitions_evolve(iceberg, namespace):
    table = iceberg.create_table(f"{namespace}.t", ROWS)
    table.append(rows(0, 3))
    with table.update_schema() as update:
        update.add_column("score", DoubleType(), "how much")
        update.rename_column("name", "title")
    with table.update_spec() as update:
        update.add_field("id", IdentityTransform(), "id_part")
    table.append(pa.table({"id": [7], "title": ["x"], "score": [0.5]}))
    with table.update_schema() as update:
        update.delete_column("title")
    with table.update_spec() as update:
        update.remove_field("id_part")
    with table.update_spec() as update:
        update.add_field("id", IdentityTransform(), "again")
    found = iceberg.load_table(f"{namespace}.t")
    assert found.scan().to_arrow().sort_by("id").to_pydict() == {
        "id": [0, 1, 2, 7], "score": [None, None, None, 0.5]}
    assert len(found.schemas()) == 3 and len(found.specs()) >= 2
    assert found.metadata.last_column_id == 3


def test_history_branches_and_tags(iceberg, namespace):
    table = iceberg.create_table(f"{namespace}.t", ROWS)
    table.append(rows(0, 1))
    first = table.current_snapshot().snapshot_id
    table.append(rows(1, 1))
    second = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(first, "v1").create_branch(second, "dev").commit()
    table.append(rows(50, 2), branch="dev")
    table = iceberg.load_table(f"{namespace}.t")
    assert table.scan(snapshot_id=first).to_arrow()["id"].to_pylist() == [0]
    assert sorted(table.scan().use_ref("dev").to_arrow()["id"].to_pylist()) == [0, 1, 50, 51]
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == [0, 1]
    assert [entry.snapshot_id for entry in table.history()] == [first, second]
    table.manage_snapshots().remove_tag("v1").remove_branch("dev").commit()
    assert set(iceberg.load_table(f"{namespace}.t").metadata.refs) == {"main"}
    table = iceberg.load_table(f"{namespace}.t")
    table.manage_snapshots().rollback_to_snapshot(first).commit() if hasattr(
        table.manage_snapshots(), "rollback_to_snapshot") else None
    table.maintenance.expire_snapshots().by_id(table.metadata.snapshots[-1].snapshot_id).commit()
    assert len(iceberg.load_table(f"{namespace}.t").metadata.snapshots) == 2


def test_transaction_of_one_table(iceberg, namespace):
    table = iceberg.create_table(f"{namespace}.t", ROWS)
    with table.transaction() as transaction:
        transaction.set_properties(colour="red")
        with transaction.update_schema() as update:
            update.add_column("extra", LongType())
        transaction.append(pa.table({"id": [1], "name": ["a"], "extra": [9]}))
    found = iceberg.load_table(f"{namespace}.t")
    assert found.properties["colour"] == "red"
    assert found.scan().to_arrow().to_pylist() == [{"id": 1, "name": "a", "extra": 9}]
    # One file of metadata for the creation, one for all of the transaction.
    assert found.metadata_location.split("/")[-1].startswith("00001-")
    with iceberg.create_table_transaction(f"{namespace}.made", ROWS, properties={"k": "v"}) as transaction:
        transaction.append(rows(0, 4))
        assert not iceberg.table_exists(f"{namespace}.made")
    found = iceberg.load_table(f"{namespace}.made")
    assert found.scan().to_arrow().num_rows == 4 and found.properties["k"] == "v"


def test_rename_list_drop_purge_register(iceberg, namespace, catalog):
    table = iceberg.create_table(f"{namespace}.t", ROWS)
    table.append(rows(0, 3))
    iceberg.create_namespace((namespace, "other"))
    iceberg.rename_table(f"{namespace}.t", f"{namespace}.other.u")
    assert iceberg.list_tables(namespace) == []
    assert iceberg.list_tables((namespace, "other")) == [(namespace, "other", "u")]
    with pytest.raises(NoSuchTableError):
        iceberg.load_table(f"{namespace}.t")
    with pytest.raises(NoSuchTableError):
        iceberg.drop_table(f"{namespace}.t")
    table = iceberg.load_table(f"{namespace}.other.u")
    iceberg.drop_table(f"{namespace}.other.u")
    assert not iceberg.table_exists(f"{namespace}.other.u")
    again = iceberg.register_table(f"{namespace}.back", table.metadata_location)
    again.append(rows(3, 2))
    assert sorted(iceberg.load_table(f"{namespace}.back").scan().to_arrow()["id"].to_pylist()) == [0, 1, 2, 3, 4]
    assert catalog.files(table.location())
    iceberg.purge_table(f"{namespace}.back")
    wait_for_nothing(catalog, table.location())


def wait_for_nothing(catalog, location):
    from conftest import wait_for
    wait_for(lambda: not catalog.files(location), 20, "the files to be deleted")


def test_metadata_log(iceberg, namespace, catalog):
    table = iceberg.create_table(f"{namespace}.t", ROWS, properties={
        "write.metadata.previous-versions-max": "3", "write.metadata.delete-after-commit.enabled": "true"})
    for number in range(8):
        with table.transaction() as transaction:
            transaction.set_properties(step=str(number))
    assert len(table.metadata.metadata_log) == 3
    from conftest import wait_for
    kept = {entry.metadata_file for entry in table.metadata.metadata_log} | {table.metadata_location}
    wait_for(lambda: set(catalog.files(table.location() + "/metadata")) == kept, 20, "old metadata to be deleted")


def test_the_first_version_and_upgrades(iceberg, namespace):
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "name", StringType()))
    table = iceberg.create_table(f"{namespace}.t", schema, partition_spec=PartitionSpec(
        PartitionField(1, 1000, IdentityTransform(), "id_part")), properties={"format-version": "1"})
    table.append(rows(0, 2))
    assert iceberg.load_table(f"{namespace}.t").metadata.format_version == 1
    with table.transaction() as transaction:
        transaction.upgrade_table_version(2)
    table.append(rows(2, 2))
    found = iceberg.load_table(f"{namespace}.t")
    assert found.metadata.format_version == 2 and found.metadata.last_sequence_number == 1
    assert sorted(found.scan().to_arrow()["id"].to_pylist()) == [0, 1, 2, 3]

# SPDX-License-Identifier: Apache-2.0
"""Appends rows to a table with pyiceberg, in a process of its own: URI, keys, table, who, how many."""
import sys

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException


def main(uri, access, secret, name, who, count):
    catalog = load_catalog("apus", **{"type": "rest", "uri": uri, "s3.access-key-id": access,
                                      "s3.secret-access-key": secret})
    table = catalog.load_table(name)
    for number in range(int(count)):
        rows = pa.table({"who": [who], "n": pa.array([number], pa.int64())})
        while True:
            try:
                table.append(rows)
                break
            except CommitFailedException:
                table.refresh()


main(*sys.argv[1:])

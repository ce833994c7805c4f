// SPDX-License-Identifier: Apache-2.0
import ApusCore
import IcebergProtocol

/// Documents that the tests begin from.
enum Samples {
    static let uuid = "9c12d441-03fe-4693-9a96-a0705ddf69c1"
    static let location = "s3://bucket/lake/n/t"

    static func field(_ id: Int, _ name: String, _ type: JSONValue = "long", required: Bool = false) -> JSONValue {
        ["id": JSONValue(id), "name": .string(name), "type": type, "required": .bool(required)]
    }

    static func schema(_ fields: [JSONValue], id: Int = 0) -> JSONValue {
        ["type": "struct", "schema-id": JSONValue(id), "fields": .array(fields)]
    }

    static let fields = [
        field(1, "id", required: true), field(2, "name", "string"),
        field(
            3, "tags",
            ["type": "list", "element-id": 4, "element": "string", "element-required": false]),
        field(
            5, "more",
            [
                "type": "map", "key-id": 6, "key": "string", "value-id": 7, "value": "decimal(9,2)",
                "value-required": true,
            ]),
        field(8, "place", ["type": "struct", "fields": [field(9, "at", "timestamptz")]]),
    ]

    static func snapshot(_ id: Int64, sequence: Int64, at time: Int64 = 1000, parent: Int64? = nil) -> JSONValue {
        [
            "snapshot-id": .int(id), "parent-snapshot-id": parent.map(JSONValue.int) ?? .null,
            "sequence-number": .int(sequence), "timestamp-ms": .int(time),
            "manifest-list": "s3://bucket/lake/n/t/metadata/snap-\(id).avro",
            "summary": ["operation": "append"], "schema-id": 0,
        ]
    }

    /// A file of metadata of version 2 with everything in it.
    static let metadata: JSONValue = [
        "format-version": 2, "table-uuid": .string(uuid), "location": .string(location), "last-updated-ms": 2000,
        "last-sequence-number": 2, "last-column-id": 9, "current-schema-id": 0,
        "schemas": [schema(fields)], "default-spec-id": 1,
        "partition-specs": [
            ["spec-id": 0, "fields": []],
            [
                "spec-id": 1,
                "fields": [["source-id": 1, "field-id": 1000, "name": "id_bucket", "transform": "bucket[16]"]],
            ],
        ],
        "last-partition-id": 1000, "default-sort-order-id": 1,
        "sort-orders": [
            ["order-id": 0, "fields": []],
            [
                "order-id": 1,
                "fields": [
                    ["transform": "identity", "source-id": 2, "direction": "asc", "null-order": "nulls-first"]
                ],
            ],
        ],
        "properties": ["owner": "me"], "current-snapshot-id": 12,
        "snapshots": [snapshot(11, sequence: 1), snapshot(12, sequence: 2, at: 2000, parent: 11)],
        "refs": [
            "main": ["snapshot-id": 12, "type": "branch"],
            "v1": ["snapshot-id": 11, "type": "tag", "max-ref-age-ms": 100000],
        ],
        "snapshot-log": [
            ["timestamp-ms": 1000, "snapshot-id": 11], ["timestamp-ms": 2000, "snapshot-id": 12],
        ],
        "metadata-log": [
            ["timestamp-ms": 500, "metadata-file": "s3://bucket/lake/n/t/metadata/00000-a.metadata.json"]
        ],
        "statistics": [
            [
                "snapshot-id": 11, "statistics-path": "s3://bucket/s.puffin", "file-size-in-bytes": 10,
                "file-footer-size-in-bytes": 5,
                "blob-metadata": [["type": "x", "snapshot-id": 11, "sequence-number": 1, "fields": [1]]],
            ]
        ],
        "partition-statistics": [
            ["snapshot-id": 11, "statistics-path": "s3://bucket/p.parquet", "file-size-in-bytes": 10]
        ],
    ]

    static func table() throws -> TableMetadata { try TableMetadata(metadata) }

    /// Applies updates to a table, as a commit at the time 5000.
    static func commit(_ updates: [JSONValue], to base: TableMetadata?) throws -> TableMetadata? {
        let requirements: [JSONValue] = base == nil ? [["type": "assert-create"]] : []
        let request = try CommitRequest([
            "requirements": .array(requirements), "updates": .array(updates),
        ])
        return try request.apply(
            to: base, file: base == nil ? nil : "s3://bucket/m/00001-x.metadata.json", name: "n.t", now: 5000)
    }

    /// The code of the error that has to come.
    static func code(_ work: () throws -> Void) -> IcebergError.Code? {
        do {
            try work()
            return nil
        } catch {
            return (error as? IcebergError)?.code
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a client must know to read and to write the table (protocol, "Protocol Evolution").
package struct DeltaProtocolVersions: Sendable, Equatable {
    package var minReaderVersion: Int
    package var minWriterVersion: Int
    /// Only there with reader version 3.
    package var readerFeatures: Set<String>?
    /// Only there with writer version 7.
    package var writerFeatures: Set<String>?

    package init(
        minReaderVersion: Int = 1, minWriterVersion: Int = 2, readerFeatures: Set<String>? = nil,
        writerFeatures: Set<String>? = nil
    ) {
        self.minReaderVersion = minReaderVersion
        self.minWriterVersion = minWriterVersion
        self.readerFeatures = readerFeatures
        self.writerFeatures = writerFeatures
    }
}

/// Schema, partitioning and properties of the table (protocol, "Change Metadata").
package struct DeltaMetadata: Sendable, Equatable {
    /// A UUID that stays with the table.
    package var id: String
    package var name: String?
    package var description: String?
    /// Only `parquet` is defined.
    package var provider: String
    package var formatOptions: [String: String]
    /// JSON text of `DeltaSchema`.
    package var schemaString: String
    /// In order.
    package var partitionColumns: [String]
    /// Properties, `delta.…` and others.
    package var configuration: [String: String]
    /// Milliseconds since 1970.
    package var createdTime: Int64?

    package init(
        id: String, name: String? = nil, description: String? = nil, schemaString: String,
        partitionColumns: [String] = [], configuration: [String: String] = [:], createdTime: Int64? = nil
    ) {
        self.id = id
        self.name = name
        self.description = description
        provider = "parquet"
        formatOptions = [:]
        self.schemaString = schemaString
        self.partitionColumns = partitionColumns
        self.configuration = configuration
        self.createdTime = createdTime
    }
}

/// How far an application has come, in the same commit as its rows (protocol, "Transaction Identifiers").
package struct DeltaAppTransaction: Sendable, Equatable {
    package var appID: String
    package var version: Int64
    /// Milliseconds since 1970.
    package var lastUpdated: Int64?

    package init(appID: String, version: Int64, lastUpdated: Int64? = nil) {
        self.appID = appID
        self.version = version
        self.lastUpdated = lastUpdated
    }
}

/// A named text in the table's state (protocol, "Domain Metadata").
package struct DeltaDomain: Sendable, Equatable {
    package var domain: String
    package var configuration: String
    package var removed: Bool

    package init(domain: String, configuration: String, removed: Bool = false) {
        self.domain = domain
        self.configuration = configuration
        self.removed = removed
    }
}

/// Who did what: any JSON, of which some members have a meaning (protocol, "Commit Provenance Information").
package struct DeltaCommitInfo: Sendable, Equatable {
    package var content: JSONValue

    package init(_ content: JSONValue) { self.content = content }

    /// The time is in milliseconds since 1970, the operation `WRITE`, `DELETE`, …, and the transaction a unique text, by
    /// which a writer knows its own commit again.
    package init(
        time: Int64, operation: String, parameters: [String: String], readVersion: Int64?, isBlindAppend: Bool,
        transaction: String, metrics: [String: String] = [:]
    ) {
        content = [
            "timestamp": .int(time), "operation": .string(operation), "operationParameters": JSONValue(parameters),
            "readVersion": readVersion.map { .int($0) } ?? .null, "isBlindAppend": .bool(isBlindAppend),
            "isolationLevel": "Serializable", "engineInfo": "apus", "txnId": .string(transaction),
            "operationMetrics": metrics.isEmpty ? .null : JSONValue(metrics),
        ]
    }

    /// Milliseconds since 1970.
    package var timestamp: Int64? { content["timestamp"].int.map(Int64.init) }
    package var operation: String? { content["operation"].string }
    package var transaction: String? { content["txnId"].string }
    /// Milliseconds since 1970; later than that of the version before.
    package var inCommitTimestamp: Int64? {
        get { content["inCommitTimestamp"].int.map(Int64.init) }
        set { content["inCommitTimestamp"] = newValue.map { .int($0) } ?? .null }
    }
}

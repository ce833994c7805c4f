// SPDX-License-Identifier: Apache-2.0

/// What a catalog takes, keeps and tells its clients.
package struct CatalogConfiguration: Sendable {
    /// What clients may call the warehouse, beside its location.
    package var warehouseName = "apus"
    /// Settings that clients use where they have none of their own: `s3.endpoint`, `s3.path-style-access`, ….
    package var clientSettings: [String: String] = [:]
    /// Keys that are given to clients that ask for vended credentials; nil gives none out.
    package var vendedSettings: [String: String]?
    /// Bytes of a request.
    package var maximumBodyBytes = 16 << 20
    /// Bytes of all requests that are being received.
    package var bodyMemoryBytes: Int { max(64 << 20, 2 * maximumBodyBytes) }
    /// Bytes of a file of metadata.
    package var maximumMetadataBytes = 32 << 20
    /// Bytes of files of metadata that are kept in memory.
    package var cacheBytes = 48 << 20
    package var maximumNamespaces = 10_000
    package var maximumTables = 100_000
    /// How old a file of metadata must be that no commit came to refer to, before it is deleted.
    package var orphanAge: Duration = .seconds(24 * 3600)
    /// How often such files are looked for.
    package var orphanInterval: Duration = .seconds(3600)
    /// How often the trash is emptied.
    package var trashInterval: Duration = .seconds(5)

    package init() {}
}

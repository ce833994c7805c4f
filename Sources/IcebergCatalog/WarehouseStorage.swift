// SPDX-License-Identifier: Apache-2.0
package import IcebergProtocol

/// Where files of metadata are. Locations are whole: `s3://BUCKET/KEY`, `file:///PATH`.
package protocol WarehouseStorage: Sendable {
    var warehouse: Warehouse { get }

    /// Whether it is there and can be used; makes it where that can be.
    func prepare() async throws(IcebergError)

    /// A file's bytes; nil where there is none.
    func read(_ location: String, maximum: Int) async throws(IcebergError) -> [UInt8]?

    /// Writes a new file: it is there as a whole and lasts, or not at all.
    func write(_ location: String, _ bytes: [UInt8]) async throws(IcebergError)

    /// Files below a folder, in no order, each with its time in milliseconds since 1970.
    func list(_ folder: String, limit: Int) async throws(IcebergError) -> [(location: String, modified: Int64)]

    /// Deletes files; those that are not there are no failure.
    func delete(_ locations: [String]) async throws(IcebergError)
}

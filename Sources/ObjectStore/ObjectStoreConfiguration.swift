// SPDX-License-Identifier: Apache-2.0

/// How a store works; the defaults are those of `apus serve objects`.
package struct ObjectStoreConfiguration: Sendable {
    /// Bodies of up to so many bytes are rows of the database, longer ones files. Default: 32 KiB.
    package var inlineBytes = 32 << 10
    /// Bytes of a body that may wait for the disk before its writer has to. Default: 4 MiB.
    package var waitingBytes = 4 << 20
    /// Most mutations of one transaction. Default: 512.
    package var batchMutations = 512
    /// Connections that read, and threads while they do; as many for files. Default: 3.
    package var readers = 3
    /// Threads that write the files of long bodies. Default: 8.
    package var fileThreads = 8
    /// Memory for pages of the database, KiB: of the writer, and of each reader. Default: 4096 and 1024.
    package var writerCacheKiB = 4096
    package var readerCacheKiB = 1024
    /// The write-ahead log is moved into the database at so many pages of 4 KiB. Default: 8192 (32 MiB).
    package var checkpointPages = 8192
    /// Uploads that nobody finished are removed after so many milliseconds; nil for never. Default: seven days.
    package var abandonedUploadAge: Int64? = 7 * 86_400_000
    /// Fewest bytes of all parts but the last (S3: 5 MiB).
    package var minimumPartBytes: Int64 = 5 << 20
    /// Most pages of the database; nil for no bound. What does not fit is refused with `full`.
    package var maximumPages: Int?

    package init() {}
}

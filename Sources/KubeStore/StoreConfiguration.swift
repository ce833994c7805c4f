// SPDX-License-Identifier: Apache-2.0

/// The store's bounds.
package struct StoreConfiguration: Sendable {
    /// How many events the window for replays and old snapshots keeps. Default 10,000.
    package var windowEvents = 10_000
    /// How many bytes of objects the window keeps, an upper bound in memory. Default 32 MiB.
    package var windowBytes = 32 << 20
    /// How many undelivered events a watcher may have before it is ended. Default 10,000.
    package var watchBufferEvents = 10_000
    /// How many bytes of undelivered objects a watcher may have before it is ended. Default 16 MiB.
    package var watchBufferBytes = 16 << 20
    /// How many mutations one transaction takes at most. Default 512.
    package var batchMutations = 512
    /// After how many bytes of objects a transaction takes no further mutation. Default 8 MiB.
    package var batchBytes = 8 << 20
    /// The largest object, in bytes. Default 16 MiB.
    package var maximumObjectBytes = 16 << 20
    /// After how many pages of 4 KiB the write-ahead log is moved into the file. Default 4,000 (16 MiB).
    package var checkpointPages = 4_000
    /// The largest database file in pages of 4 KiB; beyond it writes fail with `.storageFull`. Default: no limit.
    package var maximumPages: Int?

    /// What is encrypted on disk. Default: nothing.
    package var encryption: StoreEncryption?

    /// The defaults.
    package init() {}
}

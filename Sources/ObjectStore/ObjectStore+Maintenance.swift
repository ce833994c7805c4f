// SPDX-License-Identifier: Apache-2.0

/// What maintenance removed.
package struct MaintenanceReport: Sendable, Equatable {
    /// Versions and delete markers that expired, and delete markers that were made instead.
    package var expired = 0
    /// Uploads that were not completed.
    package var uploads = 0
    /// Files that no row named.
    package var files = 0
    /// Versions that were left alone, as their rows are damaged.
    package var damaged = 0
}

extension ObjectStore {
    /// Rows that are looked at, and changes that are made, at a time.
    private static let maintenancePage = 500

    /// Removes what is due: by the rules of each bucket, uploads that nobody finished, and files that no row names.
    ///
    /// Once at a time; what is written meanwhile is left alone, and so is a bucket whose rules are others meanwhile.
    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - rules: the rules of a bucket by its document of them.
    /// - Returns: what was removed.
    /// - Throws: where the store failed.
    @discardableResult
    package func maintain(
        now: Int64, rules: @Sendable (BucketInfo) async -> [LifecycleRule] = { _ in [] }
    ) async throws(ObjectStoreError) -> MaintenanceReport {
        var report = MaintenanceReport()
        for bucket in await buckets() {
            let rules = await rules(bucket)
            do throws(ObjectStoreError) {
                if !rules.isEmpty { try await expire(bucket, rules, now: now, &report) }
                report.uploads += try await abandon(bucket, rules, now: now)
            } catch {
                // It was removed meanwhile.
                guard error.code == .noSuchBucket else { throw error }
            }
        }
        let readers = readers
        report.files = await files.sweep { readers.names($0) } ?? 0
        await readers.shrink()
        try await writer.commit { $0.connection.shrink() }
        return report
    }

    /// A version as maintenance sees it.
    private struct Seen: Sendable {
        var info: ObjectInfo
        var sequence: Int64
    }

    /// A version that is to go.
    fileprivate struct Due: Sendable {
        var key: String
        var sequence: Int64
        /// The newest of its key, which still has to be that.
        var isNewest: Bool
        /// Removed for good, whatever the bucket's versioning.
        var isForGood: Bool
    }

    private func expire(
        _ bucket: BucketInfo, _ rules: [LifecycleRule], now: Int64, _ report: inout MaintenanceReport
    ) async throws(ObjectStoreError) {
        var finder = ExpiryFinder(rules: rules, now: now)
        var place = KeyScan<Seen>.Place.before([])
        while true {
            let from = place
            let (page, isTruncated, skipped) = try await readers.read { connection in
                var damaged = 0
                var scan = KeyScan<Seen>(prefix: "", delimiter: "", maximum: Self.maintenancePage)
                try scan.run(connection.prepared(.listVersions), bucket: bucket.id, from: from, newestOnly: false) {
                    key, age, data in
                    guard let record = try VersionReading.ifIntact(data, bucket, key: key, age: age) else {
                        damaged += 1
                        return nil
                    }
                    return Seen(
                        info: record.info(key: String(decoding: key, as: UTF8.self), isLatest: false),
                        sequence: record.sequence)
                }
                return (scan.elements, scan.isTruncated, damaged)
            }
            report.damaged += skipped
            var due: [Due] = []
            for seen in page {
                due += finder.next(seen.info, sequence: seen.sequence).map { Due($0, bucket) }
            }
            if !isTruncated { due += finder.end().map { Due($0, bucket) } }
            if !due.isEmpty { report.expired += try await remove(due, bucket, now: now) }
            guard isTruncated, let last = page.last else { return }
            place = .init(key: Array(last.info.key.utf8), number: -last.sequence)
        }
    }

    private func remove(_ due: [Due], _ bucket: BucketInfo, now: Int64) async throws(ObjectStoreError) -> Int {
        try await writer.commit { transaction in
            let info = try transaction.bucket(bucket.name)
            guard info.id == bucket.id, info.documents[.lifecycle] == bucket.documents[.lifecycle] else { return 0 }
            var count = 0
            for item in due {
                do {
                    let newest = try transaction.newest(info, item.key)
                    if item.isNewest, newest?.sequence != item.sequence { continue }
                    if !item.isForGood {
                        _ = try transaction.delete(DeletionRequest(key: item.key), info, now: now)
                    } else if let record = try transaction.version(info, item.key, sequence: item.sequence) {
                        try transaction.remove(record, info, item.key)
                    } else {
                        continue
                    }
                    count += 1
                } catch is ObjectStoreError {
                    // A damaged row stays as it is.
                }
            }
            return count
        }
    }

    private func abandon(
        _ bucket: BucketInfo, _ rules: [LifecycleRule], now: Int64
    ) async throws(ObjectStoreError) -> Int {
        let rules = rules.filter { $0.abortUploadDays != nil }
        guard configuration.abandonedUploadAge != nil || !rules.isEmpty else { return 0 }
        var query = UploadQuery(maximum: Self.maintenancePage)
        var count = 0
        while true {
            let page = try await uploads(bucket: bucket.name, query)
            for upload in page.uploads {
                let isOld = configuration.abandonedUploadAge.map { upload.initiated <= now - $0 } ?? false
                let isDue = rules.contains { rule in
                    guard let days = rule.abortUploadDays, upload.key.utf8.starts(with: rule.prefix.utf8) else {
                        return false
                    }
                    return LifecycleRule.due(upload.initiated, days: days) <= now
                }
                guard isOld || isDue else { continue }
                do throws(ObjectStoreError) {
                    try await abortUpload(upload.id, bucket: bucket.name, key: upload.key)
                    count += 1
                } catch {
                    // Somebody has completed or aborted it.
                    guard error.code == .noSuchUpload else { throw error }
                }
            }
            guard let key = page.nextKey else { return count }
            query.afterKey = key
            query.afterUpload = page.nextUpload
        }
    }
}

extension ObjectStore.Due {
    fileprivate init(_ found: ExpiryFinder.Expired, _ bucket: BucketInfo) {
        self.init(
            key: found.key, sequence: found.sequence, isNewest: found.isNewest,
            isForGood: !found.isNewest || found.isDeleteMarker)
    }
}

/// Finds what the rules of a bucket let expire, from its versions in order. Pure.
struct ExpiryFinder {
    struct Expired: Equatable {
        var key: String
        var sequence: Int64
        var isNewest: Bool
        var isDeleteMarker: Bool
    }

    private let rules: [LifecycleRule]
    private let now: Int64
    /// The version before, which is newer where its key is the same.
    private var previous: (info: ObjectInfo, sequence: Int64)?
    /// How many versions of the key came before it.
    private var index = 0

    init(rules: [LifecycleRule], now: Int64) {
        self.rules = rules
        self.now = now
    }

    /// Looks at the next version.
    mutating func next(_ info: ObjectInfo, sequence: Int64) -> [Expired] {
        var expired: [Expired] = []
        if let before = previous, before.info.key.utf8.elementsEqual(info.key.utf8) {
            index += 1
            let newer = index - 1
            if rules.contains(where: {
                $0.expiresNoncurrent(info, followed: before.info.modified, newer: newer, now: now)
            }) {
                expired.append(
                    Expired(key: info.key, sequence: sequence, isNewest: false, isDeleteMarker: info.isDeleteMarker))
            }
        } else {
            expired += end()
            index = 0
            if rules.contains(where: { $0.expires(info, now: now) }) {
                expired.append(Expired(key: info.key, sequence: sequence, isNewest: true, isDeleteMarker: false))
            }
        }
        previous = (info, sequence)
        return expired
    }

    /// Looks at the last version as the only one of its key, where it is.
    mutating func end() -> [Expired] {
        guard let last = previous, index == 0, last.info.isDeleteMarker,
            rules.contains(where: { $0.expiresDeleteMarkers && $0.covers(last.info) })
        else { return [] }
        return [Expired(key: last.info.key, sequence: last.sequence, isNewest: true, isDeleteMarker: true)]
    }
}

extension WriteTransaction {
    func version(_ bucket: BucketInfo, _ key: String, sequence: Int64) throws -> VersionRecord? {
        let statement = try connection.prepared(.version).bind(1, bucket.id).bind(2, key).bind(3, -sequence)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        return try key.withBytes {
            try VersionReading.decode(statement.bytes(1), bucket, key: $0, age: statement.integer(0))
        }
    }
}

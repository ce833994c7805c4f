// SPDX-License-Identifier: Apache-2.0

/// A rule that removes what is old (S3: LifecycleConfiguration), enabled ones only.
package struct LifecycleRule: Sendable, Equatable {
    /// Which objects: those whose keys begin so, …
    package var prefix = ""
    /// … which have all these tags, …
    package var tags: [ObjectField] = []
    /// … and are larger or smaller than so many bytes.
    package var sizeGreaterThan: Int64?
    package var sizeLessThan: Int64?

    /// Newest versions expire so many days after they were written, at the next midnight UTC, …
    package var expirationDays: Int?
    /// … or from this time on (milliseconds since 1970).
    package var expirationDate: Int64?
    /// Delete markers without older versions go.
    package var expiresDeleteMarkers = false
    /// Older versions go so many days after they were followed by another, …
    package var noncurrentDays: Int?
    /// … but so many of the newest of them stay.
    package var noncurrentKept = 0
    /// Uploads that are not completed go so many days after they began.
    package var abortUploadDays: Int?

    package init() {}
}

extension LifecycleRule {
    private static let day: Int64 = 86_400_000

    /// The midnight that follows so many days after a time.
    static func due(_ time: Int64, days: Int) -> Int64 {
        let (span, overflow) = Int64(days).multipliedReportingOverflow(by: day)
        let (end, overflowEnd) = time.addingReportingOverflow(span)
        guard !overflow, !overflowEnd, end < .max - 2 * day else { return .max }
        return end % day == 0 ? end : (end / day + 1) * day
    }

    /// Whether the rule is about this version.
    func covers(_ info: ObjectInfo) -> Bool {
        guard info.key.utf8.starts(with: prefix.utf8) else { return false }
        if info.isDeleteMarker { return tags.isEmpty && sizeGreaterThan == nil && sizeLessThan == nil }
        if let least = sizeGreaterThan, info.size <= least { return false }
        if let most = sizeLessThan, info.size >= most { return false }
        return tags.allSatisfy { tag in
            info.attributes.tags.contains {
                $0.name.utf8.elementsEqual(tag.name.utf8) && $0.value.utf8.elementsEqual(tag.value.utf8)
            }
        }
    }

    /// Whether the newest version of a key has expired.
    func expires(_ info: ObjectInfo, now: Int64) -> Bool {
        guard !info.isDeleteMarker, covers(info) else { return false }
        if let days = expirationDays, Self.due(info.modified, days: days) <= now { return true }
        if let date = expirationDate, date <= now { return true }
        return false
    }

    /// Whether an older version has expired.
    ///
    /// - Parameters:
    ///   - info: the version.
    ///   - followed: when the next newer version was written.
    ///   - newer: how many older versions are newer than this one.
    ///   - now: milliseconds since 1970.
    /// - Returns: whether it goes.
    func expiresNoncurrent(_ info: ObjectInfo, followed: Int64, newer: Int, now: Int64) -> Bool {
        guard let days = noncurrentDays, newer >= noncurrentKept, covers(info) else { return false }
        return Self.due(followed, days: days) <= now
    }
}

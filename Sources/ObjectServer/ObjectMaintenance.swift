// SPDX-License-Identifier: Apache-2.0
package import Logging
package import ObjectStore
import S3Protocol

/// What becomes of objects with time.
package enum ObjectMaintenance {
    /// Removes what is due by the rules of each bucket, and uploads that nobody finished.
    /// - Parameters:
    ///   - store: where the objects are.
    ///   - now: milliseconds since 1970.
    ///   - logger: for what was removed, and why nothing could be.
    package static func run(_ store: ObjectStore, now: Int64, logger: Logger) async {
        do {
            let report = try await store.maintain(now: now) { rules(of: $0, logger) }
            if report.damaged > 0 {
                logger.error(
                    "objects cannot expire, as what is known of them is damaged: restore the store from a backup",
                    metadata: ["objects": "\(report.damaged)"])
            }
            guard report.expired + report.uploads + report.files > 0 else { return }
            logger.info(
                "objects were removed that were due",
                metadata: [
                    "expired": "\(report.expired)", "uploads": "\(report.uploads)", "files": "\(report.files)",
                ])
        } catch {
            logger.error("what is due could not be removed", metadata: ["why": "\(error)"])
        }
    }

    private static func rules(of bucket: BucketInfo, _ logger: Logger) -> [LifecycleRule] {
        guard let bytes = bucket.documents[.lifecycle] else { return [] }
        do {
            return try S3Documents.LifecycleConfiguration(xml: bytes).rules.filter(\.isEnabled).map(Self.rule)
        } catch {
            logger.error(
                "a lifecycle configuration cannot be used",
                metadata: ["bucket": "\(bucket.name)", "why": "\(error)"])
            return []
        }
    }

    /// A rule of S3's document as the store has it.
    static func rule(_ rule: S3Documents.LifecycleConfiguration.Rule) -> LifecycleRule {
        var result = LifecycleRule()
        result.prefix = rule.prefix
        result.tags = rule.tags.map { ObjectField($0.key, $0.value) }
        result.sizeGreaterThan = rule.largerThan
        result.sizeLessThan = rule.smallerThan
        switch rule.expiration {
        case .days(let days): result.expirationDays = Int(clamping: days)
        case .date(let date): result.expirationDate = date
        case .deleteMarker: result.expiresDeleteMarkers = true
        case nil: break
        }
        result.noncurrentDays = rule.noncurrentDays.map { Int(clamping: $0) }
        result.noncurrentKept = Int(clamping: rule.noncurrentKept ?? 0)
        result.abortUploadDays = rule.abortUploadsAfter.map { Int(clamping: $0) }
        return result
    }
}

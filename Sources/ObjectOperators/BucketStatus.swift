// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The status of a Bucket, with ACK's conditions (core.services.k8s.aws/v1alpha1).
enum BucketStatus {
    /// Whether the bucket is as declared.
    static let synced = "ACK.ResourceSynced"
    /// The spec has to be changed before anything more is done.
    static let terminal = "ACK.Terminal"
    /// It may heal by itself, and is tried again.
    static let recoverable = "ACK.Recoverable"
    /// The same as ``synced``, in the name that other kinds have.
    static let ready = "Ready"

    /// The account of all buckets, as servers beside AWS have none.
    private static let account = "000000000000"

    static func arn(_ bucket: String) -> String { "arn:aws:s3:::" + bucket }

    /// The bucket that an object has made its own; nil before.
    static func claimed(_ object: KubeObject) -> String? {
        object.status["ackResourceMetadata"]["arn"].string.map { String($0.dropFirst(arn("").utf8.count)) }
    }

    /// Makes a bucket the object's: said before the bucket is made, so that it is known whatever comes between.
    static func claim(_ bucket: String, region: String, in status: inout JSONValue) {
        status["ackResourceMetadata"] = [
            "arn": .string(arn(bucket)), "ownerAccountID": .string(account), "region": .string(region),
        ]
    }

    /// Says how it went.
    /// - Parameters:
    ///   - refusal: why the bucket is not as declared; nil where it is.
    ///   - now: when that is.
    ///   - status: of the object.
    static func report(_ refusal: Refusal?, now: Timestamp, in status: inout JSONValue) {
        for (type, isSet) in [(terminal, refusal?.isTerminal == true), (recoverable, refusal?.isTerminal == false)] {
            if isSet, let refusal {
                Conditions.set(
                    type, "True", reason: refusal.reason, message: refusal.description, now: now, in: &status)
            } else {
                Conditions.remove(type, in: &status)
            }
        }
        for type in [synced, ready] {
            if let refusal {
                Conditions.set(
                    type, "False", reason: refusal.reason, message: refusal.description, now: now, in: &status)
            } else {
                Conditions.set(type, "True", message: "the bucket is as declared", now: now, in: &status)
            }
        }
    }
}

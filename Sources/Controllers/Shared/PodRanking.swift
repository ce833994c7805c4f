// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Orders pods by how little is lost when they are deleted.
///
/// Source: Kubernetes "ReplicaSet: Scaling a ReplicaSet" and "Pod deletion cost".
enum PodRanking {
    private struct Rank: Comparable {
        var values: [Int64]
        var uid: String

        static func < (left: Rank, right: Rank) -> Bool {
            if left.values == right.values { return left.uid < right.uid }
            return left.values.lexicographicallyPrecedes(right.values)
        }
    }

    /// The pods, the ones to delete first in front.
    ///
    /// `related`: pods of all controllers of the same application, for spreading over nodes.
    static func deletionOrder(_ pods: [KubeObject], related: [KubeObject], now: Timestamp) -> [KubeObject] {
        var perNode: [String: Int64] = [:]
        for pod in related where pod.isActivePod { perNode[pod.nodeName, default: 0] += 1 }
        return pods.map { ($0, rank($0, perNode: perNode, now: now)) }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    private static func rank(_ pod: KubeObject, perNode: [String: Int64], now: Timestamp) -> Rank {
        let phase: Int64 =
            switch pod.phase {
            case "Pending": 0
            case "Unknown": 1
            default: 2
            }
        let cost = pod.annotations["controller.kubernetes.io/pod-deletion-cost"].flatMap { Int64($0) } ?? 0
        return Rank(
            values: [
                pod.nodeName.isEmpty ? 0 : 1, phase, pod.isReadyPod ? 1 : 0, cost,
                pod.nodeName.isEmpty ? 0 : -(perNode[pod.nodeName] ?? 0),
                logarithm(of: pod.readySince, now: now), -Int64(pod.restartCount),
                logarithm(of: pod.creationTimestamp, now: now),
            ], uid: pod.uid)
    }

    /// The power of two of the age in seconds; the youngest are deleted first. No time at all counts as youngest.
    private static func logarithm(of start: Timestamp?, now: Timestamp) -> Int64 {
        guard let start else { return -1 }
        let age = max(0, now.seconds - start.seconds)
        return Int64(Int64.bitWidth - (age + 1).leadingZeroBitCount)
    }
}

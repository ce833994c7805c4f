// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import SchedulerCore
import Synchronization

/// Does for the claims of a pod what was planned for the node that was chosen, and waits until they are bound.
///
/// Source: Kubernetes "Volume Binding Mode": the scheduler gives free volumes to claims itself, and names the node to
/// what makes volumes by the claim's annotation.
struct VolumeBinder: Sendable {
    /// Why the volumes are not there.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// How long volumes may take to be made. As upstream.
    private static let timeout: Duration = .seconds(600)

    let client: KubeClient
    let claims: Informer
    let volumes: Informer
    /// Rings when claims, volumes or pods change.
    let bell: Bell

    /// Returns when all is bound.
    /// - Parameters:
    ///   - plan: what to do.
    ///   - node: the node that was chosen.
    ///   - progress: how far the claims are; nil when the pod is gone.
    /// - Throws: ``Failure`` when they will not come to be bound there; `CancellationError` when nobody needs them.
    func bind(_ plan: VolumePlan, to node: String, progress: @escaping @Sendable () -> VolumeProgress?) async throws {
        for (claim, volume) in plan.bindings { try await give(volume, to: claim) }
        var chosen: [ObjectKey: Int64] = [:]
        for claim in plan.provisions { chosen[claim] = try await choose(node, for: claim) }
        let rings = bell.listen()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [chosen] in
                for await _ in rings {
                    switch progress() {
                    case .waiting: continue
                    // Until what was written is seen; after that, what was to make a volume there has given up.
                    case .unchosen(let claim, let version):
                        guard version >= chosen[claim] ?? 0 else { continue }
                        throw Failure(description: "no volume could be made for \(claim) on \(node)")
                    case .bound: return
                    case .failed(let why): throw Failure(description: why)
                    case nil: throw CancellationError()
                    }
                }
                throw CancellationError()
            }
            group.addTask {
                try await Task.sleep(for: Self.timeout)
                throw Failure(description: "timed out waiting for the volumes to be bound")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func give(_ name: String, to key: ObjectKey) async throws {
        guard let claim = claims.get(key), var volume = volumes.get(ObjectKey(namespace: "", name: name)) else {
            throw Failure(description: "volume \"\(name)\" or its claim is gone")
        }
        if volume.spec["claimRef"]["uid"].string == claim.uid { return }
        if volume.spec["claimRef"].isNull { volume.annotations[VolumeAnnotations.boundByController] = "yes" }
        volume.spec["claimRef"] = claim.objectReference
        _ = try await client.update(.persistentVolumes, volume)
    }

    /// Names the node to what makes volumes; returns the claim's version that says so.
    private func choose(_ node: String, for key: ObjectKey) async throws -> Int64 {
        guard var claim = claims.get(key) else { throw Failure(description: "claim \"\(key)\" is gone") }
        if claim.annotations[VolumeAnnotations.selectedNode] == node { return Int64(claim.resourceVersion) ?? 0 }
        let metadata: JSONValue = [
            "uid": .string(claim.uid), "annotations": [VolumeAnnotations.selectedNode: .string(node)],
        ]
        claim = try await client.patch(.persistentVolumeClaims, key, .merge, ["metadata": metadata])
        return Int64(claim.resourceVersion) ?? 0
    }
}

/// Wakes all who listen.
final class Bell: Sendable {
    private struct State {
        var next = 0
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state = Mutex(State())

    /// Rings once at the start, then after each ``ring()``; several rings that are not waited for are one.
    func listen() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            state.next += 1
            state.listeners[state.next] = continuation
            return state.next
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: id) }
        }
        continuation.yield()
        return stream
    }

    func ring() {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield() }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ContainerRuntimes
package import KubeAPI

extension NodeAgent {
    /// The log of a container of a pod on this node.
    ///
    /// - Parameters:
    ///   - key: namespace and name of the pod.
    ///   - container: its name; may be left out when the pod has only one, or names its default one.
    ///   - options: which part is wanted, and whether to follow it to the end of the container.
    ///   - previous: the run before the present one.
    /// - Returns: the text as it becomes known.
    /// - Throws: ``StatusError`` in upstream's words when there is no such log.
    package func containerLog(
        pod key: ObjectKey, container: String? = nil, options: LogOptions = LogOptions(), previous: Bool = false
    ) async throws -> AsyncThrowingStream<[UInt8], any Error> {
        guard let worker = worker(of: key) else { throw StatusError.notFound(.pods, key.name) }
        let snapshot = worker.snapshot
        let names = snapshot.plan.containers.filter { $0.role == .main }.map(\.name)
        let fallback = snapshot.pod.annotations["kubectl.kubernetes.io/default-container"]
        guard let name = container ?? fallback ?? (names.count == 1 ? names.first : nil) else {
            throw StatusError.badRequest(
                "a container name must be specified for pod \(key.name), choose one of: [\(names.joined(separator: " "))]"
            )
        }
        guard snapshot.plan.containers.contains(where: { $0.name == name }) else {
            throw StatusError.badRequest("container \(name) is not valid for pod \(key.name)")
        }
        let record = snapshot.records.first { $0.plan.name == name }
        // A run that is yet to begin has no log; then the one before it is the latest.
        var attempt = record?.attempt ?? 0
        let hasBegun = record.map { $0.isRunning || $0.termination != nil } ?? false
        if previous {
            guard attempt > 0 else {
                throw StatusError.badRequest(
                    "previous terminated container \"\(name)\" in pod \"\(key.name)\" not found")
            }
            attempt -= 1
        } else if !hasBegun {
            guard attempt > 0 else {
                let isBehindOthers = record?.phase == .idle
                let reason = record?.waiting?.reason ?? (isBehindOthers ? "PodInitializing" : "ContainerCreating")
                throw StatusError.badRequest(
                    "container \"\(name)\" in pod \"\(key.name)\" is waiting to start: \(reason)")
            }
            attempt -= 1
        }
        let id = worker.id(name, attempt)
        let runtime = worker.node.runtime
        return ContainerLogs.read(path: worker.directory.log(name, attempt: attempt), options: options) {
            await runtime.state(of: id)?.isFinal ?? true
        }
    }
}

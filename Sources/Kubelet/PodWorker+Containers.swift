// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import FoundationEssentials
import KubeAPI
import KubeClient
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Making a pod's address, directories and volumes, and giving its containers to the runtime.
extension PodWorker {
    /// Where programs expect the token of their service account.
    private static let tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"
    private static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    func prepare() async {
        await node.withPermit {
            let snapshot = snapshot
            let pod = snapshot.pod
            do {
                let names = snapshot.plan.containers.map(\.name)
                guard !(names + [pod.name, pod.namespace, pod.uid]).contains(where: { $0.contains("/") }) else {
                    throw VolumeError("the names of the pod and of its containers must not contain \"/\"")
                }
                let directory = directory
                try await NIOThreadPool.singleton.runIfActive { try directory.create(containers: names) }
                let address =
                    snapshot.plan.usesHostNetwork
                    ? node.configuration.hostAddress
                    : try node.addresses.allocate(uid, preferred: pod.status["podIP"].string)
                try await volumes.prepare(try await node.environment(for: pod, address: address))
                send(.prepared(address: address))
            } catch {
                if !Task.isCancelled { send(.preparationFailed("\(error)")) }
            }
        }
    }

    /// Writes the content of volumes again.
    func refreshVolumes() async {
        let snapshot = snapshot
        do {
            try await volumes.prepare(try await node.environment(for: snapshot.pod, address: snapshot.address))
        } catch {
            if !Task.isCancelled { tell(isWarning: true, "FailedMount", "\(error)") }
        }
    }

    /// Renews the tokens in volumes before they grow old.
    func refreshTokens() async {
        while let due = await volumes.refreshAt {
            guard (try? await Task.sleep(for: max(.seconds(10), due - .now()))) != nil, !snapshot.isStopping else {
                return
            }
            refresh()
        }
    }

    func start(_ name: String, _ attempt: Int) async {
        await node.withPermit {
            let snapshot = snapshot
            guard !snapshot.isStopping, let plan = snapshot.plan.containers.first(where: { $0.name == name }) else {
                send(
                    .startRefused(name, attempt: attempt, reason: "PodTerminating", message: "the pod is being stopped")
                )
                return
            }
            do {
                let spec = try await spec(plan, attempt, snapshot)
                tellBefore(plan, spec)
                let state = try await node.runtime.start(spec)
                for notice in node.runtime.notices(for: spec) {
                    tellOnce(isWarning: true, notice.reason, notice.message)
                }
                await report(name, attempt, state)
            } catch let error as ContainerConfigError {
                send(.startRefused(name, attempt: attempt, reason: error.reason, message: error.message))
            } catch let error as RuntimeError where error.code == .alreadyExists {
                await report(name, attempt, await node.runtime.state(of: id(name, attempt)) ?? .lost)
            } catch {
                guard !Task.isCancelled else { return }
                send(.startRefused(name, attempt: attempt, reason: "RunContainerError", message: "\(error)"))
            }
        }
    }

    private func tellBefore(_ plan: ContainerPlan, _ spec: ContainerSpec) {
        let note =
            ContainerCommand.isApus(image: plan.image)
            ? "Container image \"\(plan.image)\" is this Apus binary"
            : "Container image \"\(plan.image)\" is not pulled by the process runtime: command runs on the host"
        tell(isWarning: false, "Pulled", note, container: plan.name)
        let unreachable = plan.json["volumeMounts"].elements.filter { mount in
            let path = mount["mountPath"].string ?? ""
            return path != Self.tokenPath && spec.environment[Self.variable(mount)] != path
        }
        if !unreachable.isEmpty {
            let list = unreachable.map { "\($0["mountPath"].string ?? ""): $\(Self.variable($0))" }
            tellOnce(
                isWarning: true, "MountPathNotMounted",
                "The process runtime does not mount volumes; their directories are in environment variables "
                    + "(\(list.joined(separator: ", ")))")
        }
        tell(isWarning: false, "Created", "Created container: \(plan.name)", container: plan.name)
    }

    private static func variable(_ mount: JSONValue) -> String {
        let name = (mount["name"].string ?? "").uppercased().map { $0 == "-" || $0 == "." ? "_" : $0 }
        return "APUS_VOLUME_\(String(name))"
    }

    private func spec(_ plan: ContainerPlan, _ attempt: Int, _ snapshot: Snapshot) async throws -> ContainerSpec {
        let pod = snapshot.pod
        let container = plan.json
        var base = node.configuration.baseEnvironment
        let apusDirectory = String(
            node.configuration.apusPath[..<(node.configuration.apusPath.lastIndex(of: "/") ?? "/".startIndex)])
        let path = base["PATH"] ?? ProcessInfo.processInfo.environment["PATH"] ?? Self.defaultPath
        base["PATH"] = "\(apusDirectory):\(path)"
        base["TMPDIR"] = directory.temporary
        base["HOME"] = base["HOME"] ?? directory.path
        let messagePath = "\(directory.path)/\(plan.name)/\(attempt).message"
        base["APUS_TERMINATION_LOG"] = messagePath
        let paths = await volumes.paths
        for mount in container["volumeMounts"].elements {
            guard let path = paths[mount["name"].string ?? ""] else {
                throw ContainerConfigError("volume \"\(mount["name"].string ?? "")\" of a mount is not in the pod")
            }
            do {
                let target = try PodDirectory.join(path, mount["subPath"].string ?? "")
                base[Self.variable(mount)] = target
                if mount["mountPath"].string == Self.tokenPath { base["APUS_SERVICE_ACCOUNT"] = target }
                if target != path {
                    try? FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
                }
            } catch {
                throw ContainerConfigError(error.message)
            }
        }
        let environment = try await node.environment(for: pod, address: snapshot.address)
            .variables(for: container, base: base)
        var spec = ContainerSpec(
            id: id(plan.name, attempt), podUID: uid, namespace: pod.namespace, podName: pod.name,
            containerName: plan.name, attempt: attempt,
            argv: try ContainerCommand.resolve(
                container, apusPath: node.configuration.apusPath, environment: environment),
            environment: environment, workingDirectory: container["workingDir"].string ?? directory.path,
            logPath: directory.log(plan.name, attempt: attempt))
        spec.terminationMessagePath = messagePath
        func amount(_ list: String, _ name: String) -> Quantity? {
            let value = container["resources"][list][name]
            return Quantity(value.string ?? value.int.map(String.init) ?? "")
        }
        spec.cpuMillis = amount("limits", "cpu")?.millis
        spec.cpuRequestMillis = (amount("requests", "cpu") ?? amount("limits", "cpu"))?.millis
        spec.memoryBytes = amount("limits", "memory")?.value
        let security = container["securityContext"]
        let podSecurity = pod.spec["securityContext"]
        spec.user = (security["runAsUser"].int ?? podSecurity["runAsUser"].int).flatMap(UInt32.init(exactly:))
        spec.group = (security["runAsGroup"].int ?? podSecurity["runAsGroup"].int).flatMap(UInt32.init(exactly:))
        spec.supplementalGroups = podSecurity["supplementalGroups"].elements.compactMap {
            $0.int.flatMap(UInt32.init(exactly:))
        }
        return spec
    }

    /// Tells the machine a state of the runtime.
    func report(_ name: String, _ attempt: Int, _ state: ContainerState) async {
        guard var observation = ContainerObservation(state) else { return }
        if case .exited(var termination) = observation, termination.exitCode != 0, termination.message.isEmpty,
            snapshot.plan.containers.first(where: { $0.name == name })?.fallsBackToLog == true
        {
            termination.message = await endOfLog(name, attempt)
            observation = .exited(termination)
        }
        send(.container(name, attempt: attempt, observation))
    }

    /// The end of a log, as `terminationMessagePolicy: FallbackToLogsOnError` takes it: 80 lines or 2 KiB at most.
    private func endOfLog(_ name: String, _ attempt: Int) async -> String {
        var options = LogOptions()
        options.tailLines = 80
        var bytes: [UInt8] = []
        do {
            for try await chunk in ContainerLogs.read(path: directory.log(name, attempt: attempt), options: options) {
                bytes = (bytes + chunk).suffix(2048)
            }
        } catch {
            return ""
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func terminate(_ name: String, _ attempt: Int) async {
        let id = id(name, attempt)
        do {
            try await node.runtime.signal(id, SIGTERM)
        } catch {
            await report(name, attempt, await node.runtime.state(of: id) ?? .lost)
        }
    }

    func remove(_ name: String, _ attempt: Int) async {
        try? await node.runtime.remove(id(name, attempt))
        let directory = directory
        _ = try? await NIOThreadPool.singleton.runIfActive { directory.removeRun(name, attempt: attempt) }
    }

    /// Removes all that is left of the pod on the node.
    func discard() async {
        node.watcher.unsubscribe(uid)
        node.addresses.release(uid)
        for record in snapshot.records {
            for attempt in max(0, record.attempt - 1)...record.attempt {
                try? await node.runtime.remove(id(record.plan.name, attempt))
            }
        }
        let directory = directory
        _ = try? await NIOThreadPool.singleton.runIfActive { directory.remove() }
    }
}

extension ContainerObservation {
    /// What a runtime's state means to the pod's machine; nil while a container is being started.
    init?(_ state: ContainerState) {
        switch state {
        case .created: return nil
        case .running(_, let startedAt): self = .running(startedAt: startedAt)
        case .exited(let code, let signal, let startedAt, let finishedAt, let oomKilled, let message):
            self = .exited(
                Termination(
                    exitCode: Int(code), signal: signal.map { Int($0) }, reason: oomKilled ? "OOMKilled" : nil,
                    message: message ?? "", startedAt: startedAt, finishedAt: finishedAt))
        case .failedToStart(let message): self = .failedToStart(message)
        case .lost: self = .lost
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// What a pod's specification asks of the node agent, read once (core/v1 PodSpec).
package struct PodPlan: Sendable, Equatable {
    /// `spec.restartPolicy`.
    package enum RestartPolicy: String, Sendable {
        case always = "Always"
        case onFailure = "OnFailure"
        case never = "Never"
    }

    package var uid: String
    package var key: ObjectKey
    package var restartPolicy: RestartPolicy
    /// `terminationGracePeriodSeconds`, default 30 s.
    package var gracePeriod: Duration
    /// `activeDeadlineSeconds`, counted from the pod's start on this node.
    package var activeDeadline: Duration?
    package var usesHostNetwork: Bool
    package var readinessGates: [String]
    /// Init containers first, in order, then the main containers.
    package var containers: [ContainerPlan]

    package init(_ pod: KubeObject) {
        let spec = pod.spec
        uid = pod.uid
        key = pod.key
        restartPolicy = spec["restartPolicy"].string.flatMap(RestartPolicy.init(rawValue:)) ?? .always
        gracePeriod = .seconds(spec["terminationGracePeriodSeconds"].int ?? 30)
        activeDeadline = spec["activeDeadlineSeconds"].int.map { .seconds($0) }
        usesHostNetwork = spec["hostNetwork"].bool ?? false
        readinessGates = spec["readinessGates"].elements.compactMap { $0["conditionType"].string }
        containers =
            spec["initContainers"].elements.map { json in
                ContainerPlan(json, role: json["restartPolicy"].string == "Always" ? .sidecar : .initializer)
            } + spec["containers"].elements.map { ContainerPlan($0, role: .main) }
    }
}

/// One container of a pod (core/v1 Container).
package struct ContainerPlan: Sendable, Equatable {
    /// When a container runs within the life of its pod.
    package enum Role: Sendable {
        /// Runs once, before the main containers.
        case initializer
        /// An init container with `restartPolicy: Always`: starts in order, keeps running beside the main containers.
        case sidecar
        case main
    }

    package var name: String
    package var image: String
    package var role: Role
    package var json: JSONValue
    package var probes: [ProbeKind: ProbePlan]
    package var postStart: ProbeAction?
    package var preStop: ProbeAction?
    /// `terminationMessagePolicy: FallbackToLogsOnError`.
    package var fallsBackToLog: Bool

    package init(_ json: JSONValue, role: Role) {
        name = json["name"].string ?? ""
        image = json["image"].string ?? ""
        self.role = role
        self.json = json
        probes = [:]
        if role != .initializer {
            for kind in ProbeKind.allCases where !json[kind.field].isNull {
                probes[kind] = ProbePlan(json[kind.field], kind: kind, container: json)
            }
        }
        fallsBackToLog = json["terminationMessagePolicy"].string == "FallbackToLogsOnError"
        let lifecycle = json["lifecycle"]
        postStart = lifecycle["postStart"].isNull ? nil : ProbeAction(lifecycle["postStart"], container: json)
        preStop = lifecycle["preStop"].isNull ? nil : ProbeAction(lifecycle["preStop"], container: json)
    }

    /// `spec.containers{name}` or `spec.initContainers{name}`, as events name the part of the pod concerned.
    package var fieldPath: String { role == .main ? "spec.containers{\(name)}" : "spec.initContainers{\(name)}" }
}

/// What a probe is asked for.
package enum ProbeKind: String, Sendable, CaseIterable {
    case startup = "Startup"
    case liveness = "Liveness"
    case readiness = "Readiness"

    var field: String { rawValue.lowercased() + "Probe" }
}

/// One probe (core/v1 Probe) with upstream's defaults.
package struct ProbePlan: Sendable, Equatable {
    package var action: ProbeAction
    package var initialDelay: Duration
    /// Default 10 s.
    package var period: Duration
    /// Default 1 s.
    package var timeout: Duration
    /// Consecutive successes that make it pass; always 1 for liveness and startup.
    package var successThreshold: Int
    /// Consecutive failures that make it fail; default 3.
    package var failureThreshold: Int
    /// Replaces the pod's grace period when this probe's failure stops the container.
    package var gracePeriod: Duration?

    package init(_ json: JSONValue, kind: ProbeKind, container: JSONValue) {
        action = ProbeAction(json, container: container)
        initialDelay = .seconds(max(0, json["initialDelaySeconds"].int ?? 0))
        period = .seconds(max(1, json["periodSeconds"].int ?? 10))
        timeout = .seconds(max(1, json["timeoutSeconds"].int ?? 1))
        successThreshold = kind == .readiness ? max(1, json["successThreshold"].int ?? 1) : 1
        failureThreshold = max(1, json["failureThreshold"].int ?? 3)
        gracePeriod = json["terminationGracePeriodSeconds"].int.map { .seconds($0) }
    }
}

/// What a probe or a lifecycle hook does (core/v1 ProbeHandler, LifecycleHandler).
package enum ProbeAction: Sendable, Equatable {
    case exec([String])
    /// An HTTP GET; an empty host is the pod's address.
    case http(scheme: String, host: String, port: Int, path: String, headers: [[String]])
    case tcp(host: String, port: Int)
    case sleep(Duration)
    /// Cannot be done; says why.
    case unsupported(String)

    package init(_ json: JSONValue, container: JSONValue) {
        func port(_ value: JSONValue) -> Int? {
            if let number = value.int ?? value.string.flatMap({ Int($0) }) {
                return (1...65535).contains(number) ? number : nil
            }
            return container["ports"].elements.first { $0["name"] == value }?["containerPort"].int
        }
        func badPort(_ value: JSONValue) -> ProbeAction {
            .unsupported("port \(value.text) is neither a number nor the name of a port of the container")
        }
        if !json["exec"].isNull {
            self = .exec(json["exec"]["command"].elements.compactMap(\.string))
        } else if !json["httpGet"].isNull {
            let get = json["httpGet"]
            guard let number = port(get["port"]) else {
                self = badPort(get["port"])
                return
            }
            let path = get["path"].string ?? "/"
            self = .http(
                scheme: (get["scheme"].string ?? "HTTP").lowercased(), host: get["host"].string ?? "", port: number,
                path: path.hasPrefix("/") ? path : "/" + path,
                headers: get["httpHeaders"].elements.map { [$0["name"].string ?? "", $0["value"].string ?? ""] })
        } else if !json["tcpSocket"].isNull {
            guard let number = port(json["tcpSocket"]["port"]) else {
                self = badPort(json["tcpSocket"]["port"])
                return
            }
            self = .tcp(host: json["tcpSocket"]["host"].string ?? "", port: number)
        } else if !json["sleep"].isNull {
            self = .sleep(.seconds(max(0, json["sleep"]["seconds"].int ?? 0)))
        } else if !json["grpc"].isNull {
            self = .unsupported("gRPC probes are not supported by this node agent: use httpGet, tcpSocket or exec")
        } else {
            self = .unsupported("no action is given: set one of exec, httpGet, tcpSocket")
        }
    }
}

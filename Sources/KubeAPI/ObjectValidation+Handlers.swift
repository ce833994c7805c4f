// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Probes and what happens at a container's start and end.
extension SemanticCheck {
    mutating func probes(_ path: FieldPath, _ container: JSONValue, gracePeriod: Int?) {
        for name in ["livenessProbe", "readinessProbe", "startupProbe"] where !container[name].isNull {
            probe(path[name], container[name], name, gracePeriod: gracePeriod)
        }
    }

    private mutating func probe(_ path: FieldPath, _ probe: JSONValue, _ name: String, gracePeriod: Int?) {
        handler(path, probe, ["exec", "httpGet", "tcpSocket", "grpc"], gracePeriod: gracePeriod)
        for field in [
            "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
        ] {
            errors.notNegative(path[field], probe[field])
        }
        let grace = probe["terminationGracePeriodSeconds"]
        if let seconds = grace.int, seconds <= 0 {
            errors.invalid(path["terminationGracePeriodSeconds"], grace, "must be greater than 0")
        }
        if name == "readinessProbe" {
            if !grace.isNull {
                errors.invalid(path["terminationGracePeriodSeconds"], grace, "must not be set for readinessProbes")
            }
        } else if let threshold = probe["successThreshold"].int, threshold != 1 {
            errors.invalid(path["successThreshold"], probe["successThreshold"], "must be 1")
        }
    }

    mutating func lifecycle(_ path: FieldPath, _ lifecycle: JSONValue, gracePeriod: Int?, system: String?) {
        for name in ["postStart", "preStop"] where !lifecycle[name].isNull {
            handler(
                path[name], lifecycle[name], ["exec", "httpGet", "tcpSocket", "sleep"], gracePeriod: gracePeriod)
        }
        guard let signal = lifecycle["stopSignal"].string else { return }
        switch system {
        case nil:
            errors.forbidden(path["stopSignal"], "may not be set for containers with empty `spec.os.name`")
        case "windows"?: errors.oneOf(path["stopSignal"], .string(signal), ["SIGKILL", "SIGTERM"])
        default: errors.oneOf(path["stopSignal"], .string(signal), Self.signals)
        }
    }

    /// The signals of Linux that may stop a container, sorted.
    private static let signals: [String] = {
        let named = [
            "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
            "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
            "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
        ]
        let realTime = (1...15).map { "RTMIN+\($0)" } + (1...14).map { "RTMAX-\($0)" }
        return (named + realTime).map { "SIG\($0)" }.sorted()
    }()

    private mutating func handler(_ path: FieldPath, _ handler: JSONValue, _ types: [String], gracePeriod: Int?) {
        let present = types.filter { !handler[$0].isNull }
        if let type = present.first { action(path[type], handler[type], type, gracePeriod: gracePeriod) }
        for type in present.dropFirst() {
            errors.forbidden(path[type], "may not specify more than 1 handler type")
        }
        if present.isEmpty { errors.required(path, "must specify a handler type") }
    }

    private mutating func action(_ path: FieldPath, _ action: JSONValue, _ type: String, gracePeriod: Int?) {
        switch type {
        case "exec":
            if action["command"].isEmpty { errors.required(path["command"]) }
        case "httpGet":
            if (action["path"].string ?? "").isEmpty { errors.required(path["path"]) }
            errors.portOrName(path["port"], action["port"])
            errors.oneOf(path["scheme"], action["scheme"], ["HTTP", "HTTPS"])
            for header in action["httpHeaders"].elements {
                errors.all(
                    path["httpHeaders"], header["name"].isNull ? "" : header["name"],
                    NameRules.headerName(header["name"].string ?? ""))
            }
        case "tcpSocket": errors.portOrName(path["port"], action["port"])
        case "grpc": errors.portOrName(path["port"], action["port"].isNull ? 0 : action["port"])
        case "sleep":
            let seconds = action["seconds"].int ?? 0
            if let gracePeriod, seconds < 0 || seconds > gracePeriod {
                errors.invalid(
                    path, JSONValue(seconds),
                    "must be non-negative and less than terminationGracePeriodSeconds (\(gracePeriod))")
            }
        default: break
        }
    }
}

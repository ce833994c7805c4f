// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import Foundation
import Logging

/// Where the platform keeps its data and listens; shared by `up`, `down`, `status`, `serve` and `demo`.
struct PlatformOptions: ParsableArguments {
    @Option(help: "Folder of the platform's data. (default: ~/.apus)")
    var dataDir: String?

    /// The folder, absolute.
    func resolvedDataDir(_ settings: Settings) -> String {
        absolute(settings.value("data-dir", dataDir) ?? "\(HomeFolder.path)/.apus")
    }
}

/// Where logs go and in which form.
struct LogOptions: ParsableArguments {
    @Option(help: "Form of the log on standard error: text or json. (default: text)")
    var logFormat: String?

    @Option(help: "Least level to log: trace, debug, info, notice, warning, error. (default: info)")
    var logLevel: String?

    /// Makes the process's logger.
    func logger(_ settings: Settings, defaultLevel: Logger.Level = .info) throws -> Logger {
        let format = settings.value("log-format", logFormat) ?? "text"
        guard let style = LogStyle(rawValue: format) else {
            throw ValidationError("--log-format must be text or json, not '\(format)'")
        }
        let name = settings.value("log-level", logLevel) ?? defaultLevel.rawValue
        guard let level = Logger.Level(rawValue: name) else {
            throw ValidationError(
                "--log-level must be trace, debug, info, notice, warning or error, not '\(name)'")
        }
        return StandardErrorLog.logger(label: "apus", style: style, level: level)
    }
}

/// Where the control plane listens and which addresses pods and services get.
struct NetworkOptions: ParsableArguments {
    @Option(help: "Address of the API server, HOST:PORT; port 0 takes a free one. (default: 127.0.0.1:6443)")
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "Second byte N of the loopback addresses 127.N.0.0/16 of pods; services get 127.(N+1).0.0/16. (default: 80)",
            valueName: "n"))
    var network: Int?

    /// The host and port.
    func resolvedListen(_ settings: Settings) throws -> (host: String, port: Int) {
        try hostAndPort("listen", settings.value("listen", listen), example: "127.0.0.1:6443", least: 0)
    }

    /// The second byte of the pods' addresses; nil when it is given nowhere.
    func resolvedNetwork(_ settings: Settings) throws -> Int? {
        guard let number = try settings.integer("network", network) else { return nil }
        guard (1...253).contains(number) else { throw ValidationError("--network must be 1 to 253, not \(number)") }
        return number
    }
}

/// The host and port of an option's value, or of its example, which is the default.
/// - Throws: ValidationError when it is not HOST:PORT with a port of `least` or more.
func hostAndPort(
    _ option: String, _ value: String?, example: String, least: Int = 1
) throws -> (host: String, port: Int) {
    let text = value ?? example
    guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
        let port = Int(text[text.index(after: colon)...]), (least...65535).contains(port)
    else { throw ValidationError("--\(option) must be HOST:PORT, such as \(example), not '\(text)'") }
    return (String(text[..<colon]), port)
}

/// What the API server audits and encrypts; shared by `up` and `serve`.
struct ProtectionOptions: ParsableArguments {
    @Option(help: "File with the audit policy (audit.k8s.io/v1 Policy, YAML); without it nothing is audited.")
    var auditPolicy: String?

    @Option(help: "Where audit events go, one JSON object a line. (default: DATA-DIR/audit.log)")
    var auditLog: String?

    @Option(
        help: ArgumentHelp("MiB after which a new audit log is begun. (default: 100)", valueName: "mib"))
    var auditLogMaxSize: Int?

    @Option(help: ArgumentHelp("How many old audit logs are kept. (default: 10)", valueName: "n"))
    var auditLogMaxBackups: Int?

    @Flag(help: "Make a new key for Secrets, and encrypt all of them again with it before starting.")
    var rotateEncryptionKey = false

    func resolved(_ settings: Settings) throws -> ProtectionConfiguration {
        var configuration = ProtectionConfiguration()
        configuration.auditPolicy = settings.value("audit-policy", auditPolicy).map(absolute)
        configuration.auditLog = settings.value("audit-log", auditLog).map(absolute)
        let size = try settings.integer("audit-log-max-size", auditLogMaxSize) ?? configuration.auditLogMiB
        let backups = try settings.integer("audit-log-max-backups", auditLogMaxBackups) ?? configuration.auditLogBackups
        guard (1...1_048_576).contains(size) else {
            throw ValidationError("--audit-log-max-size must be 1 to 1048576, not \(size)")
        }
        guard (0...100_000).contains(backups) else {
            throw ValidationError("--audit-log-max-backups must be 0 to 100000, not \(backups)")
        }
        configuration.auditLogMiB = size
        configuration.auditLogBackups = backups
        configuration.rotatesEncryptionKey = rotateEncryptionKey
        return configuration
    }
}

/// Which API server the client commands talk to.
struct ClientOptions: ParsableArguments {
    @Option(help: "The kubeconfig to use. (default: $KUBECONFIG, else ~/.apus/kubeconfig, else ~/.kube/config)")
    var kubeconfig: String?

    @Option(name: .shortAndLong, help: "Namespace. (default: that of the kubeconfig's context)")
    var namespace: String?
}

/// The path made absolute, `~` expanded.
func absolute(_ path: String) -> String {
    let expanded = path.hasPrefix("~/") ? HomeFolder.path + path.dropFirst() : path
    let full = expanded.hasPrefix("/") ? expanded : FileManager.default.currentDirectoryPath + "/" + expanded
    return (full as NSString).standardizingPath
}

/// Ends the command with a sentence on standard error and exit code 1.
func fail(_ message: String) -> ExitCode {
    FileHandle.standardError.write(Data("apus: \(message)\n".utf8))
    return ExitCode(1)
}

/// The folder of the volume that a manifest mounts at `path`. Where pods are host processes nothing can be mounted, and
/// the node agent gives the volume's folder in `APUS_VOLUME_<NAME>`; manifests mount volume NAME at `/…/NAME`.
func volumeFolder(_ path: String) -> String {
    let name = path.split(separator: "/").last ?? ""
    let variable = "APUS_VOLUME_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
    return ProcessInfo.processInfo.environment[variable] ?? path
}

/// The same for a file of a volume.
func volumeFile(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return path }
    return volumeFolder(String(path[..<slash])) + path[slash...]
}

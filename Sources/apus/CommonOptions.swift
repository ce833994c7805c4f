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
        let text = settings.value("listen", listen) ?? "127.0.0.1:6443"
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port), colon > text.startIndex
        else { throw ValidationError("--listen must be HOST:PORT, such as 127.0.0.1:6443, not '\(text)'") }
        return (String(text[..<colon]), port)
    }

    /// The second byte of the pods' addresses; nil when it is given nowhere.
    func resolvedNetwork(_ settings: Settings) throws -> Int? {
        guard let number = try settings.integer("network", network) else { return nil }
        guard (1...253).contains(number) else { throw ValidationError("--network must be 1 to 253, not \(number)") }
        return number
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

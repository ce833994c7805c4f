// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ArgumentParser
import Foundation
import Logging

/// `apus up`.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Start the control plane and this machine's node agent.",
        discussion: """
            Stays in the foreground until Ctrl-C or SIGTERM, which stop the pods too; with --detach it goes on in the \
            background until 'apus down'. Running it again on the same --data-dir says what runs and ends. After a \
            crash, pods that still run are adopted.
            """)

    @OptionGroup var platform: PlatformOptions
    @OptionGroup var network: NetworkOptions
    @OptionGroup var log: LogOptions
    @OptionGroup var protection: ProtectionOptions
    @Option(help: "Where to write the kubeconfig, mode 0600. (default: DATA-DIR/kubeconfig)") var kubeconfig: String?
    @Flag(help: "Go on in the background.") var detach = false
    @Option(help: "The most requests that read and are worked on at a time; others wait in turn. (default: 64)")
    var maxRequestsInflight: Int?
    @Option(help: "The most requests that write and are worked on at a time; others wait in turn. (default: 200)")
    var maxMutatingRequestsInflight: Int?
    @Option(help: "Seconds between two readings of what nodes and containers use. (default: 15)")
    var metricResolution: Int?
    @Option(help: "Seconds between two looks of an autoscaler at its metrics. (default: 15)")
    var horizontalPodAutoscalerSyncPeriod: Int?

    func run() async throws {
        let settings = try Settings()
        let configuration = try await reporting { try platformConfiguration(settings) }
        if let running = RunState.live(in: configuration.dataDir) {
            print("apus is already up (pid \(running.pid)).")
            print(PlatformSummary(running, dataDir: configuration.dataDir).text)
            return
        }
        try await reporting {
            if detach {
                let summary = try await DetachedPlatform(configuration).start(arguments: childArguments(configuration))
                print(summary.text)
            } else {
                try await Platform(configuration).run { summary in
                    print(summary.text)
                    print("ready control-plane \(summary.server)")
                    fflush(nil)
                    return false
                }
            }
        }
    }

    private func platformConfiguration(_ settings: Settings) throws -> PlatformConfiguration {
        let dataDir = platform.resolvedDataDir(settings)
        let (host, port) = try network.resolvedListen(settings)
        var configuration = try PlatformConfiguration(
            dataDir: dataDir, host: host, port: port, network: network.resolvedNetwork(settings),
            kubeconfig: absolute(settings.value("kubeconfig", kubeconfig) ?? "\(dataDir)/kubeconfig"),
            executable: executablePath(), logger: try log.logger(settings, defaultLevel: .warning))
        let reads = try settings.integer("max-requests-inflight", maxRequestsInflight)
        let writes = try settings.integer("max-mutating-requests-inflight", maxMutatingRequestsInflight)
        guard reads ?? 1 > 0, writes ?? 1 > 0 else {
            throw ValidationError("--max-requests-inflight and --max-mutating-requests-inflight must be at least 1")
        }
        configuration.readSeats = reads ?? configuration.readSeats
        configuration.writeSeats = writes ?? configuration.writeSeats
        let resolution = try settings.integer("metric-resolution", metricResolution) ?? 15
        let period =
            try settings.integer("horizontal-pod-autoscaler-sync-period", horizontalPodAutoscalerSyncPeriod) ?? 15
        guard resolution > 0, period > 0 else {
            throw ValidationError(
                "--metric-resolution and --horizontal-pod-autoscaler-sync-period must be at least 1")
        }
        configuration.metricResolution = .seconds(resolution)
        configuration.autoscalerSyncPeriod = .seconds(period)
        configuration.protection = try protection.resolved(settings)
        return configuration
    }

    /// The command line of the process in the background: everything resolved, nothing left to the environment.
    private func childArguments(_ configuration: PlatformConfiguration) -> [String] {
        let protection = configuration.protection
        let arguments = [
            "up", "--data-dir", configuration.dataDir, "--listen", "\(configuration.host):\(configuration.port)",
            "--network", String(configuration.network), "--kubeconfig", configuration.kubeconfig,
            "--log-level", configuration.logger.logLevel.rawValue, "--log-format", log.logFormat ?? "text",
            "--max-requests-inflight", String(configuration.readSeats),
            "--max-mutating-requests-inflight", String(configuration.writeSeats),
            "--metric-resolution", String(configuration.metricResolution.components.seconds),
            "--horizontal-pod-autoscaler-sync-period",
            String(configuration.autoscalerSyncPeriod.components.seconds),
            "--audit-log-max-size", String(protection.auditLogMiB),
            "--audit-log-max-backups", String(protection.auditLogBackups),
        ]
        return arguments + (protection.auditPolicy.map { ["--audit-policy", $0] } ?? [])
            + (protection.auditLog.map { ["--audit-log", $0] } ?? [])
            + (protection.rotatesEncryptionKey ? ["--rotate-encryption-key"] : [])
    }
}

/// `apus down`.
struct DownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Stop what 'apus up' started, pods included; data stay.")

    @OptionGroup var platform: PlatformOptions
    @Option(help: "Seconds to wait for everything to end before it is killed. (default: 60)") var timeout: Int?

    func run() async throws {
        let settings = try Settings()
        let dataDir = platform.resolvedDataDir(settings)
        let seconds = try settings.integer("timeout", timeout) ?? 60
        try await reporting {
            let stopped = try await RunningPlatform(dataDir: dataDir).stop(within: .seconds(seconds))
            print(stopped.text)
        }
    }
}

/// `apus status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what runs. Exit code 1 when nothing does or it is not ready.")

    @OptionGroup var platform: PlatformOptions

    func run() async throws {
        let dataDir = platform.resolvedDataDir(try Settings())
        try await reporting {
            let status = try await RunningPlatform(dataDir: dataDir).status()
            print(status.text)
            if !status.isReady { throw ExitCode(1) }
        }
    }
}

/// Absolute path of this program.
func executablePath() -> String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
}

/// Runs `body`, and turns its errors into one sentence on standard error and exit code 1; wrong usage stays that.
func reporting<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
        return try await body()
    } catch let error as ExitCode {
        throw error
    } catch let error as ValidationError {
        throw error
    } catch {
        throw fail("\(error)")
    }
}

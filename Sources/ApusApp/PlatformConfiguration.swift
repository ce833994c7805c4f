// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
package import Logging

/// Settings of the platform on this machine.
package struct PlatformConfiguration: Sendable {
    /// Folder of all data, absolute.
    package var dataDir: String
    /// Host name or address of the API server.
    package var host: String
    /// Port of the API server; 0 takes a free one.
    package var port: Int
    /// Second byte N of the pods' addresses 127.N.0.0/16; services get 127.(N+1).0.0/16.
    package var network: Int
    /// Where to write the kubeconfig.
    package var kubeconfig: String
    /// Absolute path of the running program.
    package var executable: String
    package var logger: Logger
    /// What is audited and encrypted.
    package var protection = ProtectionConfiguration()
    /// The most requests that read, and that write, that are worked on at a time.
    package var readSeats = 64
    package var writeSeats = 200
    /// How often it is read what nodes and containers use. Default 15 s.
    package var metricResolution: Duration = .seconds(15)
    /// How often each autoscaler looks at its metrics. Default 15 s.
    package var autoscalerSyncPeriod: Duration = .seconds(15)

    /// - Throws: ``PlatformError`` when `network` is not the one that the data were made with.
    package init(
        dataDir: String, host: String, port: Int, network: Int?, kubeconfig: String, executable: String, logger: Logger
    ) throws {
        let remembered = Self.rememberedNetwork(dataDir)
        if let network, let remembered, network != remembered {
            throw PlatformError(
                "the data in \(dataDir) were made with --network \(remembered), not \(network): leave --network out or "
                    + "use another --data-dir")
        }
        self.dataDir = dataDir
        self.host = host
        self.port = port
        self.network = network ?? remembered ?? 80
        self.kubeconfig = kubeconfig
        self.executable = executable
        self.logger = logger
    }

    /// The network that the data in a folder were made with; nil when there are none.
    private static func rememberedNetwork(_ dataDir: String) -> Int? {
        FileManager.default.contents(atPath: "\(dataDir)/cluster.json")
            .flatMap { try? JSONParser.parse($0) }?["network"].int
    }

    /// Keeps the network with the data, whose services have addresses in it.
    func rememberNetwork() throws {
        let json: JSONValue = ["network": JSONValue(network)]
        try Data(json.prettyText().utf8).write(to: URL(fileURLWithPath: "\(dataDir)/cluster.json"), options: .atomic)
    }

    /// Folder of the API server's store.
    package var storeDir: String { "\(dataDir)/store" }
    /// The keys that Secrets are encrypted with.
    package var encryptionKeys: String { "\(dataDir)/encryption-keys.json" }
    /// Folder of keys and certificates.
    package var pkiDir: String { "\(dataDir)/pki" }
    /// Folder of the node agent: pods, logs, volumes.
    package var nodeDir: String { "\(dataDir)/node" }
    /// First bytes of the pods' addresses.
    package var podPrefix: String { "127.\(network)" }
    /// First bytes of the services' addresses.
    package var servicePrefix: String { "127.\(network + 1)" }
}

/// What is audited and encrypted.
package struct ProtectionConfiguration: Sendable {
    /// The audit policy, an absolute path; nil audits nothing.
    package var auditPolicy: String?
    /// The audit log, an absolute path; nil is `audit.log` in the data folder.
    package var auditLog: String?
    /// After how many MiB a new audit log is begun. Default 100.
    package var auditLogMiB = 100
    /// How many old audit logs stay. Default 10.
    package var auditLogBackups = 10
    /// Whether a new key is made at the start, with which all Secrets are encrypted again.
    package var rotatesEncryptionKey = false

    package init() {}
}

/// Why the platform cannot start or go on: one sentence that says what to do.
package struct PlatformError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

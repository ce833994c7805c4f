// SPDX-License-Identifier: Apache-2.0

/// What a runtime needs to know to run one attempt of one container.
package struct ContainerSpec: Sendable, Equatable {
    /// Unique per attempt, for instance `UID_name_attempt`: letters, digits, `.`, `_` and `-`, at most 200 bytes.
    package var id: String
    /// The UID of the pod.
    package var podUID: String
    /// The namespace of the pod.
    package var namespace: String
    /// The name of the pod.
    package var podName: String
    /// The name of the container in its pod.
    package var containerName: String
    /// How many times the container had been started before.
    package var attempt: Int
    /// Program and arguments; the program is looked for in `PATH` of `environment` unless it contains a slash.
    package var argv: [String]
    /// The whole environment; a usual `PATH` is added where there is none.
    package var environment: [String: String]
    /// The directory to start in; `/` by default.
    package var workingDirectory: String?
    /// The log file, in the CRI format. Missing parent directories are created.
    package var logPath: String
    /// Size in bytes at which the log is rotated.
    package var logMaxBytes: Int64 = 10 << 20
    /// How many log files are kept: the current one, and older ones with `.1` and so on appended to their name.
    package var logFiles: Int = 2
    /// `runAsUser`; the node agent's own by default.
    package var user: UInt32?
    /// `runAsGroup`; the node agent's own by default.
    package var group: UInt32?
    /// Further groups of the process; at most 64.
    package var supplementalGroups: [UInt32] = []
    /// CPU limit in thousandths of a core.
    package var cpuMillis: Int64?
    /// CPU request in thousandths of a core, which weighs the container where cores are contended.
    package var cpuRequestMillis: Int64?
    /// Memory limit in bytes.
    package var memoryBytes: Int64?
    /// From -1000 (killed last when memory is short) to 1000; the node agent's own by default.
    package var oomScoreAdjust: Int?
    /// Limit of open file descriptors; the node agent's own by default.
    package var openFileLimit: UInt64?
    /// A file on the host whose first 4 KiB, after the end, are the state's `message`.
    package var terminationMessagePath: String?
    /// What the caller wants back after a restart of its own.
    package var labels: [String: String] = [:]

    /// Describes a container that runs `argv`; everything else can be set afterwards.
    package init(
        id: String, podUID: String = "", namespace: String = "", podName: String = "", containerName: String = "",
        attempt: Int = 0, argv: [String], environment: [String: String] = [:], workingDirectory: String? = nil,
        logPath: String
    ) {
        self.id = id
        self.podUID = podUID
        self.namespace = namespace
        self.podName = podName
        self.containerName = containerName
        self.attempt = attempt
        self.argv = argv
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.logPath = logPath
    }
}

extension ContainerSpec {
    /// Throws when the system could not take the container as it is described.
    func validate() throws(RuntimeError) {
        func refuse(_ reason: String) -> RuntimeError { RuntimeError(.invalidSpec, "container \(id): \(reason)") }
        guard Self.isValid(id: id) else {
            throw RuntimeError(
                .invalidSpec, "container id \"\(id)\" must be letters, digits, '.', '_', '-'; 200 at most")
        }
        guard let program = argv.first, !program.isEmpty else { throw refuse("no command is given") }
        guard logPath.hasPrefix("/") else { throw refuse("the log path \"\(logPath)\" must be absolute") }
        guard supplementalGroups.count <= 64 else { throw refuse("more than 64 supplemental groups") }
        guard logMaxBytes > 0, (1...100).contains(logFiles) else { throw refuse("log size or count out of range") }
        if let name = environment.keys.first(where: { $0.isEmpty || $0.contains("=") }) {
            throw refuse("environment variable name \"\(name)\" is empty or contains '='")
        }
        var texts = argv + [logPath, workingDirectory ?? "", terminationMessagePath ?? ""]
        for (key, value) in environment { texts += [key, value] }
        for (key, value) in labels { texts += [key, value] }
        texts += [podUID, namespace, podName, containerName]
        guard !texts.contains(where: { $0.utf8.contains(0) }) else { throw refuse("a NUL byte in a text") }
        let size = texts.reduce(0) { $0 + $1.utf8.count + 16 }
        guard size < 2 << 20 else { throw refuse("command and environment are \(size) bytes, more than 2 MiB") }
    }

    static func isValid(id: String) -> Bool {
        let allowed = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return allowed && !id.hasPrefix(".") && (1...200).contains(id.utf8.count)
    }
}

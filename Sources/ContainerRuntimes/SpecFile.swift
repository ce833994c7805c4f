// SPDX-License-Identifier: Apache-2.0

/// The file a shim starts a container from, which also tells a later runtime what the container is.
///
/// The line `apus-shim-spec 1`, then records `KEY LENGTH\nBYTES\n` up to `end 0\n\n`. The C side (`shim_spec.c`) skips
/// keys that it does not know.
struct SpecFile: Equatable {
    var spec: ContainerSpec
    /// The cgroup directories that the container joins.
    var cgroups: [String] = []
    /// The file with the line `oom_kill N` of the container's memory cgroup.
    var oomEventsPath: String?

    static let magic = "apus-shim-spec 1\n"
    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    var encoded: [UInt8] {
        var writer = Writer()
        for argument in spec.argv { writer.put("arg", argument) }
        var environment = spec.environment
        if environment["PATH"] == nil { environment["PATH"] = Self.defaultPath }
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) { writer.put("env", "\(name)=\(value)") }
        writer.put("cwd", spec.workingDirectory)
        writer.put("log", spec.logPath)
        writer.put("log-max-bytes", String(spec.logMaxBytes))
        writer.put("log-files", String(spec.logFiles))
        writer.put("user", spec.user.map(String.init))
        writer.put("group", spec.group.map(String.init))
        for group in spec.supplementalGroups { writer.put("supplemental-group", String(group)) }
        writer.put("oom-score-adj", spec.oomScoreAdjust.map(String.init))
        if let limit = spec.openFileLimit { writer.put("rlimit", "\(Self.openFileResource) \(limit) \(limit)") }
        for cgroup in cgroups { writer.put("cgroup", cgroup) }
        writer.put("oom-events", oomEventsPath)
        writer.put("id", spec.id)
        writer.put("pod-uid", spec.podUID)
        writer.put("namespace", spec.namespace)
        writer.put("pod", spec.podName)
        writer.put("container", spec.containerName)
        writer.put("attempt", String(spec.attempt))
        writer.put("cpu-limit-millis", spec.cpuMillis.map(String.init))
        writer.put("cpu-request-millis", spec.cpuRequestMillis.map(String.init))
        writer.put("memory-limit-bytes", spec.memoryBytes.map(String.init))
        writer.put("open-file-limit", spec.openFileLimit.map(String.init))
        writer.put("termination-message", spec.terminationMessagePath)
        for (key, value) in spec.labels.sorted(by: { $0.key < $1.key }) {
            writer.put("label-key", key)
            writer.put("label-value", value)
        }
        writer.put("end", "")
        return writer.bytes
    }

    /// `RLIMIT_NOFILE` of Linux.
    private static let openFileResource = 7

    /// Nil when the bytes are not such a file, whole.
    init?(_ bytes: [UInt8]) {
        guard let records = Self.records(bytes) else { return nil }
        var spec = ContainerSpec(id: "", argv: [], logPath: "")
        var cgroups: [String] = []
        var labelKey: String?
        var oomEventsPath: String?
        for (key, value) in records {
            switch key {
            case "arg": spec.argv.append(value)
            case "env":
                guard let equals = value.firstIndex(of: "=") else { return nil }
                spec.environment[String(value[..<equals])] = String(value[value.index(after: equals)...])
            case "cwd": spec.workingDirectory = value
            case "log": spec.logPath = value
            case "log-max-bytes": spec.logMaxBytes = Int64(value) ?? spec.logMaxBytes
            case "log-files": spec.logFiles = Int(value) ?? spec.logFiles
            case "user": spec.user = UInt32(value)
            case "group": spec.group = UInt32(value)
            case "supplemental-group": if let group = UInt32(value) { spec.supplementalGroups.append(group) }
            case "oom-score-adj": spec.oomScoreAdjust = Int(value)
            case "cgroup": cgroups.append(value)
            case "oom-events": oomEventsPath = value
            case "id": spec.id = value
            case "pod-uid": spec.podUID = value
            case "namespace": spec.namespace = value
            case "pod": spec.podName = value
            case "container": spec.containerName = value
            case "attempt": spec.attempt = Int(value) ?? 0
            case "cpu-limit-millis": spec.cpuMillis = Int64(value)
            case "cpu-request-millis": spec.cpuRequestMillis = Int64(value)
            case "memory-limit-bytes": spec.memoryBytes = Int64(value)
            case "open-file-limit": spec.openFileLimit = UInt64(value)
            case "termination-message": spec.terminationMessagePath = value
            case "label-key": labelKey = value
            case "label-value": if let labelKey { spec.labels[labelKey] = value }
            default: break
            }
        }
        guard ContainerSpec.isValid(id: spec.id), !spec.argv.isEmpty, !spec.logPath.isEmpty else { return nil }
        self.init(spec: spec, cgroups: cgroups, oomEventsPath: oomEventsPath)
    }

    init(spec: ContainerSpec, cgroups: [String] = [], oomEventsPath: String? = nil) {
        self.spec = spec
        self.cgroups = cgroups
        self.oomEventsPath = oomEventsPath
    }

    private static func records(_ bytes: [UInt8]) -> [(key: String, value: String)]? {
        guard bytes.starts(with: magic.utf8) else { return nil }
        var records: [(key: String, value: String)] = []
        var at = magic.utf8.count
        while let space = bytes[at...].firstIndex(of: UInt8(ascii: " ")),
            let newline = bytes[space...].firstIndex(of: UInt8(ascii: "\n"))
        {
            let key = String(decoding: bytes[at..<space], as: UTF8.self)
            guard let length = Int(String(decoding: bytes[(space + 1)..<newline], as: UTF8.self)), length >= 0,
                length < bytes.count - newline - 1, bytes[newline + 1 + length] == UInt8(ascii: "\n")
            else { return nil }
            let end = newline + 1 + length
            if key == "end" { return records }
            records.append((key, String(decoding: bytes[(newline + 1)..<end], as: UTF8.self)))
            at = end + 1
        }
        return nil
    }

    private struct Writer {
        var bytes = Array(SpecFile.magic.utf8)

        mutating func put(_ key: String, _ value: String?) {
            guard let value else { return }
            bytes += "\(key) \(value.utf8.count)\n".utf8
            bytes += value.utf8
            bytes.append(UInt8(ascii: "\n"))
        }
    }
}

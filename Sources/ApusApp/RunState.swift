// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation

/// What `apus up` leaves in its data folder while it runs, so that `down`, `status` and a second `up` find it.
package struct RunState: Sendable, Equatable {
    /// The process.
    package var pid: Int32
    /// Start time of the process in clock ticks after boot (field 22 of /proc/PID/stat), so that a pid that was
    /// given to another process is not taken for ours.
    package var startTicks: Int64
    /// URL of the API server.
    package var server: String
    package var kubeconfig: String

    /// State of this process.
    package init(server: String, kubeconfig: String) {
        pid = getpid()
        startTicks = Self.startTicks(of: pid) ?? 0
        self.server = server
        self.kubeconfig = kubeconfig
    }

    private static func path(_ dataDir: String) -> String { "\(dataDir)/run.json" }

    /// The state of the process that runs on this folder; nil when none does.
    package static func live(in dataDir: String) -> RunState? {
        guard let data = FileManager.default.contents(atPath: path(dataDir)), let json = try? JSONParser.parse(data),
            let pid = json["pid"].int.flatMap(Int32.init(exactly:)), let ticks = json["startTicks"].int,
            let server = json["server"].string, let kubeconfig = json["kubeconfig"].string
        else { return nil }
        var state = RunState(server: server, kubeconfig: kubeconfig)
        state.pid = pid
        state.startTicks = Int64(ticks)
        return state.isAlive ? state : nil
    }

    /// Whether that very process is still there.
    package var isAlive: Bool { Self.startTicks(of: pid) == startTicks }

    package func write(to dataDir: String) throws {
        let json: JSONValue = [
            "pid": JSONValue(Int(pid)), "startTicks": .int(startTicks), "server": .string(server),
            "kubeconfig": .string(kubeconfig),
        ]
        try Data(json.prettyText().utf8).write(to: URL(fileURLWithPath: Self.path(dataDir)), options: .atomic)
    }

    package static func remove(from dataDir: String) { unlink(path(dataDir)) }

    private static func startTicks(of pid: Int32) -> Int64? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
        // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
        let text = String(decoding: data, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z" else { return nil }
        return Int64(fields[19])
    }
}

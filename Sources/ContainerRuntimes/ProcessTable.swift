// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What `/proc/PID/stat` says of a process.
struct ProcessStatus: Equatable {
    var pid: Int32
    var group: Int32
    var session: Int32
    /// User and system time in clock ticks.
    var cpuTicks: UInt64
    /// Clock ticks since boot.
    var startTicks: UInt64
    var residentPages: UInt64

    /// Nil when the text is not such a line. The command's name, in parentheses, may hold anything.
    init?(_ text: String) {
        guard let close = text.lastIndex(of: ")"), let open = text.firstIndex(of: "("),
            let pid = Int32(text[..<open].dropLast())
        else { return nil }
        let fields = text[text.index(after: close)...].split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard fields.count > 21, let group = Int32(fields[2]), let session = Int32(fields[3]),
            let user = UInt64(fields[11]), let system = UInt64(fields[12]), let start = UInt64(fields[19]),
            let resident = UInt64(fields[21])
        else { return nil }
        self.pid = pid
        self.group = group
        self.session = session
        cpuTicks = user + system
        startTicks = start
        residentPages = resident
    }

    /// The process with this number at present.
    static func read(_ pid: Int32) -> ProcessStatus? {
        SystemFiles.text("/proc/\(pid)/stat").flatMap(ProcessStatus.init)
    }

    /// All processes of a session.
    static func all(inSession session: Int32) -> [ProcessStatus] {
        SystemFiles.names(in: "/proc").compactMap(Int32.init).compactMap(read).filter { $0.session == session }
    }
}

extension ProcessIdentity {
    /// Whether this very process is there (a zombie is).
    var exists: Bool { ProcessStatus.read(pid)?.startTicks == startTicks }

    /// Signals the process group that this process leads, unless its number went to another process.
    ///
    /// - Returns: 0 or an errno value.
    func signalGroup(_ number: Int32) -> Int32 {
        // -1 and 0 would mean every process, or this one's group.
        guard pid > 1 else { return ESRCH }
        if let present = ProcessStatus.read(pid), present.startTicks != startTicks { return ESRCH }
        return Glibc.kill(-pid, number) == 0 ? 0 : errno
    }
}

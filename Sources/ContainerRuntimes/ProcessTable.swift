// SPDX-License-Identifier: Apache-2.0
import Glibc

extension ProcessIdentity {
    /// Whether this very process is there (a zombie is).
    var exists: Bool { Self.startTicks(of: pid) == startTicks }

    /// Signals the process group that this process leads, unless its number went to another process.
    ///
    /// - Returns: 0 or an errno value.
    func signalGroup(_ number: Int32) -> Int32 {
        // -1 and 0 would mean every process, or this one's group.
        guard pid > 1 else { return ESRCH }
        if let present = Self.startTicks(of: pid), present != startTicks { return ESRCH }
        return Glibc.kill(-pid, number) == 0 ? 0 : errno
    }

    /// When the process that has this number now was started; nil when there is none.
    private static func startTicks(of pid: Int32) -> UInt64? {
        SystemFiles.text("/proc/\(pid)/stat").flatMap(startTicks(inStat:))
    }

    /// The start time in a line of `/proc/PID/stat`; the command's name in it, in parentheses, may hold anything.
    static func startTicks(inStat line: String) -> UInt64? {
        guard let close = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: close)...].split(whereSeparator: { $0 == " " || $0 == "\n" })
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}

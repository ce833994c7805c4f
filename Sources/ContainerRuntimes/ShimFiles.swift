// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// A process by number and start time, so that another one that got the number later is told apart.
struct ProcessIdentity: Sendable, Equatable {
    var pid: Int32
    /// Clock ticks since boot (field 22 of `/proc/PID/stat`).
    var startTicks: UInt64
}

/// The file `state` that a shim keeps beside its specification.
struct ShimStateFile: Equatable {
    var shim: ProcessIdentity?
    var container: ProcessIdentity?
    var startedAt: Timestamp?
    /// Why the container could not be started.
    var error: String?

    init(_ bytes: [UInt8]) {
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2 else { continue }
            switch words[0] {
            case "shim": shim = Self.identity(words[1])
            case "container": container = Self.identity(words[1])
            case "started": startedAt = Int64(words[1]).map(Timestamp.init(nanoseconds:))
            case "error": error = words[1]
            default: break
            }
        }
    }

    private static func identity(_ text: String) -> ProcessIdentity? {
        let words = text.split(separator: " ")
        guard words.count == 2, let pid = Int32(words[0]), pid > 1, let ticks = UInt64(words[1]) else { return nil }
        return ProcessIdentity(pid: pid, startTicks: ticks)
    }
}

/// The file `exit` that a shim leaves when its container has ended.
struct ShimExitFile: Equatable {
    var code: Int32
    var signal: Int32?
    var startedAt: Timestamp
    var finishedAt: Timestamp
    var oomKilled: Bool
    /// Log lines that could not be written.
    var droppedLogLines: UInt64

    init?(_ bytes: [UInt8]) {
        var values: [String: Int64] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let value = Int64(words[1]) else { return nil }
            values[String(words[0])] = value
        }
        guard let code = values["code"].flatMap(Int32.init(exactly:)),
            let signal = values["signal"].flatMap(Int32.init(exactly:)),
            let started = values["started"], let finished = values["finished"]
        else { return nil }
        self.code = code
        self.signal = signal == 0 ? nil : signal
        startedAt = Timestamp(nanoseconds: started)
        finishedAt = Timestamp(nanoseconds: finished)
        oomKilled = values["oom"] == 1
        droppedLogLines = UInt64(clamping: values["dropped"] ?? 0)
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Dispatch
import FoundationEssentials
package import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes audit events to a file, one JSON object a line, away from the requests that they tell of.
///
/// Events wait in memory for a moment, so that many are written at once, and up to a bound; beyond it they are dropped,
/// and counted in the log of the server.
package final class AuditLog: Sendable {
    /// Where and how much.
    package struct Configuration: Sendable {
        /// The file; its folder exists. Mode 0600.
        package var path: String
        /// After how many bytes the file is put aside as `NAME-TIME.EXT` and a new one begun. Default 100 MiB.
        package var maximumBytes = 100 << 20
        /// How many files that were put aside stay. Default 10.
        package var backups = 10
        /// The most bytes of events that wait to be written. Default 16 MiB.
        package var bufferBytes = 16 << 20
        /// How long events wait for others before they are written. Default 20 ms.
        package var delay: Duration = .milliseconds(20)

        package init(path: String) { self.path = path }
    }

    private struct State: Sendable {
        /// Whole lines.
        var waiting: [UInt8] = []
        var dropped = 0
        var isDraining = false
    }

    private struct File: Sendable {
        var descriptor: CInt
        var bytes: Int
    }

    private let configuration: Configuration
    private let logger: Logger
    private let state = Mutex(State())
    private let thread = DispatchQueue(label: "apus.audit", qos: .utility)
    /// Used on `thread` only.
    private let file: Mutex<File>

    /// - Throws: when the file cannot be opened.
    package init(_ configuration: Configuration, logger: Logger) throws(AuditError) {
        self.configuration = configuration
        self.logger = logger
        file = Mutex(try Self.open(configuration.path))
    }

    private static func open(_ path: String) throws(AuditError) -> File {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw AuditError(
                description: "the audit log \(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        return File(descriptor: descriptor, bytes: max(0, Int(lseek(descriptor, 0, SEEK_END))))
    }

    /// Has a line written, of two parts, newline included.
    func append(_ head: [UInt8], _ tail: [UInt8]) {
        let mustStart = state.withLock { state in
            guard state.waiting.count + head.count + tail.count <= configuration.bufferBytes else {
                state.dropped += 1
                return false
            }
            state.waiting += head
            state.waiting += tail
            defer { state.isDraining = true }
            return !state.isDraining
        }
        guard mustStart else { return }
        thread.asyncAfter(deadline: .now() + .nanoseconds(Int(configuration.delay.nanoseconds))) { self.drain() }
    }

    /// Returns once everything that was appended is written.
    package func flush() async {
        await withCheckedContinuation { continuation in
            thread.async {
                self.drain()
                continuation.resume()
            }
        }
    }

    private func drain() {
        let (lines, dropped) = state.withLock { state in
            defer { state = State() }
            return (state.waiting, state.dropped)
        }
        if dropped > 0 { logger.error("audit events were dropped", metadata: ["events": "\(dropped)"]) }
        if !lines.isEmpty { write(lines) }
    }

    private func write(_ lines: [UInt8]) {
        file.withLock { file in
            var rest = lines[...]
            while !rest.isEmpty {
                let room = configuration.maximumBytes - file.bytes
                if rest.count <= room { return put(rest, &file) }
                // As many lines as the file has room for; one that no file has room for gets a file of its own.
                let fitting = rest.prefix(max(0, room)).lastIndex(of: Self.newLine)
                let end = fitting ?? (file.bytes == 0 ? rest.firstIndex(of: Self.newLine) ?? rest.endIndex - 1 : nil)
                if let end {
                    put(rest[...end], &file)
                    rest = rest[(end + 1)...]
                }
                if !rest.isEmpty, !rotate(&file) { return put(rest, &file) }
            }
        }
    }

    private static let newLine = UInt8(ascii: "\n")

    private func put(_ bytes: ArraySlice<UInt8>, _ file: inout File) {
        var rest = bytes
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(file.descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                logger.error(
                    "the audit log cannot be written", metadata: ["error": "\(String(cString: strerror(errno)))"])
                return
            }
            file.bytes += written
            rest = rest.dropFirst(written)
        }
    }

    /// Puts the file aside and begins a new one; goes on with the old one where that fails.
    private func rotate(_ file: inout File) -> Bool {
        let path = configuration.path
        let time = Timestamp.now().rfc3339Micro.replacing(":", with: "")
        let (folder, stem, suffix) = Self.parts(path)
        guard rename(path, "\(folder)\(stem)-\(time)\(suffix)") == 0, let fresh = try? Self.open(path) else {
            logger.error("the audit log cannot be put aside", metadata: ["path": "\(path)"])
            return false
        }
        close(file.descriptor)
        file = fresh
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
        let old = names.filter { $0.hasPrefix("\(stem)-") && $0.hasSuffix(suffix) }.sorted()
        for name in old.dropLast(configuration.backups) { unlink(folder + name) }
        return true
    }

    private static func parts(_ path: String) -> (folder: String, stem: String, suffix: String) {
        let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        let name = path[slash...]
        let dot = name.lastIndex(of: ".") ?? name.endIndex
        return (String(path[..<slash]), String(name[..<dot]), String(name[dot...]))
    }
}

/// Why there is no audit log: one sentence.
package struct AuditError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

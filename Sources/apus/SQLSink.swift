// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import LakeEngine
import Synchronization

/// Where `apus sql` writes: standard output, or a file that is there when it is whole.
final class SQLSink: Sendable {
    private let descriptor: CInt
    /// The file, and what it is called until it is whole.
    private let file: (path: String, part: String)?
    /// The file has its name, or was given up.
    private let isOver = Mutex(false)

    /// Standard output.
    init() {
        descriptor = 1
        file = nil
    }

    init(file path: String) throws(LakeError) {
        let part = "\(path).\(UUID().uuidString).part"
        file = (path, part)
        descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw LakeError(.io, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        if file != nil { close(descriptor) }
    }

    func write(_ text: String) throws(LakeError) { try write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) throws(LakeError) {
        let isWritten = bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count, let base = buffer.baseAddress {
                let count = Glibc.write(descriptor, base + sent, buffer.count - sent)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
        guard isWritten else {
            throw LakeError(.io, "cannot write \(file?.path ?? "the output"): \(String(cString: strerror(errno)))")
        }
    }

    /// All is written: the file gets its name.
    func finish() throws(LakeError) {
        guard let file else { return }
        let isWhole = isOver.withLock { isOver in
            guard !isOver else { return true }
            guard fsync(descriptor) == 0, rename(file.part, file.path) == 0 else { return false }
            isOver = true
            return true
        }
        guard isWhole else {
            throw LakeError(.io, "cannot write \(file.path): \(String(cString: strerror(errno)))")
        }
    }

    /// A file that is not finished leaves nothing. Said by whoever gives up, not left to `deinit`: a program that ends
    /// does not wait until the last reference is gone.
    func abandon() {
        guard let file else { return }
        isOver.withLock { isOver in
            if !isOver { unlink(file.part) }
            isOver = true
        }
    }
}

/// A pipe that DuckDB writes a file of Parquet into, so that no file has to lie anywhere for it.
final class SQLPipe: Sendable {
    private let reading: CInt
    private let writing: Mutex<CInt?>
    private let isUsed = Mutex(false)
    /// What DuckDB opens.
    let path: String

    init() throws(LakeError) {
        var ends: [CInt] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else {
            throw LakeError(.io, "no pipe: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        reading = ends[0]
        writing = Mutex(ends[1])
        path = "/dev/fd/\(ends[1])"
    }

    deinit {
        end()
        close(reading)
    }

    /// False where it was used already: it is for one file.
    func begin() -> Bool {
        isUsed.withLock { isUsed in
            defer { isUsed = true }
            return !isUsed
        }
    }

    /// Nothing more is written here: whoever reads comes to the end.
    func end() {
        writing.withLock { writing in
            if let descriptor = writing { close(descriptor) }
            writing = nil
        }
    }

    /// Passes what is written on until the end, on a thread of its own.
    func pass(to sink: SQLSink) async throws(LakeError) {
        let reading = reading
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Void, LakeError>, Never>) in
            DispatchQueue(label: "sql-pipe").async {
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                var outcome = Result<Void, LakeError>.success(())
                while true {
                    let count = Glibc.read(reading, &buffer, buffer.count)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { break }
                    // The engine is read empty also when the rest has nowhere to go, so that it comes to its end.
                    if case .success = outcome {
                        outcome = Result { () throws(LakeError) in try sink.write(Array(buffer[..<count])) }
                    }
                }
                continuation.resume(returning: outcome)
            }
        }
        try result.get()
    }
}

/// Tells on a terminal how far a statement is, while it runs; what it wrote goes away when the statement ends.
final class SQLProgress: Sendable {
    private struct State {
        var rows = 0
        var isOver = false
        var isShown = false
    }

    private let state = Mutex(State())
    private let start = ContinuousClock.now
    private static let queue = DispatchQueue(label: "sql-progress")

    /// Nil where standard error is no terminal.
    init?() {
        guard isatty(2) == 1 else { return nil }
        later(.milliseconds(500))
    }

    private func later(_ time: DispatchTimeInterval) {
        Self.queue.asyncAfter(deadline: .now() + time) { [weak self] in self?.show() }
    }

    func add(_ rows: Int) { state.withLock { $0.rows += rows } }

    private func show() {
        let goesOn = state.withLock { state in
            guard !state.isOver else { return false }
            state.isShown = true
            let seconds = start.duration(to: .now).inSeconds
            Self.put("\r\u{1B}[K\(state.rows) rows, \(String(format: "%.1f", seconds)) s")
            return true
        }
        if goesOn { later(.milliseconds(250)) }
    }

    func end() {
        state.withLock { state in
            if state.isShown, !state.isOver { Self.put("\r\u{1B}[K") }
            state.isOver = true
        }
    }

    private static func put(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

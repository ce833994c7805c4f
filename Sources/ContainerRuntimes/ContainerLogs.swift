// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// Reads containers' logs in the CRI format.
package enum ContainerLogs {
    /// The text of a log in chunks, produced as they are asked for, so a slow reader holds nothing up and nothing fills.
    ///
    /// Reads the older, rotated file (`path.1` and so on) before the current one. Ends with a
    /// `RuntimeError` of the code `notFound` where there is no such file and nothing is to be followed.
    ///
    /// - Parameters:
    ///   - path: The log of one attempt of a container.
    ///   - options: Which part is wanted, and how.
    ///   - isFinished: Asked when a follower reaches the end: whether the container has ended, so that nothing follows.
    /// - Returns: The stream of chunks.
    package static func read(
        path: String, options: LogOptions, isFinished: @escaping @Sendable () async -> Bool = { true }
    ) -> AsyncThrowingStream<[UInt8], any Error> {
        let reader = LogReader(path: path, options: options)
        return AsyncThrowingStream(unfolding: {
            while !Task.isCancelled {
                // Asked before reading: what was written before the container ended is then read for certain.
                let finished = options.follow ? await isFinished() : true
                switch try await BlockingWork.run({ () throws(RuntimeError) in try reader.next(waits: !finished) }) {
                case .chunk(let bytes): return bytes
                case .end: return nil
                case .nothingYet: try? await Task.sleep(for: .milliseconds(50))
                }
            }
            return nil
        })
    }
}

/// The position of one reader in a log and its rotated files. Its work blocks.
private final class LogReader: Sendable {
    enum Step {
        case chunk([UInt8])
        case nothingYet
        case end
    }

    private struct OpenFile {
        var descriptor: Int32
        var device: dev_t
        var inode: ino_t

        init?(_ path: String) {
            let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { return nil }
            var status = stat()
            guard fstat(file, &status) == 0 else {
                close(file)
                return nil
            }
            descriptor = file
            device = status.st_dev
            inode = status.st_ino
        }

        func isSame(as other: OpenFile) -> Bool { device == other.device && inode == other.inode }
    }

    private struct State {
        /// The file that is read, then those to read after it. All are open from the start: a rotation changes nothing.
        var files: [OpenFile] = []
        var isOpen = false
        var parser = CRILogParser()
        var renderer: LogRenderer
    }

    private let path: String
    private let options: LogOptions
    private let state: Mutex<State>

    init(path: String, options: LogOptions) {
        self.path = path
        self.options = options
        state = Mutex(State(renderer: LogRenderer(options)))
    }

    deinit {
        for file in state.withLock({ $0.files }) { close(file.descriptor) }
    }

    /// The next piece of output. `waits`: whether more may be written once all has been read.
    func next(waits: Bool) throws(RuntimeError) -> Step {
        try state.withLock { (state) throws(RuntimeError) -> Step in
            if !state.isOpen {
                open(&state)
                guard state.isOpen else {
                    if waits { return .nothingYet }
                    if options.follow { return .end }
                    throw RuntimeError(.notFound, "there is no log file \(path)")
                }
            }
            while !state.renderer.isFinished, let file = state.files.first {
                guard let bytes = SystemFiles.read(file.descriptor, count: 65536) else {
                    throw SystemFiles.failure("cannot read the log file \(path)")
                }
                if !bytes.isEmpty {
                    let output = state.renderer.render(state.parser.append(bytes))
                    if !output.isEmpty { return .chunk(output) }
                } else if state.files.count > 1 {
                    close(state.files.removeFirst().descriptor)
                } else if let newer = rotated(after: file) {
                    // The writer renames before it writes to the new file, so one more read sees the old one's end.
                    state.files.append(contentsOf: newer)
                } else if waits {
                    return .nothingYet
                } else {
                    close(state.files.removeFirst().descriptor)
                    let last = state.parser.finish().map { [$0] } ?? []
                    let output = state.renderer.render(last)
                    if !output.isEmpty { return .chunk(output) }
                }
            }
            return .end
        }
    }

    /// Files that took the place of the last one, the oldest first; nil when it is still the current one.
    private func rotated(after file: OpenFile) -> [OpenFile]? {
        guard options.follow, let current = OpenFile(path) else { return nil }
        if current.isSame(as: file) {
            close(current.descriptor)
            return nil
        }
        // Several rotations since the last look: what is between is in the rotated files.
        var newer = [current]
        for index in 1...100 {
            guard let older = OpenFile("\(path).\(index)") else { break }
            if older.isSame(as: file) || newer.contains(where: { $0.isSame(as: older) }) {
                close(older.descriptor)
                if older.isSame(as: file) { break }
            } else {
                newer.insert(older, at: 0)
            }
        }
        return newer
    }

    private func open(_ state: inout State) {
        guard let current = OpenFile(path) else { return }
        state.isOpen = true
        state.files = [current]
        var missing = options.tailLines.map { lines in max(0, lines) - seek(current, lines: max(0, lines)) }
        for index in 1...100 {
            if let missing, missing <= 0 { break }
            guard let older = OpenFile("\(path).\(index)") else { break }
            // A rotation just now made the current file the first of the older ones.
            guard !state.files.contains(where: { $0.isSame(as: older) }) else {
                close(older.descriptor)
                continue
            }
            if let lines = missing { missing = lines - seek(older, lines: lines) }
            state.files.insert(older, at: 0)
        }
    }

    /// Moves to the start of the last lines and returns how many there are.
    private func seek(_ file: OpenFile, lines: Int) -> Int {
        let size = Int(lseek(file.descriptor, 0, SEEK_END))
        let (offset, found) = LogTail.start(of: lines, in: file.descriptor, size: max(0, size))
        lseek(file.descriptor, off_t(offset), SEEK_SET)
        return found
    }
}

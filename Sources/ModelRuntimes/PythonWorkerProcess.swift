// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import CProcessShim
internal import Glibc
internal import InferenceProtocol

/// An interpreter that holds one model, and the socket to it. It is one thread's at a time.
final class PythonWorkerProcess {
    /// Address space that an interpreter has for its libraries and threads, little of which becomes memory.
    private static let ownAddresses = 4 << 30
    private static let headLimit = 16 << 20
    private static let bodyLimit = 4 << 30

    private static let socketKind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)

    private let pid: pid_t
    private let descriptor: Int32
    private(set) var isBroken = false

    /// Starts it. Blocks.
    init(python: String, memoryLimit: Int) throws(InferenceFault) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Self.socketKind, 0, &ends) == 0 else {
            throw InferenceFault(.runtime, "no socket for a Python worker: \(Self.reason(errno))")
        }
        defer { close(ends[1]) }
        // Where the server's own errors go; there the model's words go, too.
        let limit = memoryLimit > Int.max / 2 ? 0 : memoryLimit + Self.ownAddresses
        let words: [String] = [python, "-u", "-c", PythonWorkerScript.text, String(limit)]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in strdup(word) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let failure = apus_spawn(&arguments, 2, 2, ends[1], &pid)
        guard failure == 0 else {
            close(ends[0])
            throw InferenceFault(
                .unsupported, "the Python interpreter \(python) cannot be started: \(Self.reason(failure))")
        }
        self.pid = pid
        descriptor = ends[0]
    }

    deinit {
        kill(pid, SIGKILL)
        close(descriptor)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }

    private static func reason(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }

    /// Whether it has ended by itself: the other end of the socket is closed then.
    var hasEnded: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return isBroken || poll(&entry, 1, 0) != 0
    }

    /// Sends a frame and waits for the answer.
    /// - Throws: `deadline` when it is late, `notReady` where the worker ended: it is of no use after either.
    func ask(
        _ head: JSONValue, _ parts: [UnsafeRawBufferPointer], deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) -> (head: JSONValue, body: TensorStorage) {
        isBroken = true
        let text = head.encoded
        var start = [UInt8](repeating: 0, count: 12)
        let length = parts.reduce(0) { $0 + $1.count }
        start.withUnsafeMutableBytes {
            $0.storeBytes(of: UInt32(clamping: text.count).littleEndian, as: UInt32.self)
            $0.storeBytes(of: UInt64(length).littleEndian, toByteOffset: 4, as: UInt64.self)
        }
        try withBytes(start + text) { bytes throws(InferenceFault) in try send(bytes, deadline) }
        for part in parts { try send(part, deadline) }
        let answerStart = TensorStorage(byteCount: 12)
        try receive(answerStart.bytes, deadline)
        let headCount = Int(UInt32(littleEndian: answerStart.bytes.loadUnaligned(as: UInt32.self)))
        let bodyCount = Int(
            clamping: UInt64(littleEndian: answerStart.bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self)))
        guard headCount <= Self.headLimit, bodyCount <= Self.bodyLimit else {
            throw InferenceFault(.tooLarge, "the Python worker answers with \(headCount) and \(bodyCount) bytes")
        }
        let answer = TensorStorage(byteCount: headCount)
        try receive(answer.bytes, deadline)
        let body = TensorStorage(byteCount: bodyCount)
        try receive(body.bytes, deadline)
        do {
            let head = try JSONParser.parse(Array(answer.bytes), maxDepth: 16)
            isBroken = false
            return (head, body)
        } catch {
            throw InferenceFault(.runtime, "the Python worker answers with what is not JSON: \(error)")
        }
    }

    private func withBytes(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(InferenceFault) -> Void
    ) throws(InferenceFault) {
        let result: Result<Void, InferenceFault> = bytes.withUnsafeBytes { buffer in
            do throws(InferenceFault) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Waits until the socket can be read or written.
    private func wait(_ events: Int32, _ deadline: ContinuousClock.Instant?) throws(InferenceFault) {
        while true {
            var milliseconds: Int32 = -1
            if let deadline {
                let left = deadline - .now
                guard left > .zero else {
                    throw InferenceFault(.deadline, "the Python worker did not answer in time; it is started anew")
                }
                milliseconds = Int32(
                    clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1)
            }
            var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let count = poll(&entry, 1, milliseconds)
            if count > 0 { return }
            if count < 0, errno != EINTR { throw ended() }
        }
    }

    private func send(
        _ bytes: UnsafeRawBufferPointer, _ deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) {
        var rest = bytes
        while !rest.isEmpty {
            try wait(POLLOUT, deadline)
            let count = Glibc.send(
                descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw ended()
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private func receive(
        _ bytes: UnsafeMutableRawBufferPointer, _ deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) {
        var rest = bytes
        while !rest.isEmpty {
            try wait(POLLIN, deadline)
            let count = recv(descriptor, rest.baseAddress, rest.count, Int32(MSG_DONTWAIT))
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw ended() }
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
        }
    }

    private func ended() -> InferenceFault {
        InferenceFault(
            .notReady, "the model's Python worker ended while it was asked; it is started anew",
            retryAfter: .seconds(1))
    }
}

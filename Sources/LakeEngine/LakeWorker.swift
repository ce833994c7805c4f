// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat
import Dispatch
import Foundation
import Synchronization

/// The worker's side: `apus lake-worker`, with one driver and one connection, ended when Apus goes.
package enum LakeWorker {
    /// Serves the socket at standard input until the other end closes it. Blocks; returns the exit status.
    package static func run(descriptor: Int32 = 0) -> Int32 {
        serve(WorkerSocket(descriptor)) { open throws(LakeError) in
            let driver = try ADBCDriver.load(
                path: open["library"].string ?? "", entryPoint: open["entryPoint"].string,
                before: (open["before"].array ?? []).compactMap(\.string))
            let database = try ADBCDatabase(driver, options: open["options"].stringMembers)
            let session = try database.connect(options: open["connectionOptions"].stringMembers)
            try session.run((open["setup"].array ?? []).compactMap(\.string))
            if let memory = open["memory"].int { limitMemory(memory) }
            return session
        }
        return 0
    }

    /// Lets the process have that many bytes of memory beyond what it has.
    private static func limitMemory(_ bytes: Int) {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").first
        let size = (pages.flatMap { Int($0) } ?? 0) * Int(getpagesize())
        var limit = rlimit(rlim_cur: rlim_t(size + bytes), rlim_max: rlim_t(size + bytes))
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        // A process that dies of it leaves no file behind.
        limit = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }

    /// Reads requests here, so that a cancellation is seen while a statement runs on the other thread.
    static func serve(
        _ socket: WorkerSocket, open: @escaping @Sendable (JSONValue) throws(LakeError) -> any LakeSession
    ) {
        let queue = DispatchQueue(label: "lake-worker")
        let parts = Mutex(BatchParts())
        let session = Mutex<(any LakeSession)?>(nil)
        while let (kind, payload) = socket.read() {
            if kind == .cancel {
                session.withLock { $0 }?.cancel()
                continue
            }
            queue.async {
                do throws(LakeError) {
                    if kind == .open {
                        let opened = try open(WorkerMessage.parse(payload))
                        session.withLock { $0 = opened }
                        if let batch = WorkerMessage.parse(payload)["batch"].int {
                            parts.withLock { $0.maximum = batch }
                        }
                        _ = socket.write(.done)
                    } else if let session = session.withLock({ $0 }) {
                        try answer(kind, payload, session, parts, socket)
                    } else {
                        throw LakeError(.invalidState, "no driver is open")
                    }
                } catch { _ = socket.write(.failed, WorkerMessage.error(error)) }
            }
        }
        // The other end is gone: what runs is stopped, but nobody waits for a driver that does not stop.
        session.withLock { $0 }?.cancel()
    }

    private static func answer(
        _ kind: WorkerFrameKind, _ payload: [UInt8], _ session: any LakeSession,
        _ parts: borrowing Mutex<BatchParts>, _ socket: WorkerSocket
    ) throws(LakeError) {
        switch kind {
        case .execute:
            parts.withLock { $0.pending = [] }
            session.begin()
            let head = try session.execute(try WorkerMessage.execute(payload))
            _ = socket.write(.head, WorkerMessage.head(head))
        case .next:
            let message = try parts.withLock { parts throws(LakeError) in
                try parts.next { () throws(LakeError) in try session.next() }
            }
            guard let message else {
                _ = socket.write(.end)
                return
            }
            _ = socket.write(.batch, message)
        case .finish:
            session.finish()
            _ = socket.write(.done)
        case .setOption:
            let value = WorkerMessage.parse(payload)
            try session.setOption(value["name"].string ?? "", value["value"].string ?? "")
            _ = socket.write(.done)
        case .commit:
            try session.commit()
            _ = socket.write(.done)
        case .rollback:
            try session.rollback()
            _ = socket.write(.done)
        default: throw LakeError(.internal, "a frame of the kind \(kind) is no request")
        }
    }
}

/// Batches as messages that fit a frame.
struct BatchParts: Sendable {
    /// Bytes of a message at most.
    var maximum = WorkerSocket.maximum - 1
    /// What is left of a batch, the next part last.
    var pending: [ArrowBatch] = []

    /// The next message; nil at the end.
    /// - Throws: `limit` for a row that does not fit.
    mutating func next(_ batches: () throws(LakeError) -> ArrowBatch?) throws(LakeError) -> [UInt8]? {
        while let batch = if let part = pending.popLast() { part } else { try batches() } {
            let message: [UInt8]
            do { message = try IPCEncoder.batch(batch) } catch { throw LakeError(error) }
            if message.count <= maximum { return message }
            guard batch.rowCount > 1 else {
                throw LakeError(.limit, "a row of \(message.count) bytes is over the \(maximum) that a row may have")
            }
            let half = batch.rowCount / 2
            pending.append(batch.slice(half..<batch.rowCount))
            pending.append(batch.slice(0..<half))
        }
        return nil
    }
}

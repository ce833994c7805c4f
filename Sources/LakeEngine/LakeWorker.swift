// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat
import Dispatch
import Synchronization

/// The worker's side: `apus lake-worker`, with one driver and one connection, ended when Apus goes.
package enum LakeWorker {
    /// Serves the socket at standard input until the other end closes it. Blocks; returns the exit status.
    package static func run(descriptor: Int32 = 0) -> Int32 {
        serve(WorkerSocket(descriptor)) { open throws(LakeError) in
            let driver = try ADBCDriver.load(
                path: open["library"].string ?? "", entryPoint: open["entryPoint"].string)
            let database = try ADBCDatabase(driver, options: open["options"].stringMembers)
            return try database.connect(options: open["connectionOptions"].stringMembers)
        }
        return 0
    }

    /// Reads requests here, so that a cancellation is seen while a statement runs on the other thread.
    static func serve(
        _ socket: WorkerSocket, open: @escaping @Sendable (JSONValue) throws(LakeError) -> any LakeSession
    ) {
        let queue = DispatchQueue(label: "lake-worker")
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
                        _ = socket.write(.done)
                    } else if let session = session.withLock({ $0 }) {
                        try answer(kind, payload, session, socket)
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
        _ kind: WorkerFrameKind, _ payload: [UInt8], _ session: any LakeSession, _ socket: WorkerSocket
    ) throws(LakeError) {
        switch kind {
        case .execute:
            session.begin()
            let head = try session.execute(try WorkerMessage.execute(payload))
            _ = socket.write(.head, WorkerMessage.head(head))
        case .next:
            guard let batch = try session.next() else {
                _ = socket.write(.end)
                return
            }
            let message: [UInt8]
            do { message = try IPCEncoder.batch(batch) } catch { throw LakeError(error) }
            guard message.count < WorkerSocket.maximum else {
                throw LakeError(.limit, "a batch of \(message.count) bytes is over what a frame holds")
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

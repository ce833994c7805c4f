// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// Frames between Apus and a worker process that holds a driver, over a socket pair: 4 bytes of length (little-endian,
/// without themselves), 1 byte of kind, the payload. One request is answered before the next is sent; only `cancel`
/// comes at any time and is not answered. The format is private to one version of the binary.
enum WorkerFrameKind: UInt8 {
    // To the worker.
    /// JSON: library, entryPoint, options, connectionOptions.
    case open = 1
    /// 4 bytes of length, JSON (sql, options, table, mode), an Arrow stream of parameters or of rows to ingest.
    case execute
    case next
    case finish
    case cancel
    /// JSON: name, value.
    case setOption
    case commit
    case rollback
    // From the worker.
    case done = 64
    /// JSON: code, message, sqlState, vendorCode.
    case failed
    /// 8 bytes of rows affected (-1: unknown), the schema's message.
    case head
    /// A batch's message.
    case batch
    case end
}

/// One end of the socket pair.
final class WorkerSocket: Sendable {
    /// The longest frame; longer ones are an error on both ends.
    static let maximum = 1 << 30

    private let descriptor: CInt
    private let writing = Mutex(false)

    init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    /// Makes reads and writes on both ends fail or end at once.
    func shutDown() { _ = Glibc.shutdown(descriptor, CInt(SHUT_RDWR)) }

    /// False where the other end is gone.
    func write(_ kind: WorkerFrameKind, _ payload: [UInt8] = []) -> Bool {
        guard payload.count < Self.maximum else { return false }
        var head = [UInt8](repeating: 0, count: 5)
        head.withUnsafeMutableBytes { $0.storeBytes(of: UInt32(payload.count + 1).littleEndian, as: UInt32.self) }
        head[4] = kind.rawValue
        return writing.withLock { _ in send(head) && send(payload) }
    }

    private func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.send(
                    descriptor, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, CInt(MSG_NOSIGNAL))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }

    /// The next frame; blocks. Nil where the other end is gone, or does not keep to the format.
    func read() -> (kind: WorkerFrameKind, payload: [UInt8])? {
        guard let head = receive(5) else { return nil }
        let length = Int(head.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) })
        guard length >= 1, length <= Self.maximum, let kind = WorkerFrameKind(rawValue: head[4]),
            let payload = receive(length - 1)
        else { return nil }
        return (kind, payload)
    }

    private func receive(_ count: Int) -> [UInt8]? {
        if count == 0 { return [] }
        var got = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while got < count {
                let read = Glibc.recv(descriptor, buffer.baseAddress?.advanced(by: got), count - got, 0)
                if read < 0, errno == EINTR { continue }
                guard read > 0 else { break }
                got += read
            }
            filled = got
        }
        return got == count ? bytes : nil
    }
}

// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import LakeEngine
import Synchronization

/// A named pipe that an engine writes a file into, so that no file has to lie anywhere for it. Nobody else knows its
/// name, and it goes away with this object.
final class ParquetPipe: Sendable {
    /// What the engine opens.
    let path: String
    private let reading: Mutex<CInt?>
    /// Kept open until the engine is done: else a reader would come to an end before the engine has begun.
    private let writing: Mutex<CInt?>
    /// Reads block, and run here.
    private let queue = DispatchQueue(label: "sql-parquet")
    private static let chunk = 1 << 18

    init(folder: String) throws(LakeError) {
        path = "\(folder)/\(UUID().uuidString).parquet"
        guard mkfifo(path, 0o600) == 0 else { throw Self.failure("make", path) }
        let reading = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard reading >= 0 else {
            unlink(path)
            throw Self.failure("read", path)
        }
        let writing = open(path, O_WRONLY | O_CLOEXEC)
        guard writing >= 0, fcntl(reading, F_SETFL, 0) == 0 else {
            if writing >= 0 { close(writing) }
            close(reading)
            unlink(path)
            throw Self.failure("write", path)
        }
        self.reading = Mutex(reading)
        self.writing = Mutex(writing)
    }

    private static func failure(_ what: String, _ path: String) -> LakeError {
        LakeError(.io, "cannot \(what) the pipe \(path) for Parquet: \(String(cString: strerror(errno)))")
    }

    deinit {
        unlink(path)
        endWriting()
        closeReading()
    }

    /// Nothing more is read, which an engine that still writes is told.
    func endReading() {
        // Behind a read that goes on, which comes to an end with the engine.
        queue.async { self.closeReading() }
    }

    private func closeReading() {
        reading.withLock { reading in
            if let descriptor = reading { close(descriptor) }
            reading = nil
        }
    }

    /// The engine is done, or will never begin: whoever reads comes to the end.
    func endWriting() {
        writing.withLock { writing in
            if let descriptor = writing { close(descriptor) }
            writing = nil
        }
    }

    /// Some bytes; none at the end.
    func read() async -> [UInt8] {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.readBlocking()) }
        }
    }

    private func readBlocking() -> [UInt8] {
        guard let reading = reading.withLock({ $0 }) else { return [] }
        return [UInt8](unsafeUninitializedCapacity: Self.chunk) { buffer, count in
            var result: Int
            repeat { result = Glibc.read(reading, buffer.baseAddress, buffer.count) } while result < 0 && errno == EINTR
            count = max(result, 0)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import LakeEngine
import Synchronization

/// A query's rows as a file of Parquet, which DuckDB writes while it is read.
final class ParquetFile: Sendable {
    private let pipe: ParquetPipe
    /// The statement; its value is the count of rows.
    private let statement: Task<Int, any Error>
    private let limit: Int?
    /// Bytes that are held back to see that the statement works.
    private static let held = 64 << 10
    /// What was read to see that the statement works.
    private let first = Mutex<[UInt8]>([])

    /// Starts a statement, and waits until much is written, all is, or it has failed.
    ///
    /// `sql` is one query, as DuckDB's parser found; the engine may write pipes into `folder`; `lease` is let go when the
    /// file is written.
    /// - Throws: what is wrong with the statement before its first rows.
    init(
        _ sql: String, _ parameters: ArrowBatch?, _ connection: LakeConnection, limits: LakeLimits, folder: String,
        lease: (any AnyObject & Sendable)?
    ) async throws {
        let pipe = try ParquetPipe(folder: folder)
        var text = Substring(sql)
        while let last = text.last, last.isWhitespace || last == ";" { text.removeLast() }
        // One row more than may be shows that there are too many.
        let most = limits.rows.map { " LIMIT \($0 < .max ? $0 + 1 : $0)" } ?? ""
        let copy = "COPY (FROM (\n\(text)\n)\(most)) TO \(DuckDB.quoted(pipe.path)) (FORMAT parquet)"
        let time = LakeLimits(time: limits.time)
        limit = limits.rows
        self.pipe = pipe
        statement = Task {
            defer {
                pipe.endWriting()
                // The files that the query reads stay until here.
                withExtendedLifetime(lease) {}
            }
            return Int(try await connection.execute(copy, parameters: parameters, limits: time) ?? 0)
        }
        // What is wrong with a small result is seen before anything is sent.
        var begin: [UInt8] = []
        while begin.count < Self.held {
            let bytes = await withTaskCancellationHandler {
                await pipe.read()
            } onCancel: {
                statement.cancel()
            }
            if bytes.isEmpty {
                try checkLimit(try await statement.value)
                break
            }
            begin += bytes
        }
        first.withLock { $0 = begin }
    }

    deinit { close() }

    private func checkLimit(_ rows: Int) throws(LakeError) {
        if let limit, rows > limit { throw LakeError(.limit, "the result has over \(limit) rows") }
    }

    /// The next bytes; nil at the end of a file that is whole.
    func next() async throws -> [UInt8]? {
        let begin = first.withLock { first in
            defer { first = [] }
            return first
        }
        guard begin.isEmpty else { return begin }
        let statement = statement
        let bytes = await withTaskCancellationHandler {
            await pipe.read()
        } onCancel: {
            statement.cancel()
        }
        guard bytes.isEmpty else { return bytes }
        try checkLimit(try await statement.value)
        return nil
    }

    /// How many rows the file has, once it is whole.
    var rows: Int {
        get async { (try? await statement.value) ?? 0 }
    }

    /// Ends the statement where it is: it is told to stop, and that nobody reads any more.
    func close() {
        statement.cancel()
        pipe.endReading()
    }
}

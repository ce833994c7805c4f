// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Logging
import Synchronization

@testable import EventLog

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A log in a folder of its own, with a clock that stands still until it is moved.
final class LogFixture: Sendable {
    let folder: String
    let time = Atomic<Int64>(1_700_000_000_000)
    let logger: Logger

    init() throws {
        var template = Array("/tmp/apus-eventlog-XXXXXX".utf8CString)
        folder = try template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let path = mkdtemp(base) else { throw FileError("create", "/tmp") }
            return String(cString: path)
        }
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        self.logger = logger
    }

    deinit { Self.removeTree(folder) }

    func open(
        _ configure: (inout EventLogConfiguration) -> Void = { _ in }, at folder: String? = nil
    ) async throws -> EventLog {
        var configuration = EventLogConfiguration()
        configure(&configuration)
        return try await EventLog.open(
            folder: (folder ?? self.folder) + "/log", configuration: configuration, logger: logger,
            clock: { [self] in time.load(ordering: .relaxed) })
    }

    func advance(_ milliseconds: Int64) { time.add(milliseconds, ordering: .relaxed) }

    static func removeTree(_ path: String) {
        for name in (try? Folder.names(in: path)) ?? [] {
            let entry = path + "/" + name
            if Folder.isFolder(entry) { removeTree(entry) } else { unlink(entry) }
        }
        rmdir(path)
    }

    /// Copies a folder with all below it.
    static func copyTree(_ from: String, to: String) throws {
        try Folder.create(to)
        for name in try Folder.names(in: from) {
            if Folder.isFolder(from + "/" + name) {
                try copyTree(from + "/" + name, to: to + "/" + name)
            } else if let bytes = try Folder.read(from + "/" + name) {
                try LogFile(path: to + "/" + name, create: true).write(bytes, at: 0)
            }
        }
    }
}

/// A batch with the given values, as a producer sends it.
func batch(
    _ values: [String], timestamp: Int64 = 1000, key: ((Int) -> String?)? = nil, producer: Int64 = -1,
    epoch: Int16 = -1,
    sequence: Int32 = -1, transactional: Bool = false, compression: CompressionCodec = .none
) throws -> ArraySlice<UInt8> {
    var builder = RecordBatchBuilder(
        compression: compression, producerId: producer, producerEpoch: epoch, baseSequence: sequence,
        isTransactional: transactional)
    for (index, value) in values.enumerated() {
        builder.append(
            timestamp: timestamp + Int64(index), key: (key ?? { _ in nil })(index).map { Array($0.utf8) },
            value: Array(value.utf8))
    }
    return try builder.build()[...]
}

extension PartitionLog {
    /// All records that can be read from an offset on, read in small slices.
    func values(
        from offset: Int64? = nil, isolation: Isolation = .uncommitted, maxBytes: Int = 1000
    ) throws -> [(offset: Int64, value: String)] {
        var found: [(Int64, String)] = []
        var next = offset ?? startOffset
        while true {
            let slice = try read(from: next, maxBytes: maxBytes, isolation: isolation)
            if slice.byteCount == 0 { return found }
            let records = try RecordBatch.records(in: slice.bytes()[...])
            for record in records where record.offset >= next {
                found.append((record.offset, String(decoding: record.value ?? [], as: UTF8.self)))
            }
            precondition(slice.nextOffset > next)
            next = slice.nextOffset
        }
    }
}

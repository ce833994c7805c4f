// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Dispatch
import KafkaRecords

/// A check of all files of a folder of partitions. It only reads, so a broker may use the folder meanwhile: its closed
/// segments do not change, and of those that grow what is there at the beginning is checked.
package struct FolderVerification: Sendable {
    /// What was found in one partition.
    package struct Report: Sendable, Hashable {
        /// The partition.
        package var name: PartitionName
        /// Segments that were read.
        package var segments = 0
        /// What is sound, and what is not: each damaged batch that can be told from those after it, and the first one
        /// of what cannot be told apart.
        package var found = PartitionLog.Verification()
        /// Bytes that cannot be read.
        package var lostBytes: Int64 = 0
        /// Bytes at the end of the last segment that are no whole batch and that no checkpoint vouches for: what a
        /// crash in the middle of a write leaves, or a write that goes on. The next start cuts them off.
        package var tornBytes: Int64 = 0
    }

    /// What was found in a folder.
    package struct Findings: Sendable {
        /// A report a partition, in order of their names.
        package var reports: [Report] = []
        /// What is wrong with other files.
        package var faults: [String] = []
    }

    private let folder: String
    private let rows: [PartitionName: CheckpointRow]

    /// Reads all batches of a folder; partitions in order of their names, one after the other.
    ///
    /// - Parameters:
    ///   - folder: The data folder.
    ///   - topics: The topics to check; nil for all.
    /// - Returns: What was found.
    /// - Throws: when the folder is no log, was written by a newer version or cannot be read.
    package static func verify(
        folder: String, topics: Set<String>? = nil
    ) async throws(EventLogError) -> Findings {
        try await DispatchQueue(label: "apus.eventlog.verify", qos: .utility).run { () throws(EventLogError) in
            try verifyNow(folder, topics)
        }
    }

    private static func verifyNow(
        _ folder: String, _ topics: Set<String>?
    ) throws(EventLogError) -> Findings {
        guard Folder.exists(folder + "/" + FormatFile.name) else {
            throw EventLogError(.notFound, "\(folder) is not the data folder of an event log")
        }
        try FormatFile.check(folder)
        do throws(FileError) {
            var findings = Findings()
            var rows: [PartitionName: CheckpointRow] = [:]
            if let bytes = try Folder.read(folder + "/" + Checkpoint.fileName) {
                if let found = Checkpoint.rows(bytes) {
                    rows = found
                } else {
                    findings.faults.append(
                        "\(folder)/\(Checkpoint.fileName) is damaged: the next start reads all segments and makes it anew"
                    )
                }
            }
            let verification = FolderVerification(folder: folder, rows: rows)
            let names = try Folder.names(in: folder).compactMap { PartitionName(folder: $0) }.sorted()
            for name in names where topics?.contains(name.topic) ?? true {
                guard Folder.isFolder(folder + "/\(name)") else { continue }
                findings.reports.append(try verification.report(name, &findings.faults))
            }
            return findings
        } catch {
            throw EventLogError(error, "the log in \(folder)")
        }
    }

    private func report(_ name: PartitionName, _ faults: inout [String]) throws(FileError) -> Report {
        let path = folder + "/\(name)"
        let row = rows[name]
        if let point = row?.point, point.hasSnapshot {
            let snapshot = path + "/" + Segment.fileName(point.offset, "snapshot")
            do throws(EventLogError) { _ = try ProducerSnapshot.read(snapshot) } catch {
                // A checkpoint of a running broker may have replaced it.
                if Folder.exists(snapshot) {
                    faults.append("\(error): the next start reads all of the partition \(name)")
                }
            }
        }
        let bases = try Folder.names(in: path).compactMap { Segment.offset(ofFile: $0, suffix: "log") }.sorted()
        var report = Report(name: name)
        for base in bases {
            let file = path + "/" + Segment.fileName(base, "log")
            // Retention or compaction of a running broker may have removed it.
            guard Folder.exists(file) else { continue }
            try verify(LogFile(path: file, isReadOnly: true), base, isLast: base == bases.last, row, &report)
        }
        return report
    }

    private func verify(
        _ file: LogFile, _ base: Int64, isLast: Bool, _ row: CheckpointRow?, _ report: inout Report
    ) throws(FileError) {
        var segment = Segment(baseOffset: base, now: 0)
        segment.size = try file.size()
        var reader = SegmentReader(segment: segment, file: file, index: nil)
        reader.isContiguous = row?.cleanPasses.isEmpty ?? false
        report.segments += 1
        var found = report.found
        defer { report.found = found }
        var position: Int64 = 0
        var expected: Int64? = base
        do throws(ReadError) {
            while position < segment.size {
                let damage = try reader.scan(position..<segment.size, from: expected) { header, _, batch in
                    found.batches += 1
                    found.records += Int(header.recordCount)
                    found.bytes += Int64(batch.count)
                }
                guard let damage else { return }
                let end = Self.end(of: damage, in: reader)
                if isLast, end == nil, damage.offset >= row?.point.offset ?? base {
                    report.tornBytes = segment.size - damage.position
                    return
                }
                found.damages.append(
                    .init(file: file.path, position: damage.position, offset: damage.offset, reason: damage.reason))
                // What follows can be read where the damaged batch says truly how long it is.
                let next = end.flatMap { $0 == segment.size || Self.isBatch(at: $0, in: reader) ? $0 : nil }
                report.lostBytes += (next ?? segment.size) - damage.position
                position = next ?? segment.size
                expected = nil
            }
        } catch {
            throw FileError("read", file.path, code: 5)
        }
    }

    /// Where a damaged batch ends by what its header says; nil where that cannot be.
    private static func end(of damage: SegmentReader.Damage, in reader: SegmentReader) -> Int64? {
        guard let header = try? HeaderWalk(reader, from: damage.position).header(at: damage.position) else {
            return nil
        }
        return damage.position + Int64(header.totalBytes)
    }

    private static func isBatch(at position: Int64, in reader: SegmentReader) -> Bool {
        guard let header = try? HeaderWalk(reader, from: position).header(at: position) else { return false }
        do throws(ReadError) {
            return try reader.firstDamage(in: position..<position + Int64(header.totalBytes)) == nil
        } catch {
            return false
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Testing

@testable import EventLog

/// A check of a whole folder finds what was damaged, where it is, and nothing else.
@Suite struct FolderVerificationTests {
    /// Batches of one record, some segments of them, all vouched for by a checkpoint.
    private func filled(_ fixture: LogFixture) async throws -> (path: String, count: Int) {
        let log = try await fixture.open()
        var configuration = PartitionConfiguration()
        configuration.segmentBytes = 1000
        for topic in ["t", "u"] {
            let partition = try await log.create(PartitionName(topic, 0), configuration: configuration)
            for number in 0..<40 {
                _ = try await partition.append(batch(["\(topic) \(number)"]), durability: .written)
            }
        }
        await log.close()
        return (fixture.folder + "/log", 40)
    }

    private func change(_ path: String, at position: Int64, _ change: (UInt8) -> UInt8) throws {
        let file = try LogFile(path: path)
        let byte = try file.read(at: position, count: 1)[0]
        try file.write([change(byte)], at: position)
    }

    private func segments(_ folder: String) throws -> [String] {
        try Folder.names(in: folder).filter { $0.hasSuffix(".log") }.sorted()
    }

    @Test func soundFolder() async throws {
        let fixture = try LogFixture()
        let (path, count) = try await filled(fixture)
        let findings = try await FolderVerification.verify(folder: path)
        let reports = findings.reports
        #expect(findings.faults.isEmpty && reports.map(\.name.description) == ["t-0", "u-0"])
        for report in reports {
            #expect(report.segments > 2 && report.found.batches == count && report.found.records == count)
            #expect(report.found.damages.isEmpty && report.tornBytes == 0 && report.lostBytes == 0)
        }
        let only = try await FolderVerification.verify(folder: path, topics: ["u"])
        #expect(only.reports.map(\.name.topic) == ["u"])
    }

    @Test func flippedBitIsFoundAndWhatFollowsIsRead() async throws {
        let fixture = try LogFixture()
        let (path, count) = try await filled(fixture)
        let name = try segments(path + "/t-0")[1]
        // The last byte of the segment's first batch: its record.
        let file = path + "/t-0/" + name
        let bytes = try LogFile(path: file).read(at: 0, count: 61)
        let header = try #require(bytes.withUnsafeBytes { RecordBatchHeader($0) })
        try change(file, at: Int64(header.totalBytes) - 1) { $0 ^ 4 }
        let report = try #require(try await FolderVerification.verify(folder: path).reports.first)
        let damage = try #require(report.found.damages.first)
        #expect(report.found.damages.count == 1 && damage.file == file && damage.position == 0)
        #expect(damage.offset == header.baseOffset && damage.reason.contains("checksum"))
        #expect(report.found.batches == count - 1 && report.lostBytes == Int64(header.totalBytes))
        // A reader gets all before it, and an error there.
        let log = try await fixture.open()
        let partition = try #require(log.partition("t", 0))
        #expect(try partition.values(from: header.nextOffset).count == count - Int(header.nextOffset))
        let error = try #require(throws: ReadError.self) { _ = try partition.values() }
        #expect(error.code == .corrupt && error.message.contains(name))
        await log.close()
    }

    @Test func wrongLengthLosesTheRestOfTheSegment() async throws {
        let fixture = try LogFixture()
        let (path, count) = try await filled(fixture)
        let file = try path + "/t-0/" + segments(path + "/t-0")[1]
        let size = try LogFile(path: file).size()
        // The length's highest byte.
        try change(file, at: 8) { _ in 0x7F }
        let report = try #require(try await FolderVerification.verify(folder: path).reports.first)
        #expect(report.found.damages.map(\.position) == [0] && report.lostBytes == size)
        #expect(report.found.batches > 0 && report.found.batches < count)
    }

    @Test func tornTailIsNoDamage() async throws {
        let fixture = try LogFixture()
        let log = try await fixture.open()
        let partition = try await log.create(PartitionName("t", 0), configuration: PartitionConfiguration())
        for number in 0..<3 { _ = try await partition.append(batch(["\(number)"]), durability: .written) }
        let copy = fixture.folder + "/copy"
        try LogFixture.copyTree(log.folder, to: copy)
        await log.close()
        let file = try LogFile(path: copy + "/t-0/" + Segment.fileName(0, "log"))
        try file.truncate(to: file.size() - 5)
        let report = try #require(try await FolderVerification.verify(folder: copy).reports.first)
        #expect(report.found.damages.isEmpty && report.tornBytes > 0 && report.found.batches == 2)
        // With a checkpoint that vouches for it, it is.
        let (path, vouched) = (fixture.folder + "/log", 3)
        let kept = try LogFile(path: path + "/t-0/" + Segment.fileName(0, "log"))
        try kept.truncate(to: kept.size() - 5)
        let second = try #require(try await FolderVerification.verify(folder: path).reports.first)
        #expect(second.found.damages.count == 1 && second.found.batches == vouched - 1 && second.tornBytes == 0)
    }

    @Test func damagedCheckpointIsTold() async throws {
        let fixture = try LogFixture()
        let (path, _) = try await filled(fixture)
        try change(path + "/" + Checkpoint.fileName, at: 40) { $0 ^ 1 }
        let findings = try await FolderVerification.verify(folder: path)
        #expect(findings.faults.count == 1 && findings.reports.allSatisfy { $0.found.damages.isEmpty })
    }

    @Test func otherFoldersAreRefused() async throws {
        let fixture = try LogFixture()
        await #expect(throws: EventLogError.self) {
            _ = try await FolderVerification.verify(folder: fixture.folder + "/nothing")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import DataFolders
import KafkaRecords
import Testing

@testable import EventLog

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

@Suite struct DiskFullTests {
    /// A disk of 1 MiB, for as long as this object lives.
    private final class SmallDisk: Sendable {
        let folder: String

        init(_ folder: String) throws {
            try Folder.create(folder)
            guard mount("apus-test", folder, "tmpfs", 0, "size=1m") == 0 else { throw FileError("mount", folder) }
            self.folder = folder
        }

        deinit { umount2(folder, CInt(MNT_DETACH)) }
    }

    @Test(.enabled(if: geteuid() == 0)) func aFullDiskRefusesAndRecovers() async throws {
        let fixture = try LogFixture()
        let disk: SmallDisk
        do { disk = try SmallDisk(fixture.folder + "/disk") } catch { return }
        let log = try await fixture.open(at: disk.folder)
        let partition = try await log.create(PartitionName("t", 0), configuration: PartitionConfiguration())
        let value = String(repeating: "x", count: 10_000)
        var count: Int32 = 0
        var failure: AppendError?
        while failure == nil, count < 1000 {
            do throws(AppendError) {
                let records = try batchOrEmpty(value, count)
                _ = try await partition.append(records, durability: .durable)
                count += 1
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == .storage && failure?.message.contains("the disk is full") == true)
        #expect(count > 50 && partition.endOffset == Int64(count))
        #expect(try partition.values().count == Int(count))
        let ballast = disk.folder + "/log/t-0"
        #expect(try LogFile(path: ballast + "/" + Segment.fileName(0, "log")).size() == partition.sizeBytes)
        await #expect(throws: AppendError.self) {
            try await partition.append(batchOrEmpty(value, count), durability: .written)
        }
        // Space returns.
        #expect(mount("apus-test", disk.folder, "tmpfs", UInt(MS_REMOUNT), "size=2m") == 0)
        let appended = try await partition.append(batchOrEmpty(value, count), durability: .durable)
        #expect(appended.baseOffset == Int64(count) && !appended.isDuplicate)
        #expect(try partition.values().count == Int(count) + 1)
        #expect(try partition.verify().damages.isEmpty)
        await log.close()
    }

    private func batchOrEmpty(_ value: String, _ sequence: Int32) throws(AppendError) -> ArraySlice<UInt8> {
        (try? batch([value], producer: 1, epoch: 0, sequence: sequence)) ?? []
    }
}

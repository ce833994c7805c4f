// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import EventLog
import Foundation

/// `apus events verify`.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check every record batch in a broker's data folder.",
        discussion: """
            Reads all segments and checks lengths, checksums and offsets. Nothing is changed, and the broker may run \
            meanwhile. Exit code 1 when something is damaged; each damage is printed with its file, place and offset. \
            A damaged batch is never given to readers (they get CORRUPT_MESSAGE) nor compacted; delete it with the \
            records before it (kafka-delete-records, DeleteRecords), or restore the file from a backup.
            """)

    @Option(help: "Folder of the logs, as of 'apus serve events'. (default: ~/.apus/events)")
    var dataDir: String?
    @Argument(help: "Topics to check. (default: all)") var topics: [String] = []

    func run() async throws {
        let settings = try Settings()
        let folder = volumeFolder(absolute(settings.value("data-dir", dataDir) ?? "\(HomeFolder.path)/.apus/events"))
        let findings = try await check(folder)
        let reports = findings.reports
        for topic in topics where !reports.contains(where: { $0.name.topic == topic }) {
            throw fail("there is no topic \"\(topic)\" in \(folder)")
        }
        var rows = [["PARTITION", "SEGMENTS", "BATCHES", "RECORDS", "BYTES", "DAMAGED", "LOST-BYTES"]]
        for report in reports {
            rows.append([
                "\(report.name)", "\(report.segments)", "\(report.found.batches)", "\(report.found.records)",
                "\(report.found.bytes)", "\(report.found.damages.count)", "\(report.lostBytes)",
            ])
        }
        print(TextTable.render(rows))
        for report in reports where report.tornBytes > 0 {
            print("\(report.name): the last \(report.tornBytes) bytes are no whole batch; a start cuts them off")
        }
        var isDamaged = false
        for report in reports {
            for damage in report.found.damages {
                isDamaged = true
                _ = fail(
                    "\(report.name): the record batch at offset \(damage.offset) is damaged (\(damage.file), byte "
                        + "\(damage.position)): \(damage.reason)")
            }
        }
        for fault in findings.faults {
            isDamaged = true
            _ = fail(fault)
        }
        if isDamaged { throw ExitCode(1) }
    }

    private func check(_ folder: String) async throws -> FolderVerification.Findings {
        do {
            return try await FolderVerification.verify(folder: folder, topics: topics.isEmpty ? nil : Set(topics))
        } catch {
            throw fail(error.description)
        }
    }
}

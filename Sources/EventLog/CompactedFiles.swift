// SPDX-License-Identifier: Apache-2.0
import DataFolders

/// How compaction puts one file in the place of one or several segments, so that a crash at any time leaves either.
///
/// The new batches are written to `BASE.log.cleaned` and synced; its renaming to `BASE-END.swap` decides. Then the old
/// segments from BASE to before END are removed and the file is renamed to `BASE.log`. Indexes are made by reading it.
enum CompactedFiles {
    static func cleanedName(_ base: Int64) -> String { Segment.fileName(base, "log.cleaned") }

    static func swapName(_ range: Range<Int64>) -> String {
        Segment.fileName(range.lowerBound, "").dropLast() + "-" + Segment.fileName(range.upperBound, "swap")
    }

    static func range(ofSwap name: String) -> Range<Int64>? {
        let parts = name.split(separator: "-", maxSplits: 1)
        guard parts.count == 2, let low = Segment.offset(ofFile: parts[0] + ".x", suffix: "x"),
            let high = Segment.offset(ofFile: String(parts[1]), suffix: "swap"), low < high
        else { return nil }
        return low..<high
    }

    /// Finishes what was decided, removes what was not.
    static func recover(_ folder: String) throws(FileError) {
        let names = try Folder.names(in: folder)
        for name in names where name.hasSuffix(".cleaned") || name.hasSuffix(".tmp") {
            Folder.remove(folder + "/" + name)
        }
        for name in names {
            if let range = range(ofSwap: name) { try finish(range, in: folder) }
        }
    }

    /// Removes the old segments and gives the new file its name.
    static func finish(_ range: Range<Int64>, in folder: String) throws(FileError) {
        for name in try Folder.names(in: folder) {
            for kind in SegmentFile.allCases {
                if let base = Segment.offset(ofFile: name, suffix: kind.rawValue), range.contains(base) {
                    Folder.remove(folder + "/" + name)
                }
            }
        }
        try Folder.rename(
            folder + "/" + swapName(range), to: folder + "/" + Segment.fileName(range.lowerBound, "log"))
        try Folder.sync(folder)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Finds where the last lines of a log begin, reading backwards no more than needed. Blocks.
enum LogTail {
    static let blockBytes = 65536
    /// Enough of a record to see whether it ends its line: time, stream, tag.
    private static let headBytes = 64

    /// The offset at which the last `lines` lines of a file begin, and how many lines are there from it on.
    ///
    /// A line is what the container wrote up to its line end, however many records it takes.
    static func start(of lines: Int, in file: Int32, size: Int, blockBytes: Int = blockBytes) -> (
        offset: Int, found: Int
    ) {
        guard lines > 0 else { return (size, 0) }
        var found = 0
        var start = size
        // The end of the record that is looked for; records end with a line end, except perhaps the last.
        var recordEnd = size
        var position = size
        var head: [UInt8] = []
        while position > 0 {
            let from = max(0, position - blockBytes)
            guard let block = read(file, from: from, count: position - from) else { return (start, found) }
            let bytes = block + head
            // Record starts in this block, from the last to the first.
            var index = block.count - 1
            while index >= -1 {
                let isStart = index == -1 ? from == 0 : block[index] == UInt8(ascii: "\n")
                let offset = from + index + 1
                if isStart, offset < recordEnd {
                    if endsLine(bytes[(index + 1)...].prefix(headBytes)) {
                        if found == lines { return (start, found) }
                        found += 1
                    }
                    start = offset
                    recordEnd = offset
                }
                index -= 1
            }
            head = Array(bytes.prefix(headBytes))
            position = from
        }
        return (start, found)
    }

    private static func endsLine(_ head: ArraySlice<UInt8>) -> Bool {
        let line = head.prefix { $0 != UInt8(ascii: "\n") }
        return !CRILogRecord(line: line).isPartial
    }

    private static func read(_ file: Int32, from: Int, count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let offset = from + bytes.count
            let wanted = count - bytes.count
            var result = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
                result = pread(file, buffer.baseAddress, wanted, off_t(offset))
                filled = max(0, result)
            }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { return nil }
            bytes += chunk
        }
        return bytes
    }
}

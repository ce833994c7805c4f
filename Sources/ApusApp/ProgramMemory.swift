// SPDX-License-Identifier: Apache-2.0
import CMalloc
import Foundation

/// What a server that moves large buffers, and then rests, asks of the C library and the kernel.
enum ProgramMemory {
    /// Parameters of mallopt(3), which are macros.
    private enum Parameter {
        static let trimThreshold: CInt = -1
        static let mapThreshold: CInt = -3
        static let arenaMaximum: CInt = -8
    }

    /// Buffers of up to a block and more are used again instead of being mapped and cleared by the kernel each time,
    /// and by all threads from two heaps. To be called before there are threads.
    static func prepareForBuffers() {
        _ = mallopt(Parameter.arenaMaximum, 2)
        _ = mallopt(Parameter.mapThreshold, 4 << 20)
        _ = mallopt(Parameter.trimThreshold, 16 << 20)
    }

    /// Gives free memory back to the system.
    static func giveBackFree() { _ = malloc_trim(0) }

    /// Takes the program's code out of the process's memory; what is still needed comes back from the page cache when
    /// it is called, and what only starting needed does not.
    ///
    /// Code is never written, so that nothing is lost by it (a debugger's breakpoints are).
    /// - Parameter andLibraries: whether the code of libraries goes, too, as that of a model's runtime.
    static func giveBackCode(andLibraries: Bool = false) {
        guard let handle = FileHandle(forReadingAtPath: "/proc/self/maps"), let data = try? handle.readToEnd(),
            let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        else { return }
        for range in codeRanges(
            maps: String(decoding: data, as: UTF8.self), program: andLibraries ? nil : program)
        {
            madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
        }
    }

    /// Where a program's code is: mappings of its file, or without one of all files, that can be run and not written
    /// (proc_pid_maps(5)).
    static func codeRanges(maps: String, program: String?) -> [Range<UInt>] {
        maps.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6, fields[1] == "r-xp" else { return nil }
            let file = fields[5].drop { $0 == " " }
            guard program.map({ file == $0 }) ?? file.hasPrefix("/") else { return nil }
            let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
        }
    }
}

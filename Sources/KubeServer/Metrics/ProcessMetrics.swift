// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the kernel tells of this process (proc(5)); empty where there is no /proc.
enum ProcessMetrics {
    static func append(to text: inout Exposition) {
        let ticks = Double(sysconf(CInt(_SC_CLK_TCK)))
        // The name in parentheses may have spaces; the fields after it are counted from 3.
        if let stat = read("/proc/self/stat"), let end = stat.lastIndex(of: ")") {
            let fields = stat[stat.index(after: end)...].split(separator: " ").map { Double($0) ?? 0 }
            if fields.count > 21, ticks > 0 {
                text.family(
                    "process_cpu_seconds_total", .counter, "Time on processors, in seconds.")
                text.sample("process_cpu_seconds_total", [], (fields[11] + fields[12]) / ticks)
                text.family("process_resident_memory_bytes", .gauge, "Memory in RAM, in bytes.")
                text.sample("process_resident_memory_bytes", [], Int(fields[21]) * Int(getpagesize()))
                text.family("process_virtual_memory_bytes", .gauge, "Address space, in bytes.")
                text.sample("process_virtual_memory_bytes", [], Int(fields[20]))
                if let boot = bootTime {
                    text.family(
                        "process_start_time_seconds", .gauge,
                        "When the process began, in seconds since 1970.")
                    text.sample("process_start_time_seconds", [], boot + fields[19] / ticks)
                }
            }
        }
        if let count = openFiles {
            text.family("process_open_fds", .gauge, "File descriptors that are open.")
            text.sample("process_open_fds", [], count)
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            text.family("process_max_fds", .gauge, "The most file descriptors.")
            text.sample("process_max_fds", [], Int(clamping: limit.rlim_cur))
        }
    }

    private static var bootTime: Double? {
        guard let stat = read("/proc/stat") else { return nil }
        for line in stat.split(separator: "\n") where line.hasPrefix("btime ") {
            return Double(line.dropFirst(6))
        }
        return nil
    }

    private static var openFiles: Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Not the two names of folders, nor the folder that is being read.
        return max(0, count - 3)
    }

    private static func read(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 1 << 20 {
            let size = buffer.count
            let count = Glibc.read(file, &buffer, size)
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

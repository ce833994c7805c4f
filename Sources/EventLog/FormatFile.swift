// SPDX-License-Identifier: Apache-2.0
import DataFolders

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The file `format`, which says how the rest of the folder is written.
enum FormatFile {
    static let name = "format"
    private static let title = "apus-events "
    private static let version = 1

    /// Writes the file where it is missing; refuses folders of later versions.
    static func check(_ folder: String) throws(EventLogError) {
        do throws(FileError) {
            guard let bytes = try Folder.read(folder + "/" + name, atMost: 4096) else {
                return try Folder.replace(folder + "/" + name, with: Array("\(title)\(version)\n".utf8))
            }
            let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            guard text.hasPrefix(title), let found = Int(text.dropFirst(title.count)) else {
                throw FileError("understand", folder + "/" + name, code: EINVAL)
            }
            if found <= version { return }
            throw FileError("read version \(found) of", folder, code: ENOTSUP)
        } catch {
            guard error.code == ENOTSUP else { throw EventLogError(.corrupt, "\(folder) is not a log: \(error)") }
            throw EventLogError(
                .newerFormat,
                "\(folder) was written by a newer version of apus; this one reads version \(version): use the newer one"
            )
        }
    }
}

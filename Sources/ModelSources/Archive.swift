// SPDX-License-Identifier: Apache-2.0
internal import DataFolders
internal import InferenceProtocol

struct ArchiveLimits: Sendable {
    /// Bytes of all files, unpacked.
    var bytes: Int
    var files: Int
}

/// Archives that a model may come in. Only files and folders come out of one, below its folder: an archive with anything
/// else, or with more than the limits, is refused.
enum Archive {
    enum Kind: Sendable {
        case zip, tar, gzippedTar

        /// By the name; nil for another file.
        init?(_ path: String) {
            let name = path.lowercased()
            if name.hasSuffix(".zip") || name.hasSuffix(".mar") {
                self = .zip
            } else if name.hasSuffix(".tar.gz") || name.hasSuffix(".tgz") {
                self = .gzippedTar
            } else if name.hasSuffix(".tar") {
                self = .tar
            } else {
                return nil
            }
        }
    }

    /// Unpacks into a folder. Blocks.
    static func unpack(_ path: String, _ kind: Kind, into folder: String, _ limits: ArchiveLimits) throws {
        let output = ArchiveOutput(folder, limits)
        switch kind {
        case .zip: try ZipArchive(try FileReader(path)).unpack(to: output)
        case .tar:
            var archive = TarArchive(RawBytes(try FileReader(path)))
            try archive.unpack(to: output)
        case .gzippedTar:
            var archive = TarArchive(try GzippedBytes(try FileReader(path)))
            try archive.unpack(to: output)
        }
    }

    static func damaged(_ what: String) -> InferenceFault { InferenceFault(.invalid, "the archive \(what)") }
}

/// Names within archives and listings.
enum ArchivePath {
    /// The name without `.` and slashes at its ends.
    /// - Throws: `invalid` where it would lead out of its folder, or is no name.
    static func safe(_ name: String) throws(InferenceFault) -> String {
        let parts = name.split(separator: "/").filter { $0 != "." }
        let isSafe =
            !name.hasPrefix("/") && name.utf8.count <= 1024 && parts.count <= 32
            && !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") })
            && parts.allSatisfy { $0 != ".." && $0.utf8.count <= 255 } && !parts.isEmpty
        guard isSafe else {
            throw InferenceFault(.invalid, "'\(name.prefix(200))' is no name for a file of a model: it leads elsewhere")
        }
        return parts.joined(separator: "/")
    }

    /// The folder that a name is in; empty: the top.
    static func parent(_ name: String) -> String {
        name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
    }
}

/// Where an archive's files go.
final class ArchiveOutput {
    private let folder: String
    private let budget: ByteBudget
    private let limits: ArchiveLimits
    private var count = 0

    init(_ folder: String, _ limits: ArchiveLimits) {
        self.folder = folder
        self.limits = limits
        budget = ByteBudget(limits.bytes)
    }

    /// Counts a file or folder.
    private func admit() throws(InferenceFault) {
        count += 1
        guard count <= limits.files else {
            throw InferenceFault(.tooLarge, "the archive has more than \(limits.files) files")
        }
    }

    func makeFolder(_ name: String) throws {
        // The top, as tar has it.
        if name.split(separator: "/").allSatisfy({ $0 == "." }), !name.hasPrefix("/") { return }
        try admit()
        try Folder.create(folder + "/" + (try ArchivePath.safe(name)))
    }

    /// A new file; a name that is there already is refused.
    func makeFile(_ name: String) throws -> NewFile {
        try admit()
        let name = try ArchivePath.safe(name)
        let parent = ArchivePath.parent(name)
        if !parent.isEmpty { try Folder.create(folder + "/" + parent) }
        return try NewFile(folder + "/" + name, replaces: false)
    }

    func write(_ bytes: ArraySlice<UInt8>, to file: NewFile) throws {
        try budget.take(bytes.count)
        try file.write(bytes)
    }
}

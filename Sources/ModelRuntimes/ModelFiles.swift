// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import DataFolders
internal import Glibc
package import InferenceProtocol
internal import YAMLFormat

/// What lies in a model's folder (or the one file that is the model).
package struct ModelFiles: Sendable {
    package let path: String
    /// Names at the folder's top, sorted; of a single file its own name.
    package let names: [String]
    let isFolder: Bool

    package init(_ path: String) {
        self.path = path
        isFolder = Folder.isFolder(path)
        names =
            isFolder
            ? ((try? Folder.names(in: path)) ?? []).sorted()
            : (access(path, R_OK) == 0 ? [path.split(separator: "/").last.map(String.init) ?? path] : [])
    }

    package func contains(_ name: String) -> Bool { names.contains(name) }

    func path(of name: String) -> String { isFolder ? path + "/" + name : path }

    /// The file that is the model: `preferred` names first, else the only one with one of the endings.
    func modelFile(preferred: [String], endings: [String]) -> String? {
        if let name = preferred.first(where: names.contains) { return path(of: name) }
        let fitting = names.filter { name in endings.contains { name.hasSuffix($0) } }
        return fitting.count == 1 ? path(of: fitting[0]) : nil
    }

    /// Bytes of all files, links not followed, at most `depth` folders deep.
    package static func byteCount(of path: String, depth: Int = 8) -> Int {
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return Int(status.st_size)
        case S_IFDIR where depth > 0:
            let names = (try? Folder.names(in: path)) ?? []
            return names.reduce(0) { $0 + byteCount(of: path + "/" + $1, depth: depth - 1) }
        default: return 0
        }
    }

    /// The bytes of a file that is not larger than `limit`.
    static func read(_ path: String, limit: Int) throws(InferenceFault) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw InferenceFault(
                .notFound, "the model's file \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) <= limit else {
            throw InferenceFault(.tooLarge, "the model's file \(path) is not a file of at most \(limit) bytes")
        }
        let size = Int(status.st_size)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, size - count)
                guard got > 0 else { break }
                count += got
            }
        }
    }
}

/// The file `MLmodel` that mlflow writes beside a model (mlflow.org, "MLflow Model").
package struct MLmodel: Sendable {
    /// Each flavor with its settings.
    let flavors: [String: JSONValue]
    /// Columns or tensors, as the signature has them; empty: none.
    let inputs: [JSONValue]
    let outputs: [JSONValue]

    /// Nil where the folder is not one of mlflow.
    package init?(_ files: ModelFiles) throws(InferenceFault) {
        guard files.isFolder, files.contains("MLmodel") else { return nil }
        let text = try ModelFiles.read(files.path(of: "MLmodel"), limit: 4 << 20)
        let document: JSONValue
        do {
            document = try YAMLDocuments.parse(String(decoding: text, as: UTF8.self)).first ?? .null
        } catch {
            throw InferenceFault(.invalid, "the file MLmodel of \(files.path) is not YAML: \(error)")
        }
        flavors = document["flavors"].members
        inputs = Self.fields(document["signature"]["inputs"])
        outputs = Self.fields(document["signature"]["outputs"])
    }

    /// mlflow has the list as a text in JSON.
    private static func fields(_ value: JSONValue) -> [JSONValue] {
        guard let text = value.string else { return value.elements }
        return ((try? JSONParser.parse(text, maxDepth: 32)) ?? .null).elements
    }

    /// Whether a library's own predictions are those of the model as mlflow has it: of scikit-learn's classifiers they are
    /// not, for those give classes.
    func isNative(_ flavor: String) -> Bool {
        guard let settings = flavors[flavor] else { return false }
        guard let kind = settings["model_class"].string?.split(separator: ".").last else { return true }
        return kind == "Booster" || kind.hasSuffix("Regressor") && settings["data"].string?.hasSuffix(".pkl") != true
    }

    /// The file or folder that a flavor's setting names, if it is within the folder.
    func data(of flavor: String, _ key: String = "data", in files: ModelFiles) -> String? {
        guard let name = flavors[flavor]?[key].string, !name.isEmpty, !name.hasPrefix("/"),
            !name.split(separator: "/").contains("..")
        else { return nil }
        return files.path + "/" + name
    }
}

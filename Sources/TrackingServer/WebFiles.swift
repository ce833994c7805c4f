// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPTypes
import Hummingbird
import ServiceHTTP
import TrackingModel

/// The files of MLflow's web UI: the folder `server/js/build` of its wheel, as it was when the server started.
package struct WebFiles: Sendable {
    /// A folder that is refused.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        /// What was wrong and what to do.
        package let description: String
    }

    private struct File: Sendable {
        let path: String
        let type: String
        let tag: String
    }

    private static let maximumFiles = 20_000
    /// Names of files carry a hash of what is in them; four weeks, as MLflow's server says.
    private static let keep = "public, max-age=2419200"

    private let files: [String: File]
    private let io = FileIO()

    /// Lists the folder; only regular files below it are served.
    /// - Throws: ``Refusal`` where it has no `index.html`.
    package init(folder: String) throws(Refusal) {
        let root = URL(fileURLWithPath: folder, isDirectory: true).resolvingSymlinksInPath()
        let keys: [URLResourceKey] = [.isRegularFileKey, .fileSizeKey, .contentModificationDateKey]
        var files: [String: File] = [:]
        let listing = FileManager.default.enumerator(at: root, includingPropertiesForKeys: keys)
        while let url = listing?.nextObject() as? URL, files.count < Self.maximumFiles {
            guard let values = try? url.resourceValues(forKeys: Set(keys)), values.isRegularFile == true,
                url.path.hasPrefix(root.path + "/")
            else { continue }
            let changed = Int64((values.contentModificationDate?.timeIntervalSince1970 ?? 0) * 1000)
            files[String(url.path.dropFirst(root.path.count + 1))] = File(
                path: url.path, type: Self.type(url.pathExtension.lowercased()),
                tag: "\"\(String(values.fileSize ?? 0, radix: 16))-\(String(changed, radix: 16))\"")
        }
        guard files["index.html"] != nil else {
            throw Refusal(
                description:
                    "\(folder) has no index.html: give the folder mlflow/server/js/build of an installed mlflow, "
                    + "as .venv/lib/python3.11/site-packages/mlflow/server/js/build")
        }
        self.files = files
    }

    /// The page.
    func index(_ call: Call) async throws -> Response { try await answer("index.html", call, keep: "no-cache") }

    /// A file that the page needs.
    func file(_ path: String, _ call: Call) async throws -> Response { try await answer(path, call, keep: Self.keep) }

    private func answer(_ path: String, _ call: Call, keep: String) async throws -> Response {
        guard let file = files[path] else { throw TrackingError(.notFound, "there is no file \(path.prefix(200))") }
        let headers: HTTPFields = [
            .contentType: file.type, .cacheControl: keep, .eTag: file.tag, .xContentTypeOptions: "nosniff",
        ]
        let known = call.request.headers[.ifNoneMatch]?.split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        if let known, known.contains(where: { $0 == file.tag || $0 == "W/" + file.tag || $0 == "*" }) {
            return Response(status: .notModified, headers: headers)
        }
        // Read by threads of its own, a part at a time.
        let body = try await io.loadFile(path: file.path, context: call.context)
        return Response(status: .ok, headers: headers, body: body)
    }

    private static func type(_ name: String) -> String {
        switch name {
        case "html": "text/html; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "json", "map": "application/json"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "jpg", "jpeg": "image/jpeg"
        case "gif": "image/gif"
        case "webp": "image/webp"
        case "ico": "image/x-icon"
        case "woff": "font/woff"
        case "woff2": "font/woff2"
        case "ttf": "font/ttf"
        case "wasm": "application/wasm"
        case "txt": "text/plain; charset=utf-8"
        default: "application/octet-stream"
        }
    }
}

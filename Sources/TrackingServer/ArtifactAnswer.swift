// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import S3Protocol
import ServiceHTTP
import TrackingModel

/// Files as answers. They are always attachments, so that none of them runs in a page of the server's own.
enum ArtifactAnswer {
    /// The file of a path, or the part of it that the request wants.
    static func file(_ path: ArtifactPath, of store: any ArtifactStore, _ request: Request) async throws -> Response {
        let content: ArtifactContent
        do throws(ArtifactError) {
            content = try await store.read(path, range: request.headers[.range].flatMap { ByteRange(header: $0) })
        } catch {
            guard case .range(let size) = error else { throw error }
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(size)"])
        }
        let name = path.names.last ?? ""
        var headers: HTTPFields = [
            .contentType: type(of: name), .contentDisposition: disposition(of: name), .xContentTypeOptions: "nosniff",
            .acceptRanges: "bytes", .eTag: "\"\(content.etag)\"", .cacheControl: "no-cache",
        ]
        if request.headers[.ifNoneMatch] == headers[.eTag] { return Response(status: .notModified, headers: headers) }
        guard content.range == 0..<content.size else {
            headers[.contentRange] = "bytes \(content.range.lowerBound)-\(content.range.upperBound - 1)/\(content.size)"
            return Response(status: .partialContent, headers: headers, body: content.body)
        }
        return Response(status: .ok, headers: headers, body: content.body)
    }

    /// A list as MLflow's messages have it; nothing where it is empty.
    ///
    /// `folder` is what is before the names; nil for the names alone.
    static func files(_ entries: some Sequence<ArtifactEntry>, in folder: ArtifactPath? = nil) -> [String: JSONValue] {
        let files = entries.map { entry -> JSONValue in
            let path = folder.map { $0.isRoot ? entry.name : "\($0)/\(entry.name)" } ?? entry.name
            guard let size = entry.size else { return ["path": .string(path), "is_dir": true] }
            return ["path": .string(path), "is_dir": false, "file_size": .int(size)]
        }
        return files.isEmpty ? [:] : ["files": .array(files)]
    }

    /// RFC 6266; other characters than ASCII's by RFC 5987.
    static func disposition(of name: String) -> String {
        let isToken = !name.isEmpty && name.utf8.allSatisfy { isAttributeCharacter($0) || $0 == UInt8(ascii: "'") }
        if isToken { return "attachment; filename=\(name)" }
        let escaped = name.unicodeScalars.map { scalar in
            scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : scalar.isASCII ? "\(scalar)" : "_"
        }
        let plain = "attachment; filename=\"\(escaped.joined())\""
        guard name.utf8.contains(where: { $0 > 127 }) else { return plain }
        let encoded = name.utf8.map { byte in
            isAttributeCharacter(byte) ? String(Unicode.Scalar(byte)) : PercentEncoding.encode(byte)
        }
        return plain + "; filename*=UTF-8''" + encoded.joined()
    }

    private static func isAttributeCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "!#$&+-.^_`|~".utf8.contains(byte)
        }
    }

    /// What a file is, by its name: what people read is plain text, as MLflow has it (utils/mime_type_utils.py).
    static func type(of name: String) -> String {
        let dot = name.utf8.lastIndex(of: UInt8(ascii: "."))
        // A dot at the beginning makes a hidden file, not an extension.
        let hasExtension = dot.map { $0 != name.utf8.startIndex && $0 != name.utf8.index(before: name.utf8.endIndex) }
        let ending = hasExtension == true ? dot.map { String(name[name.utf8.index(after: $0)...]) } ?? name : name
        if texts.contains(ending) { return "text/plain" }
        return types[ending.lowercased()] ?? "application/octet-stream"
    }

    private static let texts: Set<String> = [
        "txt", "log", "err", "cfg", "conf", "cnf", "cf", "ini", "properties", "prop", "hocon", "toml", "yaml", "yml",
        "xml", "json", "js", "py", "py3", "csv", "tsv", "md", "rst", "ipynb", "MLmodel", "MLproject",
    ]

    private static let types = [
        "avi": "video/x-msvideo", "bmp": "image/bmp", "c": "text/plain", "css": "text/css", "doc": "application/msword",
        "gif": "image/gif", "h": "text/plain", "h5": "application/x-hdf5", "htm": "text/html", "html": "text/html",
        "ico": "image/vnd.microsoft.icon", "jpeg": "image/jpeg", "jpg": "image/jpeg",
        "m3u": "application/vnd.apple.mpegurl",
        "mjs": "text/javascript", "mov": "video/quicktime", "mp3": "audio/mpeg", "mp4": "video/mp4",
        "mpeg": "video/mpeg", "mpg": "video/mpeg", "pdf": "application/pdf", "png": "image/png",
        "ps": "application/postscript",
        "sh": "application/x-sh", "svg": "image/svg+xml", "tar": "application/x-tar", "tgz": "application/x-tar",
        "tif": "image/tiff", "tiff": "image/tiff", "wasm": "application/wasm", "wav": "audio/x-wav",
        "webm": "video/webm",
        "webp": "image/webp", "zip": "application/zip",
    ]
}

extension HTTPField.Name {
    fileprivate static var xContentTypeOptions: HTTPField.Name { name("X-Content-Type-Options") }

    private static func name(_ text: String) -> HTTPField.Name { HTTPField.Name(text) ?? .server }
}

extension PercentEncoding {
    /// `%XX`.
    fileprivate static func encode(_ byte: UInt8) -> String {
        (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
    }
}

extension ArtifactError {
    /// What a client is told.
    var fault: TrackingError {
        switch self {
        case .invalid, .range: .invalid(description)
        case .missing: .missing(description)
        case .unsupported: TrackingError(.notImplemented, description)
        case .incomplete: TrackingError(.badRequest, description)
        case .failed, .cancelled: TrackingError(.internalError, description)
        }
    }
}

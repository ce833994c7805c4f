// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// One change that a watch reports (meta/v1 WatchEvent).
package enum WatchEvent: Sendable {
    case added(KubeObject)
    case modified(KubeObject)
    case deleted(KubeObject)
    /// All changes up to this resource version were sent.
    case bookmark(resourceVersion: String)

    private static let managedFields = JSONParser.Cut("managedFields", of: "metadata", depth: 2)

    /// Decodes one line, the managers of fields left out; an ERROR event is thrown as its status.
    package static func decode(_ line: [UInt8]) throws -> WatchEvent {
        let json = try JSONParser.parse(line, leavingOut: managedFields).value
        let object = KubeObject(json["object"])
        switch json["type"].string {
        case "ADDED": return .added(object)
        case "MODIFIED": return .modified(object)
        case "DELETED": return .deleted(object)
        case "BOOKMARK": return .bookmark(resourceVersion: object.resourceVersion)
        case "ERROR": throw StatusError(json: object.json, code: 500)
        case let other: throw StatusError.internalError("unknown watch event type \"\(other ?? "")\"")
        }
    }
}

/// The events of a watch, decoded from the chunks of a response, one event a line. Iterate it once.
package struct WatchEvents: AsyncSequence, Sendable {
    private let chunks: ByteStream

    init(_ chunks: ByteStream) { self.chunks = chunks }

    /// Decodes as the chunks arrive.
    package struct AsyncIterator: AsyncIteratorProtocol {
        private var chunks: any AsyncIteratorProtocol<[UInt8], any Error>
        private var splitter = LineSplitter()
        private var lines: ArraySlice<[UInt8]> = []

        fileprivate init(_ chunks: any AsyncIteratorProtocol<[UInt8], any Error>) { self.chunks = chunks }

        package mutating func next() async throws -> WatchEvent? {
            while lines.isEmpty {
                guard let chunk = try await chunks.next() else { return nil }
                lines = try splitter.feed(chunk)[...]
            }
            return try WatchEvent.decode(lines.removeFirst())
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks.makeAsyncIterator()) }
}

/// Cuts a byte stream at line feeds; an unfinished line is bounded.
package struct LineSplitter: Sendable {
    private var rest: [UInt8] = []
    private let maxLine: Int

    package init(maxLine: Int = 16 << 20) { self.maxLine = maxLine }

    /// Takes the next bytes and returns the lines that they complete, empty ones left out.
    /// - Throws: when an unfinished line grows over the bound.
    package mutating func feed(_ chunk: [UInt8]) throws -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = chunk.startIndex
        while let end = chunk[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest + chunk[start..<end]
            rest = []
            if !line.isEmpty { lines.append(line) }
            start = end + 1
        }
        rest += chunk[start...]
        guard rest.count <= maxLine else {
            throw StatusError.internalError("a line of the stream is longer than \(maxLine) bytes")
        }
        return lines
    }
}

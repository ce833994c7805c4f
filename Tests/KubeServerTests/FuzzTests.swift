// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI
import KubeServer
import KubeStore
import Logging
import Testing

/// Requests that are almost right: the server never stops, and says what is wrong as upstream does.
///
/// Set `APUS_FUZZ_SEEDS` and `APUS_FUZZ_REQUESTS` for more than the default.
@Suite struct FuzzTests {
    private static let seeds = environment("APUS_FUZZ_SEEDS") ?? 4
    private static let requests = environment("APUS_FUZZ_REQUESTS") ?? 300
    private static let first = environment("APUS_FUZZ_FIRST") ?? 0

    private static func environment(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    /// A server whose store the test can look into.
    private struct Target {
        let store: KubeStore
        let server: APIServer

        init(tokens: TokenIssuer) async throws {
            let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
            store = try KubeStore(inMemory: StoreConfiguration(), logger: logger)
            server = APIServer(store: store, tokens: tokens, logger: logger)
            try await server.bootstrap(host: "127.0.0.1", port: 6443)
            try await plant()
        }

        /// Puts the valid objects there that are missing.
        func plant() async throws {
            for (resource, object) in FuzzCorpus.objects {
                let collection = resource.path(namespace: "default")
                let status = await send("GET", "\(collection)/seed").status
                guard status == 404 else { continue }
                var body = object
                if resource.group == "events.k8s.io" { body["metadata"]["name"] = "seed" }
                let made = await send("POST", collection, body)
                #expect(made.status == 201, "\(resource.qualifiedName): \(made.json["message"])")
                guard !object["status"].isNull else { continue }
                _ = await send(
                    "PATCH", "\(collection)/seed/status", ["status": object["status"]],
                    contentType: MergePatch.mediaType)
            }
        }

        func send(
            _ method: String, _ path: String, _ body: JSONValue = .null, contentType: String = "application/json",
            accept: String = "application/json"
        ) async -> (status: Int, json: JSONValue) {
            let request = KubeRequest(
                method: method, path: path, contentType: contentType, accept: accept,
                body: body.isNull ? [] : body.encoded)
            let response = await server.handle(request, user: .admin)
            guard case .bytes(let bytes) = response.body else { return (response.status, .null) }
            return (response.status, (try? JSONParser.parse(bytes)) ?? .null)
        }
    }

    @Test func survivesRequestsThatAreAlmostRight() async throws {
        let pki = try TemporaryPKI()
        defer { pki.remove() }
        let tokens = try await TokenIssuer(privateKeyPEM: pki.pki.tokenKeyPEM, issuer: "https://test")
        for seed in Self.first..<Self.first + Self.seeds {
            let target = try await Target(tokens: tokens)
            var requests = FuzzRequests(seed: UInt64(seed))
            for number in 0..<Self.requests {
                let request = requests.next()
                try Self.note(seed, number, request)
                try await Self.check(request, target, "seed \(seed), request \(number)")
            }
            try await Self.checkObjects(target, "seed \(seed)")
        }
    }

    /// Writes what is sent next to where `APUS_FUZZ_LOG` says, for the case that the process ends.
    private static func note(_ seed: Int, _ number: Int, _ request: KubeRequest) throws {
        guard let file = ProcessInfo.processInfo.environment["APUS_FUZZ_LOG"] else { return }
        try "\(seed) \(number) \(describe(request))".write(toFile: file, atomically: false, encoding: .utf8)
    }

    private static func describe(_ request: KubeRequest) -> String {
        let query = request.query.map { "\($0.name.prefix(100))=\($0.value.prefix(200))" }.joined(separator: "&")
        let body = String(decoding: request.body.prefix(6000), as: UTF8.self)
        return "\(request.method) \(request.path.prefix(300))?\(query) [\(request.contentType.prefix(100))] "
            + "[\(request.accept.prefix(100))] \(body)"
    }

    private static func check(_ request: KubeRequest, _ target: Target, _ place: String) async throws {
        let before = target.store.revision
        let response = await target.server.handle(request, user: .admin)
        let after = target.store.revision
        let where_ = Comment(rawValue: "\(place): \(describe(request))")
        let isCollection = request.method == "DELETE" && request.path.split(separator: "/").last != "seed"
        for header in response.headers {
            #expect(header.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, where_)
        }
        if case .bytes(let bytes) = response.body, response.status >= 400 {
            let status = try? JSONParser.parse(bytes)
            #expect(status?["kind"] == "Status", where_)
            #expect(status?["apiVersion"] == "v1", where_)
            #expect(status?["status"] == "Failure", where_)
            #expect(status?["code"] == JSONValue(response.status), where_)
            #expect(status?["reason"].string?.isEmpty == false, where_)
            #expect(status?["message"].string?.isEmpty == false, where_)
            #expect(
                [501, 503, 504].contains(response.status) || response.status < 500, "\(status?.text ?? "") \(where_)")
            if !isCollection { #expect(before == after, where_) }
        } else if response.status < 400, request.parameter("dryRun") == "All" {
            #expect(before == after, where_)
        }
        if case .stream(let stream) = response.body, request.parameter("sendInitialEvents") == "true",
            request.parameter("allowWatchBookmarks") == "true"
        {
            var iterator = stream.makeAsyncIterator()
            let chunk = try await iterator.next(isolation: nil)
            for line in chunk?.split(separator: 10) ?? [] { #expect(throws: Never.self) { try JSONParser.parse(line) } }
        }
        if before != after {
            try await target.plant()
            let collection = request.path.split(separator: "/").prefix { $0 != "seed" }.joined(separator: "/")
            let table = "application/json;as=Table;v=v1;g=meta.k8s.io"
            let shown = await target.send("GET", "/" + collection, accept: table)
            if shown.status == 200 { #expect(shown.json["kind"] == "Table", where_) }
        }
    }

    /// Whatever was accepted can be read in every form, and written back as it is without changing anything.
    private static func checkObjects(_ target: Target, _ place: String) async throws {
        for declaration in target.server.registry.declarations {
            let resource = declaration.resource
            let list = await target.send("GET", resource.path())
            #expect(list.status == 200)
            for item in list.json["items"].elements {
                let object = KubeObject(item)
                let path = resource.path(namespace: object.namespace, name: object.name)
                let before = target.store.revision
                let same = await target.send("PUT", path, item)
                #expect(same.status == 200, "\(place): PUT \(path) \(same.json["message"]) of \(item.text)")
                #expect(target.store.revision == before, "\(place): \(path) \(item.text) became \(same.json.text)")
            }
            for kind in ["Table", "PartialObjectMetadataList"] {
                let other = await target.send(
                    "GET", resource.path(), accept: "application/json;as=\(kind);v=v1;g=meta.k8s.io")
                #expect(other.json["kind"] == .string(kind))
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import Foundation
import KubeAPI
import KubeServer
import KubeStore
import Logging
import Testing

/// What the server writes to the audit log.
@Suite struct AuditTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/audit-\(UInt64.random(in: 0 ... .max))"
    private var path: String { folder + "/audit.log" }

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    private func log(_ change: (inout AuditLog.Configuration) -> Void = { _ in }) throws -> AuditLog {
        var configuration = AuditLog.Configuration(path: path)
        change(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return try AuditLog(configuration, logger: logger)
    }

    private func world(_ log: AuditLog, _ rules: JSONValue) async throws -> TestServer {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let policy = try AuditPolicy(json: ["apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules])
        let server = APIServer(
            store: try KubeStore(inMemory: StoreConfiguration(), logger: logger),
            auditor: Auditor(policy: policy, log: log), logger: logger)
        try await server.bootstrap(host: "127.0.0.1", port: 6443)
        return TestServer(server: server)
    }

    private func events(_ log: AuditLog) async throws -> [JSONValue] {
        await log.flush()
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return try text.split(separator: "\n").map { try JSONParser.parse(Array($0.utf8)) }
    }

    /// Watches of controllers are no requests over HTTPS.
    @Test func aWatchInThisProcessIsToldOfToItsEnd() async throws {
        let log = try log()
        let world = try await world(log, [["level": "Metadata", "verbs": ["watch"]], ["level": "None"]])
        try await world.configMap("a")
        let transport = InProcessTransport(server: world.server)
        let request = KubeRequest(method: "GET", path: "/api/v1/configmaps", query: [("watch", "true")])
        func read() async throws {
            guard case .stream(let chunks) = try await transport.send(request).body else {
                Issue.record("no chunks")
                return
            }
            for try await _ in chunks {
                #expect(try await events(log).map { $0["stage"] } == ["RequestReceived", "ResponseStarted"])
                return
            }
        }
        try await read()
        let told = try await events(log)
        #expect(told.map { $0["stage"] } == ["RequestReceived", "ResponseStarted", "ResponseComplete"])
        #expect(Set(told.compactMap { $0["auditID"].string }).count == 1)
    }

    @Test func metadataSaysWhoDidWhatAndNeverASecret() async throws {
        let log = try log()
        let world = try await world(log, [["level": "Metadata"]])
        let secret: JSONValue = ["metadata": ["name": "s"], "stringData": ["password": "hunter2"]]
        let answer = try await world.call("POST", "/api/v1/namespaces/default/secrets?fieldManager=me", secret)
        #expect(answer.headers.contains { $0.name == "Audit-Id" })
        let ann = UserInfo(name: "ann", groups: ["system:authenticated"])
        try await world.call("GET", "/api/v1/namespaces/default/secrets/s", user: ann)
        let events = try await events(log)
        #expect(
            events.map { $0["stage"] } == [
                "RequestReceived", "ResponseComplete", "RequestReceived", "ResponseComplete",
            ])
        #expect(events[0]["auditID"] == events[1]["auditID"] && events[1]["auditID"] != events[2]["auditID"])
        let made = events[1]
        #expect(made["kind"] == "Event" && made["apiVersion"] == "audit.k8s.io/v1" && made["level"] == "Metadata")
        #expect(made["verb"] == "create")
        #expect(made["requestURI"] == "/api/v1/namespaces/default/secrets?fieldManager=me")
        #expect(made["user"]["username"] == "apus-admin")
        #expect(made["objectRef"] == ["resource": "secrets", "namespace": "default", "apiVersion": "v1"])
        #expect(made["responseStatus"]["code"] == 201)
        #expect(made["annotations"]["authorization.k8s.io/decision"] == "allow")
        let refused = events[3]
        #expect(refused["responseStatus"]["code"] == 403 && refused["responseStatus"]["reason"] == "Forbidden")
        #expect(refused["annotations"]["authorization.k8s.io/decision"] == "forbid")
        #expect(refused["objectRef"]["name"] == "s")
        #expect(!events.contains { $0.text.contains("hunter2") || $0.text.contains(Base64.encode("hunter2".utf8)) })
    }

    @Test func bodiesComeWithTheirLevels() async throws {
        let log = try log()
        let world = try await world(
            log,
            [
                ["level": "Request", "resources": [["group": "", "resources": ["configmaps"]]], "verbs": ["create"]],
                [
                    "level": "RequestResponse", "resources": [["group": "", "resources": ["configmaps"]]],
                    "verbs": ["get"],
                ],
                ["level": "None"],
            ])
        try await world.configMap("a", data: ["k": "v"])
        try await world.call("GET", "/api/v1/namespaces/default/configmaps/a")
        try await world.call("DELETE", "/api/v1/namespaces/default/configmaps/a")
        let events = try await events(log).filter { $0["stage"] == "ResponseComplete" }
        #expect(events.count == 2)
        #expect(events[0]["requestObject"]["data"]["k"] == "v" && events[0]["responseObject"].isNull)
        #expect(events[1]["responseObject"]["data"]["k"] == "v" && events[1]["requestObject"].isNull)
    }

    @Test func impersonationNamesBoth() async throws {
        let log = try log()
        let world = try await world(log, [["level": "Metadata", "omitStages": ["RequestReceived"]]])
        let headers: [(name: String, value: String)] = [("Impersonate-User", "bob")]
        let bob = try world.server.impersonate(try #require(try Impersonation(headers: headers)), by: .admin)
        _ = await world.server.handle(KubeRequest(method: "GET", path: "/api/v1/pods"), user: bob, client: .admin)
        let event = try #require(try await events(log).last)
        #expect(event["user"]["username"] == "apus-admin")
        #expect(event["impersonatedUser"]["username"] == "bob")
        #expect(event["responseStatus"]["code"] == 403)
    }

    @Test func filesArePutAsideBySizeAndOldOnesGo() async throws {
        let log = try log {
            $0.maximumBytes = 2_000
            $0.backups = 2
        }
        let world = try await world(log, [["level": "Metadata"]])
        for index in 0..<40 {
            try await world.call("GET", "/api/v1/namespaces/default/configmaps/c\(index)")
            await log.flush()
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(files.count == 3, "\(files)")
        for file in files {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")
            #expect((attributes[.size] as? NSNumber)?.intValue ?? 0 <= 2_000)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        }
        #expect(try await events(log).allSatisfy { $0["kind"] == "Event" })
    }

    @Test func aFolderThatIsMissingIsReported() {
        let error = #expect(throws: AuditError.self) {
            try AuditLog(.init(path: folder + "/none/audit.log"), logger: Logger(label: "test"))
        }
        #expect(
            error?.description == "the audit log \(folder)/none/audit.log cannot be written: No such file or directory")
    }
}

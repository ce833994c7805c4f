// SPDX-License-Identifier: Apache-2.0
import ApusCore
import GatewayRules
import KubeAPI
import KubeClient
import Logging
import Synchronization
import Testing

@testable import GatewayController

/// What is asked of the API server when statuses are written.
@Suite struct StatusWriterTests {
    /// Answers each request with the next status code, and keeps it.
    private final class Server: KubeTransport {
        let requests = Mutex<[KubeRequest]>([])
        let codes: Mutex<[Int]>

        init(_ codes: [Int]) { self.codes = Mutex(codes) }

        func send(_ request: KubeRequest) async throws -> KubeResponse {
            requests.withLock { $0.append(request) }
            let code = codes.withLock { $0.isEmpty ? 200 : $0.removeFirst() }
            let reason = code == 409 ? "Conflict" : "NotFound"
            let body = code == 200 ? "{}" : #"{"kind":"Status","code":\#(code),"reason":"\#(reason)","message":"m"}"#
            return KubeResponse(
                status: code, contentType: "application/json", headers: [], body: .bytes(Array(body.utf8)))
        }
    }

    private static let status = GatewayTranslation.ObjectStatus(
        apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", key: ObjectKey(namespace: "n", name: "web"),
        resourceVersion: "7", status: ["parents": []], isChanged: true)

    private func write(_ codes: [Int]) async -> (isWhole: Bool, requests: [KubeRequest]) {
        let server = Server(codes)
        let client = KubeClient(transport: server, userAgent: "test")
        let writer = StatusWriter(client: client, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let isWhole = await writer.write([Self.status])
        return (isWhole, server.requests.withLock { $0 })
    }

    @Test func appliesTheStatusThatWasMadeOfThatVersion() async throws {
        let (isWhole, requests) = await write([])
        let request = try #require(requests.first)
        #expect(isWhole && requests.count == 1)
        #expect(request.method == "PATCH" && request.contentType == "application/apply-patch+yaml")
        #expect(request.path == "/apis/gateway.networking.k8s.io/v1/namespaces/n/httproutes/web/status")
        #expect(request.query.map { "\($0.name)=\($0.value)" } == ["fieldManager=apus-gateway", "force=true"])
        let body = try JSONParser.parse(request.body)
        #expect(body["metadata"]["resourceVersion"].string == "7" && body["status"] == ["parents": []])
    }

    @Test func aConflictIsTriedAgainAndAnObjectThatIsGoneIsNot() async {
        #expect(await write([409]).isWhole == false)
        #expect(await write([500]).isWhole == false)
        #expect(await write([404]).isWhole)
    }

    @Test func aLeaseCountsWhileItIsRenewed() {
        let now = Timestamp(seconds: 1_800_000_000)
        let lease = GatewayLease.object(ObjectKey(namespace: "n", name: "g"), address: "http://h:1", now: now)
        #expect(GatewayLease.address(lease, now: now + .seconds(29)) == "http://h:1")
        #expect(GatewayLease.address(lease, now: now + .seconds(31)) == nil)
        #expect(lease.labels == ["serving.apus.dev/role": "gateway"])
    }
}

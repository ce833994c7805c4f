// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPTypes
import ServiceHTTP
import Testing
import TrackingModel

@testable import TrackingServer

@Suite struct AccessTests {
    private func access(_ lines: String) throws -> TokenAccess {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("tokens-\(UUID())")
        try Data(lines.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return TokenAccess(try AccessTokens(file: file.path, takesGroups: true))
    }

    private func basic(_ text: String) -> HTTPFields {
        [.authorization: "Basic " + Data(text.utf8).base64EncodedString()]
    }

    @Test func tokensOfAFile() throws {
        let access = try access("writers-long-token ann data team\nreaders-long-token bob read\n")
        let ann = TrackingCaller(name: "ann", groups: ["data", "team"])
        #expect(try access.caller([.authorization: "Bearer writers-long-token"]) == ann)
        #expect(try access.caller([.authorization: "bearer writers-long-token"]) == ann)
        #expect(try access.caller(basic("ann:writers-long-token")) == ann)
        let bob = try #require(try access.caller(basic("bob:readers-long-token")))
        let refused: [HTTPFields] = [
            [:], basic("bob:writers-long-token"), basic("ann:"), basic("ann"), [.authorization: "Basic %%"],
            [.authorization: "Bearer"], [.authorization: "Bearer wrong-long-token-x"],
            [.authorization: "Bearer " + String(repeating: "x", count: 20_000)],
        ]
        for headers in refused {
            #expect(throws: TrackingError.self) { try access.caller(headers) }
        }
        for verb in [TrackingRight.Verb.get, .list, .create, .update, .delete] {
            #expect(access.allows(ann, TrackingRight(verb, .experiments, "x")))
            #expect(access.allows(bob, TrackingRight(verb, .experiments, "x")) == (verb == .get || verb == .list))
        }
    }

    @Test func openOnLoopbackOnly() throws {
        #expect(try TokenAccess(try AccessTokens(openOn: "127.0.0.1")).caller([:]) == nil)
        #expect(throws: AccessTokens.Refusal.self) { try AccessTokens(openOn: "0.0.0.0") }
    }

    @Test func namesWithColons() throws {
        let headers = basic("system:serviceaccount:ml:bot:token")
        #expect(try TrackingCredentials(headers, nameHasColons: true).name == "system:serviceaccount:ml:bot")
        #expect(try TrackingCredentials(headers).name == "system")
    }

    /// Whatever the table does not name needs a right: no call of MLflow's is open by mistake.
    @Test func everyCallNeedsSomething() {
        for route in MessageTable.mlflow.routes {
            let rule = AccessTable.rule(route.rpc, reads: route.method == "GET")
            switch rule.subject {
            case .everybody: Issue.record("\(route.rpc) is open to everybody")
            case .anybody: #expect(["getServerInfo"].contains(route.rpc))
            case .answer: #expect(route.rpc.hasPrefix("search"))
            default: break
            }
            let reads = ["get", "search", "list", "batchGet", "artifacts.get", "artifacts.list", "artifacts.download"]
            let changes = ["create", "update", "delete", "set", "log", "restore", "rename", "start", "end", "finalize"]
            if changes.contains(where: route.rpc.hasPrefix), !route.rpc.contains("PresignedDownload") {
                #expect(rule.verb != .get && rule.verb != .list, "\(route.rpc)")
            }
            if reads.contains(where: route.rpc.hasPrefix), route.method == "GET" {
                #expect(rule.verb == .get, "\(route.rpc)")
            }
        }
    }
}

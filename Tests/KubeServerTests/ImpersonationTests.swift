// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Crypto
import KubeAPI
import KubeServer
import Testing
import X509

/// Acting as another user, and what requests for certificates say about their user.
@Suite struct ImpersonationTests {
    private static let roles = "/apis/rbac.authorization.k8s.io/v1"
    private static let ann = UserInfo(name: "ann", groups: ["system:authenticated"])

    private let world: TestServer

    init() async throws {
        world = try await TestServer()
        try await world.server.reconcileAccess()
    }

    private func allow(_ rules: JSONValue) async throws {
        try await world.call("POST", Self.roles + "/clusterroles", ["metadata": ["name": "r"], "rules": rules])
        try await world.call(
            "POST", Self.roles + "/clusterrolebindings",
            [
                "metadata": ["name": "b"], "roleRef": ["kind": "ClusterRole", "name": "r"],
                "subjects": [["kind": "User", "name": "ann"]],
            ])
    }

    @Test func headersAreReadInAnyCase() throws {
        let headers: [(name: String, value: String)] = [
            ("Impersonate-User", "bob"), ("impersonate-group", "a"), ("IMPERSONATE-GROUP", "b"),
            ("Impersonate-Extra-Example.com%2fReason", "x"), ("Impersonate-Extra-scopes", "y"),
            ("Impersonate-Extra-scopes", "z"), ("Accept", "*/*"),
        ]
        let read = try #require(try Impersonation(headers: headers))
        #expect(read.user == "bob" && read.groups == ["a", "b"])
        #expect(read.extra == ["example.com/reason": ["x"], "scopes": ["y", "z"]])
        #expect(try Impersonation(headers: [(name: "Accept", value: "*/*")]) == nil)
        for name in ["Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-a"] {
            let error = #expect(throws: StatusError.self) { try Impersonation(headers: [(name: name, value: "x")]) }
            #expect(error?.code == 500)
            #expect(error?.message.contains("without impersonating a user") == true)
        }
    }

    private func act(_ headers: [(name: String, value: String)], as user: UserInfo = ann) throws -> UserInfo {
        try world.server.impersonate(try #require(try Impersonation(headers: headers)), by: user)
    }

    @Test func everyPartNeedsItsPermission() async throws {
        let user: (name: String, value: String) = ("Impersonate-User", "bob")
        func refusal(_ headers: [(name: String, value: String)]) -> String? {
            do {
                _ = try act(headers)
                return nil
            } catch { return (error as? StatusError)?.message }
        }
        #expect(
            refusal([user]) == #"users "bob" is forbidden: User "ann" cannot impersonate resource "users" in API "#
                + #"group "" at the cluster scope"#)
        #expect(
            refusal([("Impersonate-User", "system:serviceaccount:default:bot")])
                == #"serviceaccounts "bot" is forbidden: User "ann" cannot impersonate resource "serviceaccounts" in "#
                + #"API group "" in the namespace "default""#)
        try await allow([
            ["verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"]],
            ["verbs": ["impersonate"], "apiGroups": [""], "resources": ["groups"], "resourceNames": ["dev"]],
            [
                "verbs": ["impersonate"], "apiGroups": ["authentication.k8s.io"], "resources": ["userextras/scopes"],
                "resourceNames": ["view"],
            ],
        ])
        #expect(refusal([user]) == nil)
        #expect(refusal([user, ("Impersonate-Group", "dev")]) == nil)
        #expect(
            refusal([user, ("Impersonate-Group", "system:masters")])?.hasPrefix(
                #"groups "system:masters" is forbidden"#)
                == true)
        #expect(refusal([user, ("Impersonate-Extra-scopes", "view")]) == nil)
        #expect(
            refusal([user, ("Impersonate-Extra-scopes", "all")])
                == #"userextras.authentication.k8s.io "all" is forbidden: User "ann" cannot impersonate resource "#
                + #""userextras/scopes" in API group "authentication.k8s.io" at the cluster scope"#)
        #expect(
            refusal([user, ("Impersonate-Uid", "1")])?.hasPrefix(#"uids.authentication.k8s.io "1" is forbidden"#)
                == true)
    }

    @Test func whoOneBecomes() throws {
        let bob = try act([("Impersonate-User", "bob"), ("Impersonate-Group", "dev")], as: .admin)
        #expect(bob.name == "bob" && bob.groups == ["dev", "system:authenticated"])
        let bot = try act([("Impersonate-User", "system:serviceaccount:default:bot")], as: .admin)
        #expect(
            bot.groups == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"])
        let anonymous = try act([("Impersonate-User", "system:anonymous")], as: .admin)
        #expect(anonymous.groups == ["system:unauthenticated"])
    }

    @Test func onesPermissionsAreThoseOfTheOther() async throws {
        let anonymous = try act([("Impersonate-User", "system:anonymous")], as: .admin)
        let answer = try await world.call("GET", "/api/v1/pods", user: anonymous)
        #expect(answer.status == 403)
        #expect(answer.message.contains(#"User "system:anonymous" cannot list resource "pods""#))
    }

    // MARK: Certificate signing requests

    private static let csr = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

    private func request(_ name: String, signer: String = "example.com/test", organization: String = "o") throws
        -> JSONValue
    {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let request = try CertificateSigningRequest(
            version: .v1,
            subject: try DistinguishedName {
                OrganizationName(organization)
                CommonName("c")
            }, privateKey: key, attributes: .init(), signatureAlgorithm: .ecdsaWithSHA256)
        let pem = try request.serializeAsPEM().pemString
        return [
            "metadata": ["name": .string(name)],
            "spec": [
                "request": .string(Base64.encode(pem.utf8)), "signerName": .string(signer), "usages": ["client auth"],
                "username": "somebody else",
            ],
        ]
    }

    @Test func aRequestSaysWhoAsks() async throws {
        let made = try await world.call("POST", Self.csr, try request("a"))
        #expect(made.status == 201, "\(made.message)")
        #expect(made.json["spec"]["username"] == "apus-admin")
        #expect(made.json["spec"]["groups"] == ["system:masters", "system:authenticated"])
        let changed = try await world.call(
            "PATCH", Self.csr + "/a", ["spec": ["username": "x"], "status": ["certificate": "YQ=="]],
            contentType: "application/merge-patch+json")
        #expect(changed.json["spec"]["username"] == "apus-admin")
        #expect(changed.json["status"]["certificate"].isNull)
        let bad: [(JSONValue, String)] = [
            (["request": "YQ=="], "PEM block type must be CERTIFICATE REQUEST"),
            (["request": ""], "PEM block type must be CERTIFICATE REQUEST"),
            (["usages": []], "spec.usages: Required value"),
            (["usages": ["fun"]], "spec.usages[0]: Unsupported value: \"fun\""),
            (["signerName": "test"], "must be a fully qualified domain and path of the form"),
            (["expirationSeconds": 599], "may not specify a duration less than 600 seconds (10 minutes)"),
        ]
        for (change, message) in bad {
            var wrong = try request("b")
            for (key, value) in change.members { wrong["spec"][key] = value }
            let answer = try await world.call("POST", Self.csr, wrong)
            #expect(answer.status == 422 && answer.message.contains(message), "\(answer.message)")
        }
        let masters = try await world.call(
            "POST", Self.csr,
            try request("m", signer: "kubernetes.io/kube-apiserver-client", organization: "system:masters"))
        #expect(masters.status == 403)
    }

    @Test func onlyApproversOfTheSignerDecide() async throws {
        try await world.call("POST", Self.csr, try request("a"))
        let decision: JSONValue = [
            "status": ["conditions": [["type": "Approved", "status": "True", "reason": "r", "message": "m"]]]
        ]
        func decide(_ subresource: String, _ body: JSONValue, _ user: UserInfo = Self.ann) async throws
            -> TestServer.Answer
        {
            try await world.call(
                "PATCH", "\(Self.csr)/a/\(subresource)", body, contentType: "application/merge-patch+json", user: user)
        }
        let rule: JSONValue = [
            "verbs": ["update", "patch", "get"], "apiGroups": ["certificates.k8s.io"],
            "resources": ["certificatesigningrequests/approval", "certificatesigningrequests/status"],
        ]
        try await allow([rule])
        let refused = try await decide("approval", decision)
        #expect(
            refused.message == #"certificatesigningrequests.certificates.k8s.io "a" is forbidden: user not permitted "#
                + #"to approve requests with signerName "example.com/test""#)
        // A decision does not come in through the status.
        let status = try await decide("status", decision)
        #expect(status.status == 200)
        #expect(status.json["status"]["conditions"].isEmpty)
        let approver: JSONValue = [
            "verbs": ["approve"], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"],
            "resourceNames": ["example.com/*"],
        ]
        try await world.call(
            "PATCH", Self.roles + "/clusterroles/r", ["rules": [rule, approver]],
            contentType: "application/merge-patch+json")
        let approved = try await decide("approval", decision)
        #expect(approved.status == 200, "\(approved.message)")
        #expect(approved.json["status"]["conditions"][0]["type"] == "Approved")
        #expect(!approved.json["status"]["conditions"][0]["lastUpdateTime"].isNull)
        let signed = try await decide("status", ["status": ["certificate": "YQ=="]])
        #expect(signed.message.contains("user not permitted to sign requests with signerName"))
        #expect(try await decide("status", ["status": ["certificate": "YQ=="]], .admin).status == 200)
        let both = try await decide(
            "approval",
            [
                "status": [
                    "conditions": [["type": "Approved", "status": "True"], ["type": "Denied", "status": "True"]]
                ]
            ])
        #expect(both.message.contains("Approved and Denied conditions are mutually exclusive"))
    }
}

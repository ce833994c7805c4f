// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// What node agents may read and write.
@Suite struct NodeAccessTests {
    private static let a = UserInfo.component("node:a")
    private static let b = UserInfo.component("node:b")

    private let world: TestServer

    init() async throws {
        let pki = try TemporaryPKI()
        defer { pki.remove() }
        world = try await TestServer(
            tokens: try await TokenIssuer(privateKeyPEM: pki.pki.tokenKeyPEM, issuer: "https://test"))
        try await world.server.reconcileAccess()
        for node in ["a", "b"] { try await make("nodes", ["metadata": ["name": .string(node)]], namespace: nil) }
    }

    private static func path(_ plural: String, _ namespace: String? = "default") -> String {
        namespace.map { "/api/v1/namespaces/\($0)/\(plural)" } ?? "/api/v1/\(plural)"
    }

    @discardableResult
    private func make(
        _ plural: String, _ object: JSONValue, namespace: String? = "default", user: UserInfo = .admin
    ) async throws -> TestServer.Answer {
        try await world.call("POST", Self.path(plural, namespace), object, user: user)
    }

    private func pod(_ name: String, node: String?, _ spec: JSONValue = .object([:])) async throws -> TestServer.Answer
    {
        var spec = spec
        spec["containers"] = spec["containers"].isNull ? [["name": "c", "image": "i"]] : spec["containers"]
        spec["nodeName"] = node.map { .string($0) } ?? .null
        return try await make("pods", ["metadata": ["name": .string(name)], "spec": spec])
    }

    private func status(
        _ user: UserInfo, _ verb: String, _ target: String, _ body: JSONValue? = nil
    ) async throws -> Int {
        try await world.call(
            verb, target, body, contentType: verb == "PATCH" ? "application/merge-patch+json" : "application/json",
            user: user
        ).status
    }

    /// Whether a node may read an object: 404 says that it may, and there is none.
    private func mayGet(_ user: UserInfo, _ plural: String, _ name: String) async throws -> Bool {
        try await status(user, "GET", "\(Self.path(plural))/\(name)") != 403
    }

    // MARK: Reading

    /// Every way in which a pod can name an object.
    private static let references: [(spec: JSONValue, plural: String, name: String)] = [
        (["imagePullSecrets": [["name": "x"]]], "secrets", "x"),
        (["containers": [["name": "c", "image": "i", "envFrom": [["secretRef": ["name": "x"]]]]]], "secrets", "x"),
        (
            ["containers": [["name": "c", "image": "i", "envFrom": [["configMapRef": ["name": "x"]]]]]], "configmaps",
            "x"
        ),
        (
            [
                "initContainers": [
                    [
                        "name": "d", "image": "i",
                        "env": [["name": "E", "valueFrom": ["secretKeyRef": ["name": "x", "key": "k"]]]],
                    ]
                ]
            ], "secrets", "x"
        ),
        (
            [
                "containers": [
                    [
                        "name": "c", "image": "i",
                        "env": [["name": "E", "valueFrom": ["configMapKeyRef": ["name": "x", "key": "k"]]]],
                    ]
                ]
            ], "configmaps", "x"
        ),
        (["volumes": [["name": "v", "secret": ["secretName": "x"]]]], "secrets", "x"),
        (["volumes": [["name": "v", "configMap": ["name": "x"]]]], "configmaps", "x"),
        (["volumes": [["name": "v", "projected": ["sources": [["secret": ["name": "x"]]]]]]], "secrets", "x"),
        (["volumes": [["name": "v", "projected": ["sources": [["configMap": ["name": "x"]]]]]]], "configmaps", "x"),
        (
            ["volumes": [["name": "v", "persistentVolumeClaim": ["claimName": "x"]]]], "persistentvolumeclaims",
            "x"
        ),
        (
            [
                "volumes": [
                    [
                        "name": "v",
                        "ephemeral": [
                            "volumeClaimTemplate": [
                                "spec": [
                                    "accessModes": ["ReadWriteOnce"],
                                    "resources": ["requests": ["storage": "1Mi"]],
                                ]
                            ]
                        ],
                    ]
                ]
            ], "persistentvolumeclaims", "p-v"
        ),
    ]

    @Test(arguments: references.indices)
    func aNodeReadsWhatItsPodsReferTo(_ index: Int) async throws {
        let (spec, plural, name) = Self.references[index]
        #expect(try await !mayGet(Self.a, plural, name))
        #expect(try await pod("p", node: "a", spec).status == 201)
        #expect(try await mayGet(Self.a, plural, name))
        #expect(try await !mayGet(Self.b, plural, name))
        #expect(try await !mayGet(Self.a, plural, "y"))
        #expect(try await status(Self.a, "GET", "/api/v1/namespaces/kube-system/\(plural)/\(name)") == 403)
        // A second pod needs it too: it stays readable until both are gone.
        #expect(try await pod("p2", node: "a", spec).status == 201)
        try await world.call("DELETE", "\(Self.path("pods"))/p2?gracePeriodSeconds=0")
        #expect(try await mayGet(Self.a, plural, name))
        try await world.call("DELETE", "\(Self.path("pods"))/p?gracePeriodSeconds=0")
        #expect(try await !mayGet(Self.a, plural, name))
    }

    @Test func aPodCountsFromItsBindingOn() async throws {
        #expect(try await pod("p", node: nil, ["imagePullSecrets": [["name": "x"]]]).status == 201)
        #expect(try await !mayGet(Self.a, "secrets", "x"))
        let target: JSONValue = ["metadata": ["name": "p"], "target": ["kind": "Node", "name": "a"]]
        #expect(try await world.call("POST", "\(Self.path("pods"))/p/binding", target).status == 201)
        #expect(try await mayGet(Self.a, "secrets", "x"))
        #expect(try await !mayGet(Self.b, "secrets", "x"))
    }

    @Test func oneNameMayBeListedAndWatched() async throws {
        #expect(try await pod("p", node: "a", ["imagePullSecrets": [["name": "x"]]]).status == 201)
        let secrets = Self.path("secrets")
        #expect(try await status(Self.a, "GET", "\(secrets)?fieldSelector=metadata.name=x") == 200)
        #expect(
            try await status(Self.a, "GET", "\(secrets)?watch=1&fieldSelector=metadata.name=x&timeoutSeconds=1") == 200)
        #expect(try await status(Self.a, "GET", "\(secrets)?fieldSelector=metadata.name!=x") == 403)
        #expect(try await status(Self.a, "GET", "\(secrets)?fieldSelector=metadata.name=y") == 403)
        #expect(try await status(Self.a, "GET", "/api/v1/secrets?fieldSelector=metadata.name=x") == 403)
        let refused = try await world.call("GET", secrets, user: Self.a)
        #expect(
            refused.message == #"secrets is forbidden: User "system:node:a" cannot list resource "secrets" in API "#
                + #"group "" in the namespace "default": No Object name found"#)
        let unrelated = try await world.call("GET", "\(secrets)/y", user: Self.a)
        #expect(unrelated.message.hasSuffix("no relationship found between node 'a' and this object"))
        for verb in ["PUT", "PATCH", "DELETE"] {
            #expect(try await status(Self.a, verb, "\(secrets)/x", .object([:])) == 403)
        }
        #expect(try await make("secrets", ["metadata": ["name": "n"]], user: Self.a).status == 403)
    }

    @Test func volumesLeadToTheirSecrets() async throws {
        #expect(
            try await pod(
                "p", node: "a", ["volumes": [["name": "v", "persistentVolumeClaim": ["claimName": "claim"]]]]
            ).status == 201)
        func mayGetVolume(_ user: UserInfo) async throws -> Bool {
            try await status(user, "GET", "/api/v1/persistentvolumes/vol") != 403
        }
        #expect(try await !mayGetVolume(Self.a))
        let volume: JSONValue = [
            "metadata": ["name": "vol"],
            "spec": [
                "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"],
                "claimRef": ["namespace": "default", "name": "claim", "kind": "PersistentVolumeClaim"],
                "csi": [
                    "driver": "d.example.com", "volumeHandle": "h",
                    "nodePublishSecretRef": ["name": "mount", "namespace": "default"],
                    "controllerPublishSecretRef": ["name": "attach", "namespace": "default"],
                ],
            ],
        ]
        #expect(try await make("persistentvolumes", volume, namespace: nil).status == 201)
        #expect(try await mayGetVolume(Self.a))
        #expect(try await !mayGetVolume(Self.b))
        #expect(try await mayGet(Self.a, "secrets", "mount"))
        #expect(try await !mayGet(Self.a, "secrets", "attach"))
        #expect(try await !mayGet(Self.b, "secrets", "mount"))
        #expect(try await status(Self.a, "GET", "/api/v1/persistentvolumes") == 403)
        // Protection holds it back as long as somebody uses it.
        try await world.call(
            "PATCH", "/api/v1/persistentvolumes/vol", ["metadata": .object(["finalizers": .null])],
            contentType: "application/merge-patch+json")
        #expect(try await mayGet(Self.a, "secrets", "mount"))
        try await world.call("DELETE", "/api/v1/persistentvolumes/vol")
        #expect(try await !mayGet(Self.a, "secrets", "mount"))
    }

    @Test func podsAndNodesOfItsOwn() async throws {
        #expect(try await pod("p", node: "a").status == 201)
        let pods = Self.path("pods")
        #expect(try await status(Self.a, "GET", "\(pods)/p") == 200)
        #expect(try await status(Self.b, "GET", "\(pods)/p") == 403)
        #expect(try await status(Self.a, "GET", "/api/v1/pods?fieldSelector=spec.nodeName=a") == 200)
        #expect(try await status(Self.a, "GET", "/api/v1/pods?fieldSelector=spec.nodeName=b") == 403)
        let all = try await world.call("GET", "/api/v1/pods", user: Self.a)
        #expect(all.message.hasSuffix("can only list/watch pods with spec.nodeName field selector"))
        #expect(try await status(Self.a, "GET", "/api/v1/nodes/a") == 200)
        #expect(try await status(Self.a, "GET", "/api/v1/nodes?fieldSelector=metadata.name=a") == 200)
        let other = try await world.call("GET", "/api/v1/nodes/b", user: Self.a)
        #expect(other.message.hasSuffix("node 'a' cannot read 'b', only its own Node object"))
        #expect(try await status(Self.a, "DELETE", "/api/v1/nodes/a") == 403)
    }

    /// A name is not enough, and neither is a group.
    @Test func onlyNodesAreNodes() async throws {
        #expect(try await pod("p", node: "a", ["imagePullSecrets": [["name": "x"]]]).status == 201)
        #expect(try await !mayGet(UserInfo(name: "system:node:a", groups: ["system:authenticated"]), "secrets", "x"))
        let groups = ["system:nodes", "system:authenticated"]
        #expect(try await !mayGet(UserInfo(name: "a", groups: groups), "secrets", "x"))
        let nameless = try await world.call(
            "GET", "\(Self.path("secrets"))/x", user: UserInfo(name: "system:node:", groups: groups))
        #expect(nameless.status == 403 && nameless.message.hasSuffix(#"unknown node for user "system:node:""#))
    }

    @Test func reviewsKnowOfFieldSelectors() async throws {
        func isAllowed(_ selector: JSONValue) async throws -> Bool? {
            let review: JSONValue = [
                "spec": [
                    "user": "system:node:a", "groups": ["system:nodes"],
                    "resourceAttributes": ["verb": "list", "resource": "pods", "fieldSelector": selector],
                ]
            ]
            let answer = try await world.call(
                "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
            return answer.json["status"]["allowed"].bool
        }
        #expect(try await isAllowed(["rawSelector": "spec.nodeName=a"]) == true)
        #expect(try await isAllowed(["rawSelector": "spec.nodeName=b"]) == false)
        let requirement: JSONValue = ["key": "spec.nodeName", "operator": "In", "values": ["a"]]
        #expect(try await isAllowed(["requirements": [requirement]]) == true)
    }

    // MARK: Tokens

    @Test func tokensOfItsPodsOnly() async throws {
        for account in ["sa", "other"] { try await make("serviceaccounts", ["metadata": ["name": .string(account)]]) }
        let mine = try await pod("p", node: "a", ["serviceAccountName": "sa"]).object
        let foreign = try await pod("q", node: "b", ["serviceAccountName": "sa"]).object
        func ask(_ account: String, _ bound: JSONValue) async throws -> TestServer.Answer {
            try await world.call(
                "POST", "\(Self.path("serviceaccounts"))/\(account)/token", ["spec": ["boundObjectRef": bound]],
                user: Self.a)
        }
        func bound(_ name: String, _ uid: String?) -> JSONValue {
            ["kind": "Pod", "apiVersion": "v1", "name": .string(name), "uid": uid.map { .string($0) } ?? .null]
        }
        #expect(try await ask("sa", bound("p", mine.uid)).status == 201)
        #expect(
            try await ask("other", bound("p", mine.uid)).message.hasSuffix(
                "no relationship found between node 'a' and this object"))
        #expect(try await ask("sa", .null).message.hasSuffix("node requested token not bound to a pod"))
        #expect(
            try await ask("sa", bound("p", nil)).message.hasSuffix(
                "node requested token with a pod binding without a uid"))
        #expect(
            try await ask("sa", bound("q", foreign.uid)).message.hasSuffix(
                "node requested token bound to a pod scheduled on a different node"))
        #expect(try await ask("sa", bound("p", foreign.uid)).status == 403)
        #expect(try await ask("sa", bound("none", "u")).status == 404)
    }

    // MARK: Writing

    @Test func itsOwnNodeAndNoLabelsOfOthers() async throws {
        func patch(_ node: String, _ body: JSONValue, as user: UserInfo = Self.a) async throws -> TestServer.Answer {
            try await world.call(
                "PATCH", "/api/v1/nodes/\(node)", body, contentType: "application/merge-patch+json", user: user)
        }
        func labels(_ labels: [String: JSONValue]) -> JSONValue { ["metadata": ["labels": .object(labels)]] }
        for key in ["mine", "example.com/x", "kubernetes.io/arch", "kubelet.kubernetes.io/x", "x.node.kubernetes.io/y"]
        {
            #expect(try await patch("a", labels([key: "1"])).status == 200, "\(key)")
        }
        for key in [
            "node-restriction.kubernetes.io/x", "a.node-restriction.kubernetes.io/x", "kubernetes.io/x", "k8s.io/x",
        ] {
            let refused = try await patch("a", labels([key: "1"]))
            #expect(refused.message == #"nodes "a" is forbidden: node "a" is not allowed to modify labels: \#(key)"#)
            // What an administrator set stays.
            #expect(try await patch("a", labels([key: "1"]), as: .admin).status == 200)
            #expect(try await patch("a", labels([key: .null])).status == 403)
        }
        #expect(
            try await patch("b", labels(["mine": "1"])).message
                == #"nodes "b" is forbidden: node "a" is not allowed to modify node "b""#)
        let taint: JSONValue = ["spec": ["taints": [["key": "k", "effect": "NoSchedule"]]]]
        #expect(try await patch("a", taint).message.hasSuffix(#"node "a" is not allowed to modify taints"#))
        let made = try await make(
            "nodes", ["metadata": ["name": "c", "labels": ["node-restriction.kubernetes.io/x": "1"]]], namespace: nil,
            user: .component("node:c"))
        #expect(
            made.message.hasSuffix(
                #"node "c" is not allowed to set the following labels: node-restriction.kubernetes.io/x"#))
        #expect(
            try await make("nodes", ["metadata": ["name": "d"]], namespace: nil, user: Self.a).message
                == #"nodes "d" is forbidden: node "a" is not allowed to modify node "d""#)
    }

    @Test func onlyMirrorPodsAreMade() async throws {
        let uid = try await world.call("GET", "/api/v1/nodes/a").object.uid
        func pod(_ change: (inout KubeObject) -> Void) -> JSONValue {
            var pod = KubeObject(.pods, name: "mirror")
            pod.annotations["kubernetes.io/config.mirror"] = "x"
            pod.spec = ["nodeName": "a", "containers": [["name": "c", "image": "i"]]]
            pod.metadata["ownerReferences"] = [
                ["apiVersion": "v1", "kind": "Node", "name": "a", "uid": .string(uid), "controller": true]
            ]
            change(&pod)
            return pod.json
        }
        let bad: [(String, (inout KubeObject) -> Void)] = [
            ("can only create mirror pods", { $0.annotations = [:] }),
            ("can only create pods with spec.nodeName set to itself", { $0.spec["nodeName"] = "b" }),
            ("with an owner reference set to itself", { $0.metadata["ownerReferences"] = .null }),
            (
                "with a controller owner reference set to itself",
                {
                    $0.metadata["ownerReferences"][0]["controller"] = .null
                }
            ),
            (
                "must not set blockOwnerDeletion on an owner reference",
                {
                    $0.metadata["ownerReferences"][0]["blockOwnerDeletion"] = true
                }
            ),
            ("UID mismatch", { $0.metadata["ownerReferences"][0]["uid"] = "u" }),
            (
                "can not create pods that reference configmaps",
                {
                    $0.spec["volumes"] = [["name": "v", "configMap": ["name": "x"]]]
                }
            ),
            (
                "can not create pods that reference persistentvolumeclaims",
                {
                    $0.spec["volumes"] = [["name": "v", "persistentVolumeClaim": ["claimName": "x"]]]
                }
            ),
        ]
        for (message, change) in bad {
            let answer = try await make("pods", pod(change), user: Self.a)
            #expect(answer.status == 403 && answer.message.contains(message), "\(answer.message)")
        }
        #expect(try await make("pods", pod { _ in }, user: Self.a).status == 201)
        // Nobody gets more rights by what a mirror pod says.
        let sly = pod {
            $0.name = "sly"
            $0.spec["volumes"] = [["name": "v", "configMap": ["name": "x"]]]
        }
        #expect(try await make("pods", sly).status == 201)
        #expect(try await !mayGet(Self.a, "configmaps", "x"))
    }

    @Test func itsPodsAreChangedAndDeleted() async throws {
        for (name, node) in [("p", "a"), ("q", "b")] { #expect(try await pod(name, node: node).status == 201) }
        let pods = Self.path("pods")
        let phase: JSONValue = ["status": ["phase": "Running"]]
        #expect(try await status(Self.a, "PATCH", "\(pods)/p/status", phase) == 200)
        let foreign = try await world.call(
            "PATCH", "\(pods)/q/status", phase, contentType: "application/merge-patch+json", user: Self.a)
        #expect(
            foreign.message == #"pods "q" is forbidden: node "a" can only update pod status for pods with "#
                + "spec.nodeName set to itself")
        let label: JSONValue = ["metadata": ["labels": ["l": "1"]]]
        #expect(try await status(Self.a, "PATCH", "\(pods)/p/status", label) == 403)
        #expect(try await status(Self.a, "PATCH", "\(pods)/p", label) == 403)
        func evict(_ name: String) async throws -> TestServer.Answer {
            try await world.call(
                "POST", "\(pods)/\(name)/eviction",
                ["apiVersion": "policy/v1", "kind": "Eviction", "metadata": ["name": .string(name)]], user: Self.a)
        }
        #expect(
            try await evict("q").message.hasSuffix(#"node "a" can only evict pods with spec.nodeName set to itself"#))
        #expect(
            try await world.call("GET", "\(pods)/q").json["status"]["conditions"].elements
                .allSatisfy { $0["type"] != "DisruptionTarget" })
        #expect(try await evict("p").status == 201)
        let deleted = try await world.call("DELETE", "\(pods)/q", user: Self.a)
        #expect(deleted.message.hasSuffix(#"node "a" can only delete pods with spec.nodeName set to itself"#))
        #expect(try await status(Self.a, "DELETE", "\(pods)/p?gracePeriodSeconds=0") == 200)
    }

    @Test func itsLeaseOnly() async throws {
        try await make("namespaces", ["metadata": ["name": "kube-node-lease"]], namespace: nil)
        let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        func lease(_ name: String) -> JSONValue { ["metadata": ["name": .string(name)]] }
        #expect(try await status(Self.a, "POST", leases, lease("a")) == 201)
        #expect(try await status(Self.a, "POST", leases, lease("b")) == 403)
        #expect(try await status(Self.a, "GET", "\(leases)/b") == 403)
        #expect(try await status(Self.a, "GET", leases) == 403)
        #expect(
            try await status(Self.a, "POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", lease("a"))
                == 403)
    }
}

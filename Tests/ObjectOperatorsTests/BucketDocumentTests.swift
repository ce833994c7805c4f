// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import S3Protocol
import Testing

@testable import ObjectOperators

@Suite struct BucketDocumentTests {
    private static let specs: [(BucketDocument, JSONValue, String)] = [
        (.versioning, ["status": "Enabled"], "<Status>Enabled</Status>"),
        (
            .cors,
            [
                "corsRules": [
                    [
                        "id": "a", "allowedOrigins": ["https://a", "https://b"], "allowedMethods": ["GET"],
                        "maxAgeSeconds": 60,
                    ]
                ]
            ],
            "<CORSRule><ID>a</ID><AllowedOrigin>https://a</AllowedOrigin><AllowedOrigin>https://b</AllowedOrigin>"
                + "<AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>"
        ),
        (
            .lifecycle,
            [
                "rules": [
                    [
                        "id": "r", "status": "Enabled",
                        "filter": ["and": ["prefix": "a&b/", "tags": [["key": "k", "value": "v"]]]],
                        "expiration": ["days": 3],
                        "abortIncompleteMultipartUpload": ["daysAfterInitiation": 1],
                    ]
                ]
            ],
            "<Rule><ID>r</ID><Filter><And><Prefix>a&amp;b/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
                + "<Status>Enabled</Status><Expiration><Days>3</Days></Expiration><AbortIncompleteMultipartUpload>"
                + "<DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
        ),
        (
            .tagging, ["tagSet": [["key": "a", "value": "b"], ["key": "c", "value": "d"]]],
            "<TagSet><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key><Value>d</Value></Tag></TagSet>"
        ),
        (
            .publicAccessBlock, ["blockPublicACLs": true, "restrictPublicBuckets": false],
            "<BlockPublicAcls>true</BlockPublicAcls><RestrictPublicBuckets>false</RestrictPublicBuckets>"
        ),
    ]

    @Test(arguments: specs) func documentsAreS3sAndComeBack(
        _ document: BucketDocument, _ value: JSONValue, _ content: String
    ) throws {
        let bytes = try #require(try document.bytes(.object([document.rawValue: value])))
        let root = try #require(document.root)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasSuffix("<\(root) xmlns=\"\(XMLWriter.namespace)\">\(content)</\(root)>"))
        #expect(try document.declared(bytes) == value)
        #expect(document.isMet(bytes, by: bytes))
    }

    /// What the server's own reader makes of a document is no drift.
    @Test func serversMayWriteThemAnotherWay() throws {
        let tags: JSONValue = ["tagging": ["tagSet": [["key": "b", "value": "1"], ["key": "a", "value": "2"]]]]
        let tagging = try #require(try BucketDocument.tagging.bytes(tags))
        let other = S3Documents.Tagging([.init(key: "a", value: "2"), .init(key: "b", value: "1")]).xml()
        #expect(BucketDocument.tagging.isMet(tagging, by: other))

        let rules: JSONValue = [
            "lifecycle": [
                "rules": [
                    ["status": "Enabled", "filter": [:], "expiration": ["date": "2026-01-02T00:00:00Z"]]
                ]
            ]
        ]
        let lifecycle = try #require(try BucketDocument.lifecycle.bytes(rules))
        let stored = try S3Documents.LifecycleConfiguration(xml: lifecycle).xml()
        #expect(lifecycle != stored)
        #expect(BucketDocument.lifecycle.isMet(lifecycle, by: stored))

        #expect(BucketDocument.policy.isMet(Array(#"{"a": 1, "b": [2]}"#.utf8), by: Array(#"{"b":[2],"a":1}"#.utf8)))
    }

    @Test func whatDiffersIsDrift() throws {
        func rules(_ days: Int, _ prefix: String = "") throws -> [UInt8] {
            try #require(
                try BucketDocument.lifecycle.bytes([
                    "lifecycle": [
                        "rules": [
                            [
                                "id": "r", "status": "Enabled", "filter": ["prefix": .string(prefix)],
                                "expiration": ["days": JSONValue(days)],
                            ]
                        ]
                    ]
                ]))
        }
        #expect(!BucketDocument.lifecycle.isMet(try rules(1), by: try rules(2)))
        #expect(!BucketDocument.lifecycle.isMet(try rules(1), by: try rules(1, "a")))
        #expect(!BucketDocument.lifecycle.isMet(try rules(1), by: Array("<LifecycleConfiguration/>".utf8)))
        #expect(!BucketDocument.lifecycle.isMet(try rules(1), by: Array("no document".utf8)))
        #expect(!BucketDocument.policy.isMet(Array("{}".utf8), by: Array(#"{"a": 1}"#.utf8)))
    }

    @Test(
        arguments: [
            (["lifecycle": ["rules": [["status": "Enabled", "shards": 3]]]], "spec.lifecycle.rules[0].shards"),
            (["cors": ["corsRules": [:]]], "spec.cors.corsRules must be a list"),
            (["versioning": ["status": 3]], "spec.versioning.status cannot be number"),
            (["tagging": []], "spec.tagging cannot be array"),
            (["policy": ["Version": "2012-10-17"]], "spec.policy must be a text"),
        ] as [(JSONValue, String)])
    func wrongFieldsAreNamed(_ spec: JSONValue, _ words: String) {
        #expect {
            for document in BucketDocument.allCases { _ = try document.bytes(spec) }
        } throws: { error in
            (error as? Refusal)?.description.contains(words) == true
        }
    }

    @Test func emptyPartsAreNoDocument() throws {
        for spec: JSONValue in [[:], ["tagging": [:]], ["policy": ""], ["cors": ["corsRules": []]]] {
            for document in BucketDocument.allCases { #expect(try document.bytes(spec) == nil) }
        }
    }

    @Test func documentsThatNoSpecCanDeclareAreNotAdopted() {
        let xml = "<CORSConfiguration><CORSRule><Novelty>1</Novelty></CORSRule></CORSConfiguration>"
        #expect(throws: Refusal.self) { try BucketDocument.cors.declared(Array(xml.utf8)) }
    }
}

@Suite struct BucketDeclarationTests {
    private func object(_ spec: JSONValue, _ annotations: [String: String] = [:]) -> KubeObject {
        var object = KubeObject(BucketReconciler.resource, namespace: "n", name: "b")
        object.spec = spec
        object.annotations = annotations
        return object
    }

    @Test func theNameIsNeeded() throws {
        #expect(try BucketDeclaration(object(["name": "data"])).name == "data")
        let adopted = object(.null, ["services.k8s.aws/adoption-fields": #"{"name": "old"}"#])
        #expect(try BucketDeclaration(adopted).name == "old")
        #expect(throws: Refusal.self) { try BucketDeclaration(object([:])) }
    }

    @Test func whatIsNotKeptIsRefused() {
        for spec: JSONValue in [
            ["name": "data", "replication": [:]], ["name": "data", "createBucketConfiguration": ["bucket": [:]]],
        ] {
            #expect { try BucketDeclaration(object(spec)) } throws: { error in
                (error as? Refusal)?.reason == "NotSupported"
            }
        }
        for annotation in ["services.k8s.aws/adoption-policy", "services.k8s.aws/deletion-policy"] {
            #expect { try BucketDeclaration(object(["name": "data"], [annotation: "perhaps"])) } throws: { error in
                (error as? Refusal)?.description.contains(annotation) == true
            }
        }
    }

    @Test func refusalsHaveACKsConditions() {
        var status: JSONValue = [:]
        let now = Timestamp(rfc3339: "2026-01-02T03:04:05Z") ?? .now()
        BucketStatus.report(Refusal("spec.cors", S3Error(.malformedXML, "wrong")), now: now, in: &status)
        #expect(Conditions.isTrue("ACK.Terminal", in: status))
        #expect(Conditions.find("ACK.ResourceSynced", in: status)["message"] == "spec.cors: wrong")
        BucketStatus.report(Refusal(nil, S3Error(.bucketNotEmpty, "full")), now: now, in: &status)
        #expect(Conditions.find("ACK.Terminal", in: status).isNull)
        #expect(Conditions.find("ACK.Recoverable", in: status)["reason"] == "BucketNotEmpty")
        BucketStatus.report(nil, now: now, in: &status)
        #expect(status["conditions"].elements.count == 2)
        #expect(Conditions.isTrue("ACK.ResourceSynced", in: status) && Conditions.isTrue("Ready", in: status))
    }

    @Test func theFirstReasonThatOnlyAnotherSpecHealsCounts() throws {
        let all = [
            Refusal("spec.cors", S3Error(.slowDown, "later")), Refusal("spec.policy", S3Error(.malformedPolicy, "no")),
        ]
        let one = try #require(Refusal(all))
        #expect(one.isTerminal && one.reason == "MalformedPolicy")
        #expect(one.description == "spec.cors: later; spec.policy: no")
        #expect(Refusal([]) == nil)
    }
}

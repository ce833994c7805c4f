// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing
import TrackingModel

/// Sources of versions: what MLflow's handlers take and refuse.
@Suite struct ModelSourceTests {
    @Test(
        arguments: [
            ("models:/m-1f", .logged("m-1f")), ("models:/movies/3", .version("movies", 3)),
            ("models:/movies/Production", .stage("movies", "Production")), ("models:/movies/latest", .latest("movies")),
            ("models:/movies@champion", .alias("movies", "champion")), ("models:/a@b@c", .alias("a@b", "c")),
            ("models:/a b/1", .version("a b", 1)),
        ] as [(String, ModelURI)])
    func urisOfModels(_ text: String, _ uri: ModelURI) { #expect(ModelURI(SourceURI(text)) == uri) }

    @Test(arguments: [
        "models:", "models:/", "models:x/1", "models:/a/b/c", "models:/a/", "models:/ /1", "models:/a@", "runs:/a/b",
        "models:/a/99999999999999999999", "",
    ])
    func urisThatNameNoModel(_ text: String) { #expect(ModelURI(SourceURI(text)) == nil) }

    @Test func partsOfURIs() {
        let uri = SourceURI("S3://User@Host:80/a//b%2525?q#f")
        #expect(uri.scheme == "s3")
        #expect(uri.authority == "User@Host:80")
        #expect(uri.host == "host")
        #expect(uri.path == "/a//b%2525")
        #expect(uri.parts == ["a", "b%"])
        #expect(SourceURI("1a:/b").scheme.isEmpty)
        #expect(SourceURI("file:///a/./b/../c").localPath == "/a/c")
        #expect(SourceURI("relative").localPath == nil)
    }

    @Test(
        arguments: [
            ("runs:/abc/model", .run, "abc"), ("models:/m-1", .model, "m-1"), ("models:/movies/1", .run, ""),
            ("s3://bucket/models/x", .run, ""), ("gs://bucket/x", .run, "abc"), ("dbfs:/models/x", .run, ""),
        ] as [(String, ModelSource.Owner, String)])
    func sourcesThatAreTaken(_ text: String, _ owner: ModelSource.Owner, _ id: String) throws {
        try ModelSource.checkHost(SourceURI(text), field: "source")
        #expect(try ModelSource.check(SourceURI(text), owner: owner, id: id) == .accepted)
    }

    @Test(
        arguments: [
            ("runs:/abc/model", .run, "other"), ("runs:/abc/model", .run, ""), ("runs:/abc/model", .model, "m-1"),
            ("runs://host/abc/model", .run, "abc"), ("models:/m-1", .model, "m-2"), ("models:/m-1", .run, "abc"),
            ("models:/a/b/c", .run, ""), ("s3://bucket/a/../b", .run, ""), ("s3://bucket", .run, ""),
            ("s3://bucket/a/%2e%2e/b", .run, ""), ("s3://bucket/a/%252e%252e/b", .run, ""),
            ("s3://bucket/./a", .run, ""),
            ("s3://bucket/a%00", .run, ""), ("mlflow-artifacts:/../../etc", .run, "abc"),
        ] as [(String, ModelSource.Owner, String)])
    func sourcesThatAreRefused(_ text: String, _ owner: ModelSource.Owner, _ id: String) {
        let fault = #expect(throws: TrackingError.self) { try ModelSource.check(SourceURI(text), owner: owner, id: id) }
        #expect(fault?.code == .invalidParameterValue)
        #expect(fault?.description.hasPrefix("Invalid model version source: '\(text)'.") == true)
    }

    @Test(arguments: [
        "http://host/a", "https://host/api/2.0/mlflow-artifacts/artifacts/1", "ftp://host/a", "sftp://host/a",
        "hdfs://host/a", "mlflow-artifacts://host:1/a", "abfss://a@b/c",
    ])
    func otherHosts(_ text: String) {
        #expect(throws: TrackingError.self) { try ModelSource.checkHost(SourceURI(text), field: "source") }
    }

    @Test func localPathsHaveToLieInArtifacts() throws {
        func isTaken(_ source: String, _ root: String) throws -> Bool {
            let uri = SourceURI(source)
            let check = try ModelSource.check(uri, owner: .run, id: "r")
            return try ModelSource.isWithin(check, uri, artifacts: root)
        }
        #expect(try isTaken("/data/1/r/artifacts/model", "/data/1/r/artifacts"))
        #expect(try isTaken("file:///data/1/r/artifacts/model", "/data/1/r/artifacts"))
        #expect(try isTaken("/data/1/r/artifacts", "file:///data/1/r/artifacts/"))
        #expect(try !isTaken("/data/1/r/artifacts/../../x", "/data/1/r/artifacts"))
        #expect(try !isTaken("/data/1/r/artifacts-2", "/data/1/r/artifacts"))
        #expect(try !isTaken("relative", "/data"))
        #expect(try !isTaken("/etc/passwd", "s3://bucket/x"))
        #expect(try isTaken("mlflow-artifacts:/1/r/artifacts/model", "mlflow-artifacts:/1/r/artifacts"))
        #expect(try isTaken("mlflow-artifacts:/1/r/artifacts/%6dodel", "mlflow-artifacts:/1/r/artifacts"))
        #expect(try !isTaken("mlflow-artifacts:/1/other/artifacts", "mlflow-artifacts:/1/r/artifacts"))
        #expect(throws: TrackingError.self) { try SourceURI("file://elsewhere/x").isLocal() }
    }

    @Test func promptsHavePlaceholders() throws {
        try ModelSource.checkPrompt("dummy-source")
        try ModelSource.checkPrompt("prompt-template")
        #expect(throws: TrackingError.self) { try ModelSource.checkPrompt("s3://bucket/x") }
    }

    /// Whatever the bytes: a verdict, no crash, and none that leaves the artifacts.
    @Test func anyTextGetsAVerdict() {
        var state: UInt64 = 7
        let pieces = [
            "/", "..", ".", "%2e", "%", "models:", "runs:", "s3://", "file:", "@", "a", "é", "\0", " ", "?", "#", "//",
            "m-1", ":",
        ]
        for _ in 0..<3000 {
            var text = ""
            for _ in 0..<6 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += pieces[Int((state >> 33) % UInt64(pieces.count))]
            }
            let uri = SourceURI(text)
            guard let check = try? ModelSource.check(uri, owner: .run, id: "a") else { continue }
            if case .localPath(let path?) = check { #expect(!path.contains("/../") && path.hasPrefix("/")) }
            if check == .accepted { #expect(!uri.parts.contains("..")) }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import Testing

@testable import ModelSources

@Suite("URIs of models")
struct ModelURITests {
    static let sum = String(repeating: "0123456789abcdef", count: 4)

    @Test(
        "places",
        arguments: [
            ("/models/iris", .file("/models/iris")), ("models/iris", .file("models/iris")),
            ("file:///models/iris", .file("/models/iris")), ("file://localhost/m", .file("/m")),
            ("file:/m", .file("/m")),
            ("/a:b/c", .file("/a:b/c")), ("pvc://claim/a/b", .volume(claim: "claim", path: "a/b")),
            ("pvc://claim", .volume(claim: "claim", path: "")),
            ("s3://bucket/a/b", .object(bucket: "bucket", key: "a/b")),
            ("s3://bucket", .object(bucket: "bucket", key: "")),
            ("http://h:1/m.onnx?x=1", .web("http://h:1/m.onnx?x=1")),
            ("https://h/m.zip", .web("https://h/m.zip")),
            ("models:/movies@champion", .alias(name: "movies", "champion")),
            ("models:/movies/3", .version(name: "movies", "3")), ("models:/m-0a1b", .loggedModel("m-0a1b")),
            ("runs:/r1/model", .run("r1", path: "model")), ("runs:/r1", .run("r1", path: "")),
            ("mlflow-artifacts:/1/x", .artifacts("mlflow-artifacts:/1/x")),
        ] as [(String, ModelURI.Place)])
    func places(_ text: String, _ place: ModelURI.Place) throws {
        #expect(try ModelURI(text).place == place)
        let summed = try ModelURI(text + "#sha256=" + Self.sum.uppercased())
        #expect(summed.place == place && summed.checksum == Self.sum)
    }

    @Test(
        "what is none",
        arguments: [
            "", "file://host/x", "file:x", "pvc:claim", "pvc:///x", "s3:bucket", "s3:///x", "http:///x", "http://?x",
            "models:/movies", "models:/movies@", "models:/@x", "models:/movies/0", "models:/movies/x", "runs:x",
            "gs://b/k",
            "hf://m", "/a/../b", "pvc://../x", "pvc://c/../x", "runs:/r/../x", "/m#sha256=12", "a\nb",
            String(repeating: "a", count: 5000),
        ])
    func wrong(_ text: String) {
        let fault = #expect(throws: InferenceFault.self) { try ModelURI(text) }
        #expect(fault?.code == .invalid || fault?.code == .unsupported)
    }
}

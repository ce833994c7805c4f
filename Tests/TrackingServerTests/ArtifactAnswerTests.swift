// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TrackingServer

@Suite struct ArtifactAnswerTests {
    /// As the real server says them (mlflow/server/handlers.py, `_content_disposition_attachment`).
    @Test(arguments: [
        ("model.pkl", "attachment; filename=model.pkl"),
        ("a b.txt", "attachment; filename=\"a b.txt\""),
        ("a\"b", "attachment; filename=\"a\\\"b\""),
        ("é.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%A9.txt"),
    ])
    func dispositions(_ name: String, _ expected: String) {
        #expect(ArtifactAnswer.disposition(of: name) == expected)
    }

    @Test(arguments: [
        ("MLmodel", "text/plain"), ("a.json", "text/plain"), ("a.b.csv", "text/plain"), ("a.PNG", "image/png"),
        ("a.html", "text/html"), ("model.pkl", "application/octet-stream"), ("a", "application/octet-stream"),
        (".txt", "application/octet-stream"), ("a.", "application/octet-stream"), ("", "application/octet-stream"),
        ("é.svg", "image/svg+xml"),
    ])
    func types(_ name: String, _ expected: String) {
        #expect(ArtifactAnswer.type(of: name) == expected)
    }

    @Test func destinations() throws {
        #expect(try ArtifactDestination("/a/b") == .folder("/a/b"))
        #expect(try ArtifactDestination("file:///a/b") == .folder("/a/b"))
        #expect(try ArtifactDestination("s3://bucket") == .bucket("bucket", prefix: ""))
        #expect(try ArtifactDestination("s3://bucket/a/b/") == .bucket("bucket", prefix: "a/b/"))
        for text in ["", "s3://", "s3:///a", "gs://a/b", "file://host/a"] {
            #expect(throws: ArtifactDestination.Refusal.self) { try ArtifactDestination(text) }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TrackingServer
@testable import TrackingStore

struct GarbageRoutesTests {
    @Test(arguments: [
        ("mlflow-artifacts:/0/RUN/artifacts", "0/RUN"), ("mlflow-artifacts:/a/b/RUN/artifacts", "a/b/RUN"),
        ("mlflow-artifacts:/RUN/artifacts", "RUN"), ("mlflow-artifacts:/0/models/RUN/artifacts", "0/models/RUN"),
        // Not this server's, or not the run's alone.
        ("mlflow-artifacts://host/0/RUN/artifacts", nil), ("s3://bucket/0/RUN/artifacts", nil),
        ("/0/RUN/artifacts", nil), ("mlflow-artifacts:/0/other/artifacts", nil), ("mlflow-artifacts:/0/RUN", nil),
        ("mlflow-artifacts:/../RUN/artifacts", nil), ("mlflow-artifacts:/%2e%2e/RUN/artifacts", nil),
        ("mlflow-artifacts:/artifacts", nil), ("mlflow-artifacts:/", nil), ("", nil),
    ])
    func foldersThatAreErased(location: String, folder: String?) {
        let run = Discarded(kind: .run, id: 1, name: "RUN", location: location)
        #expect(TrackingServer.path(run)?.text == folder)
    }
}

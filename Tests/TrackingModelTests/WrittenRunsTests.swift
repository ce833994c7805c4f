// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing
import TrackingModel

/// What is written without values in between is what `json` is.
struct WrittenRunsTests {
    @Test(arguments: [0, 1.5, -3, 1e20, 0.1, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, 5e-324])
    func points(value: Double) {
        for (model, dataset, run) in [("", "", ""), ("m-1", "d\"\n", "r"), ("m", "", ""), ("", "", "abc")] {
            let metric = Metric(
                key: "l/ü \\", value: value, timestamp: 1_700_000_000_123, step: -4, modelID: model,
                datasetName: dataset, datasetDigest: dataset, runID: run)
            var writer = JSONWriter()
            metric.write(to: &writer)
            #expect(writer.bytes == metric.json.encoded)
        }
    }

    @Test func runs() {
        var info = RunInfo(
            id: "0123", experimentID: 7, name: "a \"run\"", userID: "", status: .finished, startTime: 5, endTime: nil,
            artifactURI: "mlflow-artifacts:/7/0123/artifacts", stage: .active)
        let metrics = [Metric(key: "k", value: .nan, timestamp: 1), Metric(key: "l", value: 0.5, timestamp: 2)]
        let params = [Param("p", ""), Param("q", "\t")]
        let tags = [Tag("mlflow.runName", "a \"run\"")]
        let input = DatasetInput(Dataset(name: "n", digest: "d", sourceType: "s", source: "{}"), tags: tags)
        let output = ModelOutput(modelID: "m", step: 3)
        for end in [nil, 0, 9] as [Int64?] {
            info.endTime = end
            for run in [
                Run(info: info), Run(info: info, metrics: metrics), Run(info: info, params: params),
                Run(info: info, tags: tags),
                Run(
                    info: info, metrics: metrics, params: params, tags: tags, datasets: [input], modelInputs: ["m"],
                    modelOutputs: [output]),
            ] {
                var writer = JSONWriter()
                run.write(to: &writer)
                #expect(writer.bytes == run.json.encoded)
            }
        }
    }
}

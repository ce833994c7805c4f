// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A value of a metric at a time and a step (MLflow, `Metric` and `MetricWithRunId`).
package struct Metric: Sendable, Hashable {
    package var key: String
    /// Not a number counts as 0 where values are compared, and the infinities are kept as the largest finite numbers,
    /// as MLflow's store has it.
    package var value: Double
    /// In milliseconds since 1970.
    package var timestamp: Int64
    package var step: Int64
    /// The logged model that it measures; empty for none.
    package var modelID: String
    /// The dataset that it was measured on; empty for none.
    package var datasetName: String
    package var datasetDigest: String
    /// The run that it was logged to, where the reader asks for several; empty for none.
    package var runID: String

    package init(
        key: String, value: Double, timestamp: Int64, step: Int64 = 0, modelID: String = "", datasetName: String = "",
        datasetDigest: String = "", runID: String = ""
    ) {
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self.step = step
        self.modelID = modelID
        self.datasetName = datasetName
        self.datasetDigest = datasetDigest
        self.runID = runID
    }

    /// What values are compared by: 0 for what is no number.
    package var comparedValue: Double { value.isNaN ? 0 : Self.kept(value) }

    /// The value that is kept: finite, or not a number; 0 has no sign.
    package static func kept(_ value: Double) -> Double {
        if value == 0 { return 0 }
        if value.isInfinite { return value > 0 ? .greatestFiniteMagnitude : -.greatestFiniteMagnitude }
        return value
    }

    /// Whether this is later than another of the same key: by step, then time, then value.
    package func isLater(than other: Metric) -> Bool {
        (step, timestamp, comparedValue) > (other.step, other.timestamp, other.comparedValue)
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [
            "key": .string(key), "value": Self.json(value), "timestamp": .int(timestamp), "step": .int(step),
        ]
        if !modelID.isEmpty { members["model_id"] = .string(modelID) }
        if !datasetName.isEmpty { members["dataset_name"] = .string(datasetName) }
        if !datasetDigest.isEmpty { members["dataset_digest"] = .string(datasetDigest) }
        if !runID.isEmpty { members["run_id"] = .string(runID) }
        return .object(members)
    }

    /// A number as protobuf's JSON has it: what JSON cannot write is a text.
    package static func json(_ value: Double) -> JSONValue {
        if value.isNaN { return .string("NaN") }
        if value.isInfinite { return .string(value > 0 ? "Infinity" : "-Infinity") }
        return .double(value)
    }
}

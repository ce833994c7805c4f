// SPDX-License-Identifier: Apache-2.0
package import ApusCore

// Runs and points as JSON without a value for each member: pages of runs and histories are long. The texts are those of
// their `json`.

extension Metric {
    /// Writes what ``json`` is.
    package func write(to writer: inout JSONWriter) {
        writer.append(raw: "{")
        if !datasetDigest.isEmpty {
            writer.append(raw: "\"dataset_digest\":")
            writer.append(string: datasetDigest)
            writer.append(raw: ",")
        }
        if !datasetName.isEmpty {
            writer.append(raw: "\"dataset_name\":")
            writer.append(string: datasetName)
            writer.append(raw: ",")
        }
        writer.append(raw: "\"key\":")
        writer.append(string: key)
        if !modelID.isEmpty {
            writer.append(raw: ",\"model_id\":")
            writer.append(string: modelID)
        }
        if !runID.isEmpty {
            writer.append(raw: ",\"run_id\":")
            writer.append(string: runID)
        }
        writer.append(raw: ",\"step\":")
        writer.append(integer: step)
        writer.append(raw: ",\"timestamp\":")
        writer.append(integer: timestamp)
        writer.append(raw: ",\"value\":")
        if value.isFinite { writer.append(number: value) } else { writer.append(Self.json(value)) }
        writer.append(raw: "}")
    }
}

extension Run {
    /// Writes what ``json`` is.
    package func write(to writer: inout JSONWriter) {
        writer.append(raw: "{\"data\":{")
        var isFirst = true
        func begin(_ name: String) {
            if !isFirst { writer.append(raw: ",") }
            isFirst = false
            writer.append(raw: name)
        }
        if !metrics.isEmpty {
            begin("\"metrics\":")
            writer.array(metrics) { $0.write(to: &$1) }
        }
        if !params.isEmpty {
            begin("\"params\":")
            writer.array(params) { $1.pair($0.key, $0.value) }
        }
        if !tags.isEmpty {
            begin("\"tags\":")
            writer.array(tags) { $1.pair($0.key, $0.value) }
        }
        writer.append(raw: "},\"info\":")
        info.write(to: &writer)
        // Few runs have these.
        writer.append(raw: ",\"inputs\":")
        writer.append(inputsJSON)
        writer.append(raw: ",\"outputs\":")
        writer.append(outputsJSON)
        writer.append(raw: "}")
    }
}

extension RunInfo {
    /// Writes what ``json`` is.
    func write(to writer: inout JSONWriter) {
        writer.append(raw: "{\"artifact_uri\":")
        writer.append(string: artifactURI)
        if let endTime, endTime != 0 {
            writer.append(raw: ",\"end_time\":")
            writer.append(integer: endTime)
        }
        writer.append(raw: ",\"experiment_id\":\"")
        writer.append(integer: experimentID)
        writer.append(raw: "\",\"lifecycle_stage\":")
        writer.append(string: stage.rawValue)
        writer.append(raw: ",\"run_id\":")
        writer.append(string: id)
        writer.append(raw: ",\"run_name\":")
        writer.append(string: name)
        writer.append(raw: ",\"run_uuid\":")
        writer.append(string: id)
        writer.append(raw: ",\"start_time\":")
        writer.append(integer: startTime)
        writer.append(raw: ",\"status\":")
        writer.append(string: status.name)
        writer.append(raw: ",\"user_id\":")
        writer.append(string: userID)
        writer.append(raw: "}")
    }
}

extension JSONWriter {
    /// Writes an array, each element by `write`.
    package mutating func array<Element>(_ elements: [Element], _ write: (Element, inout JSONWriter) -> Void) {
        append(raw: "[")
        var isFirst = true
        for element in elements {
            if !isFirst { append(raw: ",") }
            isFirst = false
            write(element, &self)
        }
        append(raw: "]")
    }

    /// Writes a param or a tag.
    fileprivate mutating func pair(_ key: String, _ value: String) {
        append(raw: "{\"key\":")
        append(string: key)
        append(raw: ",\"value\":")
        append(string: value)
        append(raw: "}")
    }
}

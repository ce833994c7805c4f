// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import InferenceProtocol

/// What REST and gRPC tell of models beyond their signatures, in Triton's JSON: REST sends it as it is, gRPC as the
/// messages whose fields have the same names.
package protocol ModelReports: Sendable {
    /// ModelConfig: `{"name", "platform", "max_batch_size", "input": […], …}`.
    func config(_ name: String, _ version: String?) throws(InferenceFault) -> JSONValue
    /// Elements of `model_stats`; without a name those of all models.
    func statistics(_ name: String?, _ version: String?) throws(InferenceFault) -> [JSONValue]
}

extension ModelCatalog {
    /// As ``ModelReports/config(_:_:)``.
    package func config(_ name: String, _ version: String?) throws(InferenceFault) -> JSONValue {
        let model = try find(name, version)
        return model.config.json(name: model.name, signature: model.signature)
    }

    /// As ``ModelReports/statistics(_:_:)``.
    package func statistics(_ name: String?, _ version: String?) throws(InferenceFault) -> [JSONValue] {
        guard let name else {
            return index(readyOnly: true).compactMap { entry in
                guard let model = try? find(entry.name, entry.version) else { return nil }
                return model.statistics.json(name: model.name, version: model.version)
            }
        }
        guard version == nil else {
            let model = try find(name, version)
            return [model.statistics.json(name: model.name, version: model.version)]
        }
        let found = versions(name)
        guard !found.isEmpty else {
            let model = try find(name, nil)
            return [model.statistics.json(name: model.name, version: model.version)]
        }
        var reports: [JSONValue] = []
        for version in found {
            let model = try find(name, version)
            reports.append(model.statistics.json(name: model.name, version: model.version))
        }
        return reports
    }
}

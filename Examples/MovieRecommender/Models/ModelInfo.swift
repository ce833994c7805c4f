// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ModelKit

extension ALSModel.Info {
    /// What the model is, for people.
    func json(_ model: ALSModel) -> JSONValue {
        var value: JSONValue = [
            "dataset": .string(datasetVersion), "trainedAt": .string(Timestamp(seconds: trainedAt).rfc3339),
            "users": JSONValue(model.users.count), "items": JSONValue(model.items.count),
            "factors": JSONValue(configuration.factors), "iterations": JSONValue(configuration.iterations),
            "seed": .string(String(configuration.seed)),
            "lambda": .double((Double(configuration.regularization) * 1e6).rounded() / 1e6),
            "feedback": configuration.feedback == .explicit ? "explicit" : "implicit",
        ]
        if let rmse { value["rmse"] = JSONValue(rmse) }
        if let recallAt10 { value["recallAt10"] = JSONValue(recallAt10) }
        return value
    }
}

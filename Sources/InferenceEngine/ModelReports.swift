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

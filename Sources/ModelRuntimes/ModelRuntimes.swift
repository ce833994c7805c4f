// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol

/// The files of one version of a model, on this machine.
package struct ModelFolder: Sendable, Hashable {
    package var name: String
    package var version: String
    package var path: String
    /// KServe's `modelFormat.name`; nil: found out by the files.
    package var format: String?

    package init(name: String, version: String, path: String, format: String? = nil) {
        self.name = name
        self.version = version
        self.path = path
        self.format = format
    }
}

package struct RuntimeOptions: Sendable {
    /// Threads within one run.
    package var threads = 1
    /// Where libraries are, by their names (`onnxruntime`, `xgboost`, `lightgbm`); others are looked for.
    package var libraries: [String: String] = [:]
    /// The interpreter of pyfunc models.
    package var python: String?
    /// Bytes that the model may take.
    package var memoryLimit = Int.max

    package init() {}
}

/// A library that runs models of some formats.
package protocol ModelRuntime: Sendable {
    var name: String { get }
    var formats: [String] { get }
    func recognises(_ folder: ModelFolder) -> Bool
    /// Blocks: call it on a thread of its own.
    func load(_ folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) -> any LoadedModel
}

package protocol LoadedModel: AnyObject, Sendable {
    var signature: ModelSignature { get }
    /// Bytes that it takes, as well as that is known.
    var memory: Int { get }
    /// Whether a run waits for another process: it is never one for an event loop, however quick it was.
    var waits: Bool { get }
    func makeInstance() throws(InferenceFault) -> any ModelInstance
}

extension LoadedModel {
    package var waits: Bool { false }
}

/// Is used by one thread at a time.
package protocol ModelInstance: AnyObject {
    /// Runs the model. Inputs were checked against the signature, each there at most once, in the signature's order.
    /// - Parameters:
    ///   - inputs: tensors.
    ///   - outputs: names; in this order they come back.
    ///   - deadline: after it the run is given up where the library can.
    /// - Returns: the outputs.
    /// - Throws: what was wrong with the inputs, or with the library.
    func run(
        _ inputs: [Tensor], outputs: [String], deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) -> [Tensor]
}

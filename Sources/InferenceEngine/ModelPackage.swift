// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import Foundation
package import InferenceProtocol
package import ModelRuntimes

/// What is loaded under one name.
package struct ModelPackage: Sendable {
    package var name: String
    /// Folders of the versions that are there; which of them are served says the configuration.
    package var versions: [ModelFolder]
    /// A ModelConfig as JSON; null: none.
    package var config: JSONValue
    /// Stays when other models need memory.
    package var isPinned: Bool
    /// Changes when any of it does; nil: not known.
    package var fingerprint: String?
    /// Bytes that the model may take; nil: no limit of its own.
    package var memoryLimit: Int?
    /// Where the files lie for as long as a version of them is loaded; nil: they stay.
    package var files: TemporaryFolder?

    package init(
        name: String, versions: [ModelFolder], config: JSONValue = .null, isPinned: Bool = false,
        fingerprint: String? = nil
    ) {
        self.name = name
        self.versions = versions
        self.config = config
        self.isPinned = isPinned
        self.fingerprint = fingerprint
    }
}

/// A folder that goes with its last user.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Where models are found by their names.
package protocol ModelProvider: Sendable {
    /// Names of all models that there are.
    func names() async throws(InferenceFault) -> [String]
    /// Nil where there is no model of the name.
    func package(_ name: String) async throws(InferenceFault) -> ModelPackage?
}

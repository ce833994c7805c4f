// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol

/// The runtimes that there are; which one a model gets is said by its format, else by its files.
package struct RuntimeRegistry: Sendable {
    package let runtimes: [any ModelRuntime]

    package init(_ runtimes: [any ModelRuntime]) { self.runtimes = runtimes }

    /// All that Apus has; a new one is a file and a line here.
    package static let standard = RuntimeRegistry([
        ONNXRuntime(), XGBoostRuntime(), LightGBMRuntime(), RecommenderRuntime(), PythonRuntime(),
    ])

    /// The runtime of a model.
    package func runtime(for folder: ModelFolder) throws(InferenceFault) -> any ModelRuntime {
        // What mlflow wrote says itself which flavors it has; each runtime takes its own, Python takes the rest.
        let isMLflow = folder.format?.lowercased() == "mlflow" && ModelFiles(folder.path).contains("MLmodel")
        let format = isMLflow ? nil : folder.format
        let named = format.map { format in runtimes.filter { $0.formats.contains(format.lowercased()) } }
        if let named, named.isEmpty {
            let known = Set(runtimes.flatMap(\.formats)).sorted().joined(separator: ", ")
            throw InferenceFault(
                .unsupported,
                "model '\(folder.name)': the format '\(folder.format ?? "")' is not known; known are \(known)")
        }
        if let found = (named ?? runtimes).first(where: { $0.recognises(folder) }) { return found }
        // A format that only one runtime has is loaded by it, so that its own words tell what is missing.
        if let only = named?.first { return only }
        let names = ModelFiles(folder.path).names.prefix(8).joined(separator: ", ")
        throw InferenceFault(
            .unsupported,
            "model '\(folder.name)': none of the files in \(folder.path) is a model of a known format"
                + (names.isEmpty ? " (there are none)" : " (there are \(names))"))
    }

    /// Loads a model. Blocks: call it on a thread of its own.
    package func load(_ folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) -> any LoadedModel {
        try runtime(for: folder).load(folder, options)
    }
}

/// What runtimes have in common.
enum RuntimeLimits {
    /// Rows of one run where the model itself has no limit.
    static let rows = 1 << 20

    /// Refuses a model that needs more than it may take.
    static func check(_ bytes: Int, of folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) {
        guard bytes <= options.memoryLimit else {
            throw InferenceFault(
                .tooLarge, "model '\(folder.name)' takes \(bytes) bytes, it may take \(options.memoryLimit)")
        }
    }

    /// A library's message: its first line, not endless.
    static func firstLine(_ message: UnsafePointer<CChar>?) -> String {
        guard let message else { return "no reason given" }
        let text = String(cString: message)
        let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? text
        return shortened(line)
    }

    /// A library's message in one line, not endless.
    static func oneLine(_ message: UnsafePointer<CChar>?) -> String {
        guard let message else { return "no reason given" }
        return shortened(
            String(cString: message).split(whereSeparator: \.isNewline).joined(separator: " ")
                .split(separator: " ").joined(separator: " "))
    }

    private static func shortened(_ text: String) -> String {
        text.count > 500 ? text.prefix(500) + "…" : text
    }
}

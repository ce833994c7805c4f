// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

extension ServingRuntimeSpec {
    /// Members of the spec that are not the pod's.
    private static let ownFields: Set<String> = [
        "supportedModelFormats", "multiModel", "disabled", "protocolVersions", "labels", "annotations", "workerSpec",
        "grpcEndpoint", "grpcDataEndpoint", "httpDataEndpoint", "replicas", "storageHelper", "builtInAdapter",
        "supportedUriFormats",
    ]

    /// Reads a ServingRuntime or ClusterServingRuntime.
    ///
    /// - Throws: ``SpecFault`` where it has no container to run.
    package init(_ object: KubeObject) throws(SpecFault) {
        self.init(name: object.name, isClusterWide: object.kind == "ClusterServingRuntime")
        let spec = object.spec
        formats = spec["supportedModelFormats"].elements.compactMap { format in
            guard let name = format["name"].string, !name.isEmpty else { return nil }
            return Format(
                name: name, version: format["version"].string, isAutomatic: format["autoSelect"].bool ?? false,
                priority: format["priority"].int)
        }
        protocols = spec["protocolVersions"].elements.compactMap(\.string)
        isDisabled = spec["disabled"].bool ?? false
        isMultiModel = spec["multiModel"].bool ?? false
        created = object.creationTimestamp?.seconds ?? 0
        labels = spec["labels"].stringMembers
        annotations = spec["annotations"].stringMembers
        var pod = spec
        for field in Self.ownFields { pod[field] = .null }
        podSpec = pod.isNull ? [:] : pod
        guard podSpec["containers"].elements.contains(where: { $0["name"].string == ServingNames.container }) else {
            throw SpecFault(
                reason: "InvalidPredictorSpec",
                "the runtime '\(name)' has no container of the name \(ServingNames.container)")
        }
    }
}

/// Which runtime serves a model.
///
/// Source: kserve/kserve, pkg/apis/serving/v1beta1/predictor_model.go and pkg/controller/…/utils.go.
package enum RuntimeChoice {
    /// - Parameters:
    ///   - model: what is served.
    ///   - namespaced: the runtimes of its namespace; they go first.
    ///   - cluster: those of the cluster.
    ///   - isMultiModel: whether the service gets its models later, by TrainedModels.
    /// - Returns: the runtime that goes first.
    /// - Throws: ``SpecFault`` where none serves it.
    package static func choose(
        _ model: ComponentSpec.Model, namespaced: [ServingRuntimeSpec], cluster: [ServingRuntimeSpec],
        isMultiModel: Bool
    ) throws(SpecFault) -> ServingRuntimeSpec {
        if let name = model.runtime {
            return try named(name, model, namespaced + cluster)
        }
        for runtimes in [namespaced, cluster] {
            let candidates = runtimes.filter { runtime in
                !runtime.isDisabled && runtime.isMultiModel == isMultiModel && runtime.speaks(model.protocolVersion)
                    && runtime.formats.contains { $0.isAutomatic && $0.fits(model) }
            }
            if let best = candidates.min(by: { isBefore($0, $1, model) }) { return best }
        }
        let version = model.formatVersion.map { " \($0)" } ?? ""
        throw SpecFault(
            reason: "NoSupportingRuntime",
            "no runtime serves the format '\(model.format)\(version)' by the protocol \(model.protocolVersion)"
                + "\(isMultiModel ? " with several models" : ""): apply deploy/serving/runtimes.yaml, or name one in "
                + "model.runtime")
    }

    private static func named(
        _ name: String, _ model: ComponentSpec.Model, _ runtimes: [ServingRuntimeSpec]
    ) throws(SpecFault) -> ServingRuntimeSpec {
        guard let runtime = runtimes.first(where: { $0.name == name }) else {
            throw SpecFault(
                reason: "RuntimeNotRecognized",
                "there is no runtime '\(name)', neither in the namespace nor in the cluster")
        }
        guard !runtime.isDisabled else {
            throw SpecFault(reason: "RuntimeDisabled", "the runtime '\(name)' is disabled")
        }
        guard runtime.formats.contains(where: { $0.fits(model) }) else {
            throw SpecFault(
                reason: "NoSupportingRuntime", "the runtime '\(name)' does not serve the format '\(model.format)'")
        }
        guard runtime.speaks(model.protocolVersion) else {
            throw SpecFault(
                reason: "NoSupportingRuntime",
                "the runtime '\(name)' does not speak \(model.protocolVersion), but "
                    + runtime.protocols.joined(separator: ", "))
        }
        return runtime
    }

    /// A higher priority for the format first, one before none; then the lowest protocol, the newest, the name.
    private static func isBefore(
        _ one: ServingRuntimeSpec, _ other: ServingRuntimeSpec, _ model: ComponentSpec.Model
    ) -> Bool {
        func priority(_ runtime: ServingRuntimeSpec) -> Int {
            runtime.formats.filter { $0.isAutomatic && $0.fits(model) }.compactMap(\.priority).max() ?? Int.min
        }
        func key(_ runtime: ServingRuntimeSpec) -> (Int, Int, Int64, String) {
            let priority = priority(runtime)
            return (
                priority == .min ? .max : -priority, runtime.lowestProtocol, -runtime.created, runtime.name
            )
        }
        return key(one) < key(other)
    }
}

extension ServingRuntimeSpec {
    fileprivate func speaks(_ version: String) -> Bool { protocols.isEmpty || protocols.contains(version) }

    /// The number of the lowest protocol: `v2`, `grpc-v2` are 2.
    fileprivate var lowestProtocol: Int {
        protocols.compactMap { Int(String($0.reversed().prefix(while: \.isNumber).reversed())) }.min() ?? 0
    }
}

extension ServingRuntimeSpec.Format {
    fileprivate func fits(_ model: ComponentSpec.Model) -> Bool {
        name == model.format && (model.formatVersion == nil || version == model.formatVersion)
    }
}

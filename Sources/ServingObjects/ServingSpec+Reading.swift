// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

extension ServingSpec {
    /// Places that a model can come from; besides, absolute and relative paths.
    private static let schemes: Set<String> = [
        "gs", "s3", "abfs", "hdfs", "webhdfs", "http", "https", "pvc", "file", "hf", "oci", "modelscope", "models",
    ]
    /// Older ways to say what model it is: `predictor.sklearn` is `predictor.model` with that format.
    private static let implementations = [
        "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle",
    ]
    /// Members of a component that are not its pod's.
    private static let ownFields: Set<String> = [
        "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "autoScaling",
        "containerConcurrency", "timeout", "canaryTrafficPercent", "logger", "batcher", "labels", "annotations",
        "deploymentStrategy", "name", "model", "storageUris", "workerSpec",
    ]
    /// Members of a model that are not its container's.
    private static let modelFields: Set<String> = [
        "modelFormat", "runtime", "storageUri", "protocolVersion", "runtimeVersion", "storage",
    ]

    /// Reads an object; what clients left out has KServe's default.
    ///
    /// - Throws: ``SpecFault`` with the field and what it has to be.
    package init(_ object: KubeObject) throws(SpecFault) {
        guard Self.isName(object.name) else {
            throw Self.fault(
                "the name '\(object.name)' must begin with a letter and have only lower-case letters, digits and '-'")
        }
        guard object.name.utf8.count <= 40 else {
            throw Self.fault(
                "the name '\(object.name)' is longer than 40 characters: names of its revisions are made of it")
        }
        let spec = object.spec
        self.init(
            name: object.name, namespace: object.namespace, generation: Int64(object.generation),
            predictor: try Self.component(spec["predictor"], .predictor))
        predictorName = spec["predictor"]["name"].string ?? ""
        if !spec["transformer"].isNull { transformer = try Self.component(spec["transformer"], .transformer) }
        if !spec["explainer"].isNull { explainer = try Self.component(spec["explainer"], .explainer) }
        isStopped = object.annotations[ServingNames.stop] == "true"
        annotations = object.annotations
        labels = object.labels
        try readCanaries(spec)
    }

    private static func fault(_ text: String) -> SpecFault { SpecFault(reason: "InvalidPredictorSpec", text) }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, let last = name.utf8.last else { return false }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return letters.contains(first) && last != UInt8(ascii: "-")
            && name.utf8.allSatisfy { letters.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "-") }
    }

    private static func number(_ json: JSONValue, _ place: String, in range: ClosedRange<Int>) throws(SpecFault) -> Int?
    {
        guard !json.isNull else { return nil }
        guard let value = json.int, range.contains(value) else {
            throw fault("\(place) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    private static func component(
        _ json: JSONValue, _ kind: ServingComponent
    ) throws(SpecFault) -> ComponentSpec {
        let place = "spec.\(kind.rawValue)"
        guard json.object != nil else { throw fault("\(place) is missing") }
        if !json["workerSpec"].isNull {
            throw fault("\(place).workerSpec: models over several nodes are not supported")
        }
        var component = ComponentSpec()
        component.minimum = try number(json["minReplicas"], "\(place).minReplicas", in: 0...10_000) ?? 1
        component.maximum = try number(json["maxReplicas"], "\(place).maxReplicas", in: 0...10_000) ?? 0
        guard component.maximum == 0 || component.minimum <= component.maximum else {
            throw fault(
                "\(place).minReplicas is \(component.minimum), more than maxReplicas, which is \(component.maximum)")
        }
        component.scaleTarget = try number(json["scaleTarget"], "\(place).scaleTarget", in: 1...1_000_000_000)
        if let metric = json["scaleMetric"].string, !metric.isEmpty {
            guard let known = ComponentSpec.ScaleMetric(rawValue: metric) else {
                throw fault("\(place).scaleMetric must be cpu, memory, concurrency or rps, not '\(metric)'")
            }
            component.scaleMetric = known
        }
        component.concurrency =
            try number(json["containerConcurrency"], "\(place).containerConcurrency", in: 0...1_000_000) ?? 0
        component.timeout = try number(json["timeout"], "\(place).timeout", in: 1...86_400).map { .seconds($0) }
        component.canaryPercent = try number(json["canaryTrafficPercent"], "\(place).canaryTrafficPercent", in: 0...100)
        component.batching = try batching(json["batcher"], place)
        component.logging = try logging(json["logger"], place)
        component.labels = json["labels"].stringMembers
        component.annotations = json["annotations"].stringMembers
        var pod = json
        for field in ownFields + implementations { pod[field] = .null }
        component.podSpec = pod.isNull ? [:] : pod
        component.model = kind == .predictor ? try model(json, place) : nil
        let containers = component.podSpec["containers"].elements
        if component.model == nil {
            guard !containers.isEmpty else {
                throw fault("\(place) needs a model (spec.predictor.model) or containers")
            }
            let named = containers.filter { $0["name"].string == ServingNames.container }
            guard named.count == 1 || containers.count == 1 else {
                throw fault("\(place).containers: one has to be called \(ServingNames.container)")
            }
        }
        return component
    }

    private static func batching(_ json: JSONValue, _ place: String) throws(SpecFault) -> ComponentSpec.Batching? {
        guard !json.isNull else { return nil }
        return ComponentSpec.Batching(
            maximum: try number(json["maxBatchSize"], "\(place).batcher.maxBatchSize", in: 1...100_000),
            latency: try number(json["maxLatency"], "\(place).batcher.maxLatency", in: 0...600_000)
                .map { .milliseconds($0) },
            timeout: try number(json["timeout"], "\(place).batcher.timeout", in: 1...86_400).map { .seconds($0) })
    }

    private static func logging(_ json: JSONValue, _ place: String) throws(SpecFault) -> ComponentSpec.Logging? {
        guard !json.isNull else { return nil }
        let url = json["url"].string ?? ""
        guard ["http://", "https://", "kafka://"].contains(where: url.hasPrefix) else {
            throw fault(
                "\(place).logger.url must begin with http://, https:// or kafka://, not be '\(url.prefix(200))'")
        }
        let mode = json["mode"].string ?? "all"
        guard let known = ComponentSpec.LogMode(rawValue: mode) else {
            throw fault("\(place).logger.mode must be all, request or response, not '\(mode.prefix(100))'")
        }
        return ComponentSpec.Logging(
            url: url, mode: known, headers: json["metadataHeaders"].elements.compactMap(\.string),
            annotations: json["metadataAnnotations"].elements.compactMap(\.string))
    }

    /// The model of a predictor, in either form; nil for containers of its own.
    private static func model(_ json: JSONValue, _ place: String) throws(SpecFault) -> ComponentSpec.Model? {
        let given = implementations.filter { !json[$0].isNull }
        guard given.count + (json["model"].isNull ? 0 : 1) <= 1 else {
            throw fault("\(place) has more than one model: \((given + ["model"]).joined(separator: ", "))")
        }
        let source = given.first.map { json[$0] } ?? json["model"]
        guard !source.isNull else { return nil }
        let member = given.first ?? "model"
        let format = given.first ?? source["modelFormat"]["name"].string ?? ""
        guard !format.isEmpty else { throw fault("\(place).model.modelFormat.name is missing") }
        let isSecond = given.first == "triton" || given.first == "onnx"
        var protocolVersion = source["protocolVersion"].string ?? ""
        if protocolVersion.isEmpty { protocolVersion = isSecond ? "v2" : "v1" }
        guard ["v1", "v2", "grpc-v1", "grpc-v2"].contains(protocolVersion) else {
            throw fault(
                "\(place).\(member).protocolVersion must be v1, v2, grpc-v1 or grpc-v2, not '\(protocolVersion)'")
        }
        let uris = json["storageUris"].elements
        guard uris.count <= 1 else { throw fault("\(place).storageUris: one place is supported, not \(uris.count)") }
        var uri = source["storageUri"].string ?? uris.first?["uri"].string
        if uri == nil, !source["storage"].isNull { uri = try Self.uri(of: source["storage"], "\(place).\(member)") }
        if let uri { try check(uri, "\(place).\(member).storageUri") }
        var container = source
        for field in modelFields { container[field] = .null }
        var model = ComponentSpec.Model(
            format: format,
            formatVersion: source["modelFormat"]["version"].string.flatMap { $0.isEmpty ? nil : $0 },
            runtime: source["runtime"].string.flatMap { $0.isEmpty ? nil : $0 },
            uri: uri.flatMap { $0.isEmpty ? nil : $0 },
            protocolVersion: protocolVersion, container: container.isNull ? [:] : container)
        model.runtimeVersion = source["runtimeVersion"].string.flatMap { $0.isEmpty ? nil : $0 }
        return model
    }

    /// `storage{path, parameters{type, bucket}}`.
    private static func uri(of storage: JSONValue, _ place: String) throws(SpecFault) -> String? {
        guard let path = storage["path"].string else { return nil }
        let parameters = storage["parameters"]
        guard parameters["type"].string ?? "s3" == "s3", let bucket = parameters["bucket"].string else {
            throw fault("\(place).storage needs parameters.type s3 and parameters.bucket; or use storageUri")
        }
        return "s3://\(bucket)/\(path)"
    }

    private static func check(_ uri: String, _ place: String) throws(SpecFault) {
        guard uri.utf8.count <= 4096 else { throw fault("\(place) is longer than 4096 bytes") }
        guard let colon = uri.firstIndex(of: ":"), !uri[..<colon].contains("/") else { return }
        guard schemes.contains(uri[..<colon].lowercased()) else {
            throw fault(
                "\(place) '\(uri.prefix(200))' is of no place that is known: use s3://, models:/, http(s)://, pvc://, "
                    + "file:// or a path")
        }
    }

    private mutating func readCanaries(_ spec: JSONValue) throws(SpecFault) {
        let declared = spec["canary"].elements
        guard !declared.isEmpty else { return }
        guard declared.count <= 10 else { throw Self.fault("spec.canary has more than 10 canaries") }
        guard predictor.canaryPercent == nil else {
            throw Self.fault("spec.canary and spec.predictor.canaryTrafficPercent cannot both be given")
        }
        var sum = 0
        for (index, json) in declared.enumerated() {
            let place = "spec.canary[\(index)]"
            let name = json["predictor"]["name"].string ?? ""
            guard Self.isName(name), name != predictorName, !canaries.contains(where: { $0.name == name }) else {
                throw Self.fault("\(place).predictor.name must be a name that no other predictor has")
            }
            for field in ["maxReplicas", "scaleTarget", "scaleMetric", "autoScaling", "workerSpec"]
            where !json["predictor"][field].isNull {
                throw Self.fault("\(place).predictor.\(field) cannot be given: a canary has a fixed number of pods")
            }
            let percent = try Self.number(json["trafficPercent"], "\(place).trafficPercent", in: 0...100) ?? 0
            sum += percent
            // What it does not say is as the predictor has it.
            var merged = spec["predictor"]
            for field in ["canaryTrafficPercent", "maxReplicas", "scaleTarget", "scaleMetric", "autoScaling"] {
                merged[field] = .null
            }
            merged = MergePatch.apply(json["predictor"], to: merged)
            canaries.append(
                Canary(name: name, percent: percent, component: try Self.component(merged, .predictor)))
        }
        guard sum <= 100 else { throw Self.fault("spec.canary gets \(sum) percent of the traffic, more than 100") }
    }
}

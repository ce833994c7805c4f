// SPDX-License-Identifier: Apache-2.0

/// What a route needs.
struct AccessRule: Sendable, Hashable {
    enum Subject: Sendable {
        /// Nothing, not even a name.
        case everybody
        /// A caller with a name.
        case anybody
        /// The experiments that the request names: by their ids, or by runs, logged models and traces of theirs.
        case experiments
        /// All experiments, whatever the request names.
        case allExperiments
        /// All registered models.
        case allModels
        /// The experiment with the name in a field.
        case experimentName(String)
        /// The registered model with the name in a field.
        case model(String)
        /// The experiment that a path of the artifacts' proxy belongs to.
        case artifact
        /// Nothing: the answer has only what the caller may read.
        case answer(TrackingRight.Resource, list: String, name: String)
    }

    let verb: TrackingRight.Verb
    let subject: Subject

    init(_ verb: TrackingRight.Verb, _ subject: Subject) {
        self.verb = verb
        self.subject = subject
    }

    static func == (left: AccessRule, right: AccessRule) -> Bool { "\(left)" == "\(right)" }
    func hash(into hasher: inout Hasher) { hasher.combine("\(self)") }
}

/// What each route needs. One that is not here needs its rights on the experiments that it names, and where it names
/// none on all of them.
enum AccessTable {
    /// The rule of a route.
    /// - Parameters:
    ///   - name: of the route.
    ///   - reads: whether its method is GET.
    /// - Returns: what it needs.
    static func rule(_ name: String, reads: Bool) -> AccessRule {
        rules[name] ?? AccessRule(reads ? .get : .update, .experiments)
    }

    private static let rules: [String: AccessRule] = {
        var rules: [String: AccessRule] = [:]
        for name in ["health"] { rules[name] = AccessRule(.get, .everybody) }
        // GraphQL calls the other routes, as its caller.
        for name in ["version", "getServerInfo", "getGatewayEndpoints", "getPage", "getFile", "graphql"] {
            rules[name] = AccessRule(.get, .anybody)
        }

        rules["searchExperiments"] = AccessRule(
            .get, .answer(.experiments, list: "experiments", name: "name"))
        rules["searchRegisteredModels"] = AccessRule(
            .get, .answer(.registeredmodels, list: "registered_models", name: "name"))
        rules["searchModelVersions"] = AccessRule(
            .get, .answer(.registeredmodels, list: "model_versions", name: "name"))

        rules["createExperiment"] = AccessRule(.create, .experimentName("name"))
        rules["getExperimentByName"] = AccessRule(.get, .experimentName("experiment_name"))
        for name in [
            "searchRuns", "searchDatasets", "searchLoggedModels", "searchTraces", "searchTracesV3",
            "searchUnifiedTraceHandler", "batchGetTraceInfos", "calculateTraceFilterCorrelation", "queryTraceMetrics",
            "getMetricHistoryBulk",
        ] {
            rules[name] = AccessRule(.get, .experiments)
        }
        for name in [
            "deleteExperiment", "deleteRun", "deleteLoggedModel", "deleteTraces", "deleteTracesV3",
        ] {
            rules[name] = AccessRule(.delete, .experiments)
        }

        rules["collectGarbage"] = AccessRule(.delete, .allExperiments)

        rules["createRegisteredModel"] = AccessRule(.create, .model("name"))
        for name in [
            "getRegisteredModel", "getLatestVersions", "getModelVersion", "getModelVersionByAlias",
            "getModelVersionDownloadUri", "getModelVersionArtifact",
        ] {
            rules[name] = AccessRule(.get, .model("name"))
        }
        for name in [
            "updateRegisteredModel", "renameRegisteredModel", "setRegisteredModelTag", "deleteRegisteredModelTag",
            "setRegisteredModelAlias", "deleteRegisteredModelAlias", "createModelVersion", "updateModelVersion",
            "transitionModelVersionStage", "setModelVersionTag", "deleteModelVersionTag",
        ] {
            rules[name] = AccessRule(.update, .model("name"))
        }
        // They are told of all models.
        for name in ["listWebhooks", "getWebhook"] { rules[name] = AccessRule(.get, .allModels) }
        for name in ["createWebhook", "updateWebhook", "deleteWebhook", "testWebhook"] {
            rules[name] = AccessRule(.update, .allModels)
        }
        for name in ["deleteRegisteredModel", "deleteModelVersion"] {
            rules[name] = AccessRule(.delete, .model("name"))
        }

        for name in ["artifacts.downloadArtifact", "artifacts.listArtifacts", "artifacts.getPresignedDownloadUrl"] {
            rules[name] = AccessRule(.get, .artifact)
        }
        for name in [
            "artifacts.uploadArtifact", "artifacts.createMultipartUpload", "artifacts.completeMultipartUpload",
            "artifacts.abortMultipartUpload",
        ] {
            rules[name] = AccessRule(.update, .artifact)
        }
        rules["artifacts.deleteArtifact"] = AccessRule(.delete, .artifact)
        return rules
    }()
}

// SPDX-License-Identifier: Apache-2.0

/// Labels, annotations and names that KServe's clients and the other parts of Apus go by.
///
/// Source: kserve/kserve, pkg/constants; those of `serving.apus.dev` are ours.
package enum ServingNames {
    package static let group = "serving.kserve.io"

    // Labels of pods, Deployments and Services.
    package static let service = "serving.kserve.io/inferenceservice"
    package static let component = "component"
    /// On all that the operator makes: `true`.
    package static let managed = "serving.apus.dev/managed"
    package static let graph = "serving.kserve.io/inferencegraph"
    /// On Deployment, pods and Service: whose numbers the gateway's activity is.
    package static let revision = "serving.apus.dev/revision"

    // Annotations of InferenceServices.
    package static let deploymentMode = "serving.kserve.io/deploymentMode"
    package static let stop = "serving.kserve.io/stop"
    package static let autoscalerClass = "serving.kserve.io/autoscalerClass"
    /// `progressive`: a new revision gets traffic in steps.
    package static let rollout = "serving.apus.dev/rollout"
    package static let rolloutSteps = "serving.apus.dev/rollout-steps"
    package static let rolloutInterval = "serving.apus.dev/rollout-interval"
    package static let rolloutMinimumRequests = "serving.apus.dev/rollout-min-requests"
    package static let rolloutPatience = "serving.apus.dev/rollout-max-wait"
    package static let rolloutWhenIdle = "serving.apus.dev/rollout-when-idle"
    package static let rolloutFailureMargin = "serving.apus.dev/rollout-max-error-increase"
    package static let rolloutLatencyRatio = "serving.apus.dev/rollout-max-latency-ratio"
    /// `false`: a canary that fails keeps its traffic.
    package static let autoRollback = "serving.apus.dev/auto-rollback"

    // Annotations of a revision's Deployment.
    package static let digest = "serving.apus.dev/digest"
    /// Percent of the traffic, of a rollout that goes in steps, and since when (RFC 3339).
    package static let rolloutPercent = "serving.apus.dev/rollout-percent"
    package static let rolloutSince = "serving.apus.dev/rollout-since"
    /// Why it gets no traffic any more.
    package static let rolledBack = "serving.apus.dev/rolled-back"
    /// Since when it gets no traffic (RFC 3339); it is removed some seconds later.
    package static let retired = "serving.apus.dev/retired"
    /// Hash of the manifest that was applied last.
    package static let applied = "serving.apus.dev/applied"

    // Annotations of a revision's Service, for the gateway.
    /// `true`: requests wait while it has no pod.
    package static let fromZero = "serving.apus.dev/scale-from-zero"
    package static let holdTimeout = "serving.apus.dev/hold-timeout"
    package static let concurrency = "serving.apus.dev/container-concurrency"
    package static let readyPath = "serving.apus.dev/ready-path"

    // Annotations of a revision's Deployment, for the autoscaler.
    package static let scalingPrefix = "autoscaling.knative.dev/"
    package static let scalingClass = "autoscaling.knative.dev/class"
    package static let knativeScaling = "kpa.autoscaling.knative.dev"
    package static let scalingMetric = "autoscaling.knative.dev/metric"
    package static let scalingTarget = "autoscaling.knative.dev/target"
    package static let minimumScale = "autoscaling.knative.dev/min-scale"
    package static let maximumScale = "autoscaling.knative.dev/max-scale"

    package static let container = "kserve-container"
    package static let restPort = 8080
    package static let grpcPort = 8081
    /// Of Services.
    package static let servicePort = 80

    /// `NAME-predictor`, or `NAME-PREDICTORNAME-predictor`.
    package static func componentName(_ service: String, _ component: ServingComponent, predictorName: String = "")
        -> String
    {
        component == .predictor && !predictorName.isEmpty
            ? "\(service)-\(predictorName)-predictor" : "\(service)-\(component.rawValue)"
    }

    /// `NAME-predictor-00001`.
    package static func revisionName(_ component: String, _ number: Int) -> String {
        let digits = String(number)
        return "\(component)-\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits)"
    }
}

/// A part of an InferenceService that has pods of its own.
package enum ServingComponent: String, Sendable, CaseIterable {
    case predictor, transformer, explainer

    /// As conditions are called: `PredictorReady`.
    package var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}

// SPDX-License-Identifier: Apache-2.0

/// Timing and limits of the controllers. The defaults are upstream's; tests shorten them.
package struct ControllerConfiguration: Sendable {
    /// How many pods one reconciliation creates or deletes at most.
    package var burst = 500
    /// After this long, creations and deletions that were never seen in a watch are no longer waited for.
    package var expectationTimeout: Duration = .seconds(300)
    /// Time until a Job replaces its first failed pod; doubles with each further failure.
    package var jobBackoffBase: Duration = .seconds(10)
    /// Longest time until a Job replaces a failed pod.
    package var jobBackoffLimit: Duration = .seconds(600)
    /// A node whose lease is not renewed for this long is `Unknown`.
    package var nodeGracePeriod: Duration = .seconds(40)
    /// Time until pods are evicted from a node that is not ready, for pods that do not say.
    package var defaultTolerationSeconds = 300
    /// Pods of a node that is gone are deleted after this time.
    package var missingNodeQuarantine: Duration = .seconds(40)
    /// A terminating namespace that still has content is looked at again after this time.
    package var namespaceRetry: Duration = .seconds(1)
    /// How often the garbage collector looks for new resources.
    package var discoveryInterval: Duration = .seconds(30)
    /// How often each HorizontalPodAutoscaler looks at its metrics.
    package var autoscalerSyncPeriod: Duration = .seconds(15)
    /// For how long an autoscaler keeps to its highest recommendation on the way down.
    package var autoscalerDownscaleStabilization: Duration = .seconds(300)
    /// For so long after its start a pod's CPU counts only while it is ready.
    package var autoscalerCPUInitialization: Duration = .seconds(300)
    /// A pod that is not ready and never was longer than so after its start is still starting.
    package var autoscalerInitialReadinessDelay: Duration = .seconds(30)
    /// PEM of the cluster's CA: published as ConfigMap `kube-root-ca.crt` in each namespace; nil publishes nothing.
    package var rootCertificate: String?

    package init() {}
}

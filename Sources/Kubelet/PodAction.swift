// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// Something that happened to a pod.
package enum PodInput: Sendable {
    /// The object changed at the API server.
    case pod(KubeObject)
    /// The object is gone from the API server.
    case vanished
    /// Address, directories and volumes are there.
    case prepared(address: String)
    /// They are not; tried again later.
    case preparationFailed(String)
    /// The runtime told a container's state.
    case container(String, attempt: Int, ContainerObservation)
    /// A container was not given to the runtime, for this reason; tried again later.
    case startRefused(String, attempt: Int, reason: String, message: String)
    /// A probe began to pass or to fail.
    case probe(String, attempt: Int, ProbeKind, isPassing: Bool)
    /// A post-start hook ended; nil: well.
    case postStartEnded(String, attempt: Int, failure: String?)
    case preStopEnded(String, attempt: Int, failure: String?)
    /// Something that a refused start or preparation waited for may be there now.
    case retry
    /// Time passed.
    case tick
}

/// What the node agent is to do for a pod.
package enum PodAction: Sendable, Equatable {
    /// Make address, directories and volumes.
    case prepare
    case start(String, attempt: Int)
    case runPostStart(String, attempt: Int)
    case runPreStop(String, attempt: Int)
    /// Send SIGTERM.
    case terminate(String, attempt: Int)
    /// Send SIGKILL.
    case kill(String, attempt: Int)
    /// Forget a run and its log.
    case remove(String, attempt: Int)
    /// Write an event about the pod, or about a container of it.
    case event(isWarning: Bool, reason: String, message: String, container: String?)
    /// Nothing of the pod runs any more and nothing will: give back its address.
    case release
    /// Delete the object, with no grace, if it is still this pod.
    case deleteObject
    /// Remove all that is left of the pod on the node.
    case discard
}

/// Names one probe of one run of a container.
package struct ProbeKey: Hashable, Sendable {
    package var container: String
    package var attempt: Int
    package var kind: ProbeKind

    package init(container: String, attempt: Int, kind: ProbeKind) {
        self.container = container
        self.attempt = attempt
        self.kind = kind
    }
}

/// Time constants of the pod life cycle.
package struct PodTiming: Sendable {
    /// First waiting time of the crash back-off; it doubles. Default 10 s.
    package var backoffBase: Duration = .seconds(10)
    /// Longest waiting time of the crash back-off. Default 5 min. A run twice as long resets it.
    package var backoffLimit: Duration = .seconds(300)
    /// How long to wait before a refused start or a failed preparation is tried again. Default 5 s.
    package var retryInterval: Duration = .seconds(5)

    package init() {}
}

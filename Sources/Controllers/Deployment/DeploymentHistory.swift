// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The versions of a Deployment: which ReplicaSet is the present one, and the revisions they have.
struct DeploymentHistory: Sendable {
    static let revision = "deployment.kubernetes.io/revision"
    static let revisionHistory = "deployment.kubernetes.io/revision-history"
    static let desiredReplicas = "deployment.kubernetes.io/desired-replicas"
    static let maxReplicas = "deployment.kubernetes.io/max-replicas"

    /// The ReplicaSet of the present template; nil when there is none yet.
    var new: KubeObject?
    /// The others, oldest first.
    var old: [KubeObject]

    init(_ deployment: KubeObject, replicaSets: [KubeObject]) {
        let sorted = replicaSets.sorted {
            ($0.creationTimestamp?.nanoseconds ?? 0, $0.name) < ($1.creationTimestamp?.nanoseconds ?? 0, $1.name)
        }
        let template = TemplateHash.canonical(deployment.spec["template"])
        let index = sorted.firstIndex { TemplateHash.canonical($0.spec["template"]) == template }
        new = index.map { sorted[$0] }
        old = sorted
        if let index { old.remove(at: index) }
    }

    var all: [KubeObject] { old + (new.map { [$0] } ?? []) }
    var total: Int { all.reduce(0) { $0 + $1.wantedReplicas } }

    /// The revision of the present version.
    var nextRevision: Int { (old.map(\.revision).max() ?? 0) + 1 }

    /// The only ReplicaSet with pods, or the present or newest one when none has; nil when several have.
    var activeOrLatest: KubeObject? {
        let active = all.filter { $0.wantedReplicas > 0 }
        return active.isEmpty ? new ?? old.last : (active.count == 1 ? active.first : nil)
    }

    /// Old versions past the history limit that have no pods, oldest first.
    func expired(limit: Int) -> [KubeObject] {
        let candidates = old.filter { !$0.isBeingDeleted }
        guard candidates.count > limit else { return [] }
        return candidates.sorted { $0.revision < $1.revision }.prefix(candidates.count - limit).filter { set in
            set.wantedReplicas == 0 && (set.status["replicas"].int ?? 0) == 0
                && set.generation <= (set.status["observedGeneration"].int ?? 0)
        }
    }

    /// Annotations that a ReplicaSet takes over from its Deployment.
    static func inherited(_ annotations: [String: String]) -> [String: String] {
        let own: Set<String> = [
            "kubectl.kubernetes.io/last-applied-configuration", revision, revisionHistory, desiredReplicas,
            maxReplicas, "deprecated.deployment.rollback.to",
        ]
        return annotations.filter { !own.contains($0.key) }
    }

    /// The annotations of the present version's ReplicaSet.
    func annotations(_ deployment: KubeObject, of replicaSet: KubeObject) -> [String: String] {
        var annotations = replicaSet.annotations
        annotations.merge(Self.inherited(deployment.annotations)) { $1 }
        let old = replicaSet.annotations[Self.revision]
        if replicaSet.revision < nextRevision {
            annotations[Self.revision] = String(nextRevision)
            if let old {
                let history = annotations[Self.revisionHistory].map { "\($0),\(old)" } ?? old
                annotations[Self.revisionHistory] = history
            }
        }
        return annotations
    }

    /// The ReplicaSet to create for the present template, without pods.
    func newReplicaSet(_ deployment: KubeObject) -> KubeObject {
        let collisions = deployment.status["collisionCount"].int ?? 0
        let hash = TemplateHash.hash(deployment.spec["template"], collisions: collisions)
        var set = KubeObject(.replicaSets, namespace: deployment.namespace, name: "\(deployment.name)-\(hash)")
        var template = deployment.spec["template"]
        template["metadata"]["labels"][TemplateHash.label] = .string(hash)
        var selector = deployment.spec["selector"]
        selector["matchLabels"][TemplateHash.label] = .string(hash)
        set.labels = template["metadata"]["labels"].stringMembers
        set.annotations = Self.inherited(deployment.annotations)
        set.annotations = annotations(deployment, of: set)
        set.ownerReferences = [deployment.controllerReference]
        set.spec = ["replicas": 0, "selector": selector, "template": template]
        set.spec["minReadySeconds"] = deployment.spec["minReadySeconds"]
        return set
    }
}

extension KubeObject {
    /// `spec.replicas` of a ReplicaSet.
    var wantedReplicas: Int { spec["replicas"].int ?? 1 }
    var revision: Int { annotations[DeploymentHistory.revision].flatMap { Int($0) } ?? 0 }

    /// Its size, for the arithmetic of rollouts.
    var size: RollingUpdate.Size {
        RollingUpdate.Size(
            replicas: wantedReplicas, available: status["availableReplicas"].int ?? 0,
            maxReplicas: annotations[DeploymentHistory.maxReplicas].flatMap { Int($0) } ?? 0)
    }
}

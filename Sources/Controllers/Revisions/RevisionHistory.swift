// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The versions of a StatefulSet's or DaemonSet's template, kept as ControllerRevisions: which is the present one, and
/// what has to be written for that.
///
/// Source: Kubernetes API reference, ControllerRevision; `kubectl rollout history` and `undo` read `data` as a patch.
struct RevisionHistory: Sendable {
    /// What has to be written before the present version has a revision.
    enum Change: Equatable, Sendable {
        case none
        case create(KubeObject)
        /// An older revision has the same template: its number becomes the highest.
        case renumber(KubeObject)
    }

    /// By number, oldest first.
    private(set) var revisions: [KubeObject]
    private(set) var change: Change
    /// The revision of the present template, as it will be once ``change`` is written.
    private(set) var update: KubeObject

    /// `hashLabel`: where the hash of the data is noted.
    /// `collisions`: how often its name was taken by another.
    init(_ owner: KubeObject, revisions: [KubeObject], hashLabel: String, collisions: Int) {
        let sorted = revisions.sorted {
            (Self.number($0), $0.metadata["creationTimestamp"].string ?? "", $0.name)
                < (Self.number($1), $1.metadata["creationTimestamp"].string ?? "", $1.name)
        }
        self.revisions = sorted
        let data = Self.data(of: owner.spec["template"])
        let next = (sorted.last.map(Self.number) ?? 0) + 1
        if let known = sorted.last(where: { Self.areEqual($0["data"], data) }) {
            update = known
            change = .none
            if Self.number(known) < next - 1 {
                update["revision"] = JSONValue(next)
                change = .renumber(update)
            }
            return
        }
        let hash = TemplateHash.hash(data, collisions: collisions)
        var revision = KubeObject(
            .controllerRevisions, namespace: owner.namespace, name: "\(owner.name)-\(hash)")
        revision.labels = owner.spec["template"]["metadata"]["labels"].stringMembers
        revision.labels[hashLabel] = hash
        revision.annotations = owner.annotations.filter {
            $0.key != "kubectl.kubernetes.io/last-applied-configuration"
        }
        revision.ownerReferences = [owner.controllerReference]
        revision["data"] = data
        revision["revision"] = JSONValue(next)
        update = revision
        change = .create(revision)
    }

    static func number(_ revision: KubeObject) -> Int { revision["revision"].int ?? 0 }

    /// The part of the owner that a revision keeps, as a strategic merge patch.
    static func data(of template: JSONValue) -> JSONValue {
        var template = template
        template["$patch"] = "replace"
        return ["spec": ["template": template]]
    }

    static func areEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        TemplateHash.areEqual(left["spec"]["template"], right["spec"]["template"])
    }

    /// The template that a revision keeps.
    static func template(of revision: KubeObject) -> JSONValue {
        var template = revision["data"]["spec"]["template"]
        template["$patch"] = .null
        return template
    }

    /// Old revisions past the limit that are not in use, oldest first.
    func expired(limit: Int, inUse: Set<String>) -> [KubeObject] {
        let unused = revisions.filter { !inUse.contains($0.name) && $0.name != update.name }
        return Array(unused.prefix(max(0, unused.count - limit)))
    }
}

// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let namespaces: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { object throws(StatusError) in
            object.status = ["phase": "Active"]
            var finalizers = object.spec["finalizers"].elements.filter { $0 != "kubernetes" }
            finalizers.insert("kubernetes", at: 0)
            object.spec["finalizers"] = .array(finalizers)
            object.labels["kubernetes.io/metadata.name"] = object.name
        }
        strategy.prepareUpdate = { object, old throws(StatusError) in
            // Only the finalize subresource changes finalizers.
            object.spec["finalizers"] = old.spec["finalizers"]
            object.labels["kubernetes.io/metadata.name"] = object.name
        }
        return ResourceDeclaration(
            .namespaces, shortNames: ["ns"], hasStatus: true,
            subresources: [Subresource("finalize", kind: "Namespace", verbs: ["update"])],
            columns: CoreColumns.namespace,
            selectableFields: [SelectableField("status.phase", default: "Active")], strategy: strategy)
    }()

    static let nodes = ResourceDeclaration(
        .nodes, shortNames: ["no"], hasStatus: true, keepsInitialStatus: true,
        subresources: [.proxy("NodeProxyOptions")], columns: CoreColumns.node,
        selectableFields: [SelectableField("spec.unschedulable", default: "false")])

    static let pods: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { pod throws(StatusError) in
            pod.status = ["phase": "Pending", "qosClass": .string(PodRules.qosClass(pod.spec))]
            // What a node runs of its own accord has no account.
            if !ServiceAccountRules.isMirror(pod) {
                if pod.spec["serviceAccountName"].string ?? "" == "" { pod.spec["serviceAccountName"] = "default" }
                pod.spec["serviceAccount"] = pod.spec["serviceAccountName"]
            }
            PodRules.tolerateNodeFailures(&pod.spec)
        }
        strategy.gracePeriod = { pod, requested in
            let phase = pod.status["phase"].string
            if pod.spec["nodeName"].string ?? "" == "" || phase == "Succeeded" || phase == "Failed" { return 0 }
            let grace = requested ?? pod.spec["terminationGracePeriodSeconds"].int ?? 30
            return grace < 0 ? 1 : grace
        }
        strategy.prepareStatusUpdate = { pod, old in
            if pod.status["qosClass"].isNull { pod.status["qosClass"] = old.status["qosClass"] }
        }
        return ResourceDeclaration(
            .pods, shortNames: ["po"], categories: ["all"], hasStatus: true,
            subresources: [
                Subresource("binding", kind: "Binding", verbs: ["create"]),
                Subresource("eviction", kind: "Eviction", group: "policy", version: "v1", verbs: ["create"]),
                Subresource("log", kind: "Pod", verbs: ["get"]), .proxy("PodProxyOptions"),
            ],
            hasGeneration: true, returnsDeletedObject: true, columns: PodColumns.all,
            selectableFields: [
                SelectableField("spec.nodeName"), SelectableField("status.phase"),
                SelectableField("spec.restartPolicy"), SelectableField("spec.schedulerName"),
                SelectableField("spec.serviceAccountName"), SelectableField("spec.hostNetwork", default: "false"),
                SelectableField("status.podIP"), SelectableField("status.nominatedNodeName"),
            ],
            strategy: strategy)
    }()

    static let configMaps = ResourceDeclaration(
        .configMaps, shortNames: ["cm"], columns: CoreColumns.configMap)

    static let secrets: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareUpdate = { object, old throws(StatusError) in
            if object["type"].string ?? "" == "" { object["type"] = old["type"] }
        }
        return ResourceDeclaration(
            .secrets, columns: CoreColumns.secret, selectableFields: [SelectableField("type")], strategy: strategy)
    }()

    static let serviceAccounts = ResourceDeclaration(
        .serviceAccounts, shortNames: ["sa"],
        subresources: [
            Subresource(
                "token", kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: ["create"])
        ],
        returnsDeletedObject: true, columns: CoreColumns.serviceAccount)

    static let leases = ResourceDeclaration(
        .leases, allowsCreateOnUpdate: true, allowsUnconditionalUpdate: false, columns: CoreColumns.lease)
}

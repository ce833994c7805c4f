// SPDX-License-Identifier: Apache-2.0

extension DefaultAccess {
    /// What everything that tells of its work may do.
    static let events = "create,patch,update core,events.k8s.io events"

    private static let review = [
        "create authentication.k8s.io tokenreviews", "create authorization.k8s.io subjectaccessreviews",
    ]

    private static func approver(_ signer: String, _ role: String) -> Role {
        Role("system:certificates.k8s.io:\(role)-approver", ["approve certificates.k8s.io signers \(signer)"])
    }

    /// The roles of people and of components that are no controllers.
    static let roles: [Role] = [
        Role("cluster-admin", ["* * *", "* *"]),
        Role("admin", gathers: "admin"),
        Role("edit", gatheredBy: "admin", gathers: "edit"),
        Role("view", gatheredBy: "edit", gathers: "view"),
        Role(
            "system:aggregate-to-admin", gatheredBy: "admin",
            [
                "create authorization.k8s.io localsubjectaccessreviews",
                "all rbac.authorization.k8s.io rolebindings,roles",
            ]),
        Role(
            "system:aggregate-to-edit", gatheredBy: "edit",
            [
                "read core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy",
                "impersonate core serviceaccounts",
                "write core pods,pods/attach,pods/exec,pods/portforward,pods/proxy",
                "create core pods/eviction",
                "write core configmaps,events,persistentvolumeclaims,replicationcontrollers,"
                    + "replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy",
                "create core serviceaccounts/token",
                "write apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,"
                    + "replicasets/scale,statefulsets,statefulsets/scale",
                "write autoscaling horizontalpodautoscalers",
                "write batch cronjobs,jobs",
                "write extensions daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,"
                    + "networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale",
                "write policy poddisruptionbudgets",
                "write networking.k8s.io ingresses,networkpolicies",
                "all coordination.k8s.io leases",
                "write resource.k8s.io resourceclaims,resourceclaimtemplates",
            ]),
        Role(
            "system:aggregate-to-view", gatheredBy: "view",
            [
                "read core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,"
                    + "replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status",
                "read core bindings,events,limitranges,namespaces/status,pods/log,pods/status,"
                    + "replicationcontrollers/status,resourcequotas,resourcequotas/status",
                "read core namespaces",
                "read discovery.k8s.io endpointslices",
                "read apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,"
                    + "deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,"
                    + "statefulsets/scale,statefulsets/status",
                "read autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status",
                "read batch cronjobs,cronjobs/status,jobs,jobs/status",
                "read extensions daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,"
                    + "ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,"
                    + "replicationcontrollers/scale",
                "read policy poddisruptionbudgets,poddisruptionbudgets/status",
                "read networking.k8s.io ingresses,ingresses/status,networkpolicies",
                "read resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates",
            ]),
        Role("system:aggregated-metrics-reader", gatheredBy: "view", ["read metrics.k8s.io nodes,pods"]),
        Role("system:auth-delegator", review),
        Role(
            "system:basic-user",
            [
                "create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews",
                "create authentication.k8s.io selfsubjectreviews",
            ]),
        Role(
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            ["create certificates.k8s.io certificatesigningrequests/nodeclient"]),
        Role(
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            ["create certificates.k8s.io certificatesigningrequests/selfnodeclient"]),
        approver("kubernetes.io/kube-apiserver-client", "kube-apiserver-client"),
        approver("kubernetes.io/kube-apiserver-client-kubelet", "kube-apiserver-client-kubelet"),
        approver("kubernetes.io/kubelet-serving", "kubelet-serving"),
        approver("kubernetes.io/legacy-unknown", "legacy-unknown"),
        Role(
            "system:discovery",
            ["get /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/"]),
        Role("system:public-info-viewer", ["get /healthz,/livez,/readyz,/version,/version/"]),
        Role(
            "system:monitoring",
            ["get /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*"]),
        Role(
            "system:service-account-issuer-discovery",
            ["get /.well-known/openid-configuration,/openid/v1/jwks"]),
        Role(
            "system:heapster", ["read core events,namespaces,nodes,pods", "read extensions deployments"]),
        Role("system:kube-aggregator", ["read core endpoints,services"]),
        Role("system:kube-dns", ["list,watch core endpoints,services"]),
        Role(
            "system:kube-controller-manager",
            [
                events, "create coordination.k8s.io leases",
                "get,update coordination.k8s.io leases kube-controller-manager", "create core secrets,serviceaccounts",
                "delete core secrets", "get core configmaps,namespaces,secrets,serviceaccounts",
                "update core secrets,serviceaccounts",
            ] + review + ["list,watch * *", "create core serviceaccounts/token"]),
        Role(
            "system:kube-scheduler",
            [
                events, "create coordination.k8s.io leases",
                "get,update coordination.k8s.io leases kube-scheduler", "read core nodes",
                "delete,get,list,watch core pods", "create core bindings,pods/binding",
                "patch,update core pods/status", "read core replicationcontrollers,services",
                "read apps,extensions replicasets", "read apps statefulsets", "read policy poddisruptionbudgets",
                "read core persistentvolumeclaims,persistentvolumes",
            ] + review + [
                "read storage.k8s.io csinodes", "read core namespaces", "read storage.k8s.io csidrivers",
                "read storage.k8s.io csistoragecapacities", "read resource.k8s.io deviceclasses,resourceslices",
                "get,list,watch,patch,update resource.k8s.io resourceclaims",
                "patch,update resource.k8s.io resourceclaims/status",
            ]),
        Role(
            "system:volume-scheduler",
            [
                "get,list,patch,update,watch core persistentvolumes", "read storage.k8s.io storageclasses",
                "get,list,patch,update,watch core persistentvolumeclaims",
            ]),
        Role(
            "system:kubelet-api-admin",
            [
                "read core nodes", "proxy core nodes",
                "* core nodes/log,nodes/metrics,nodes/proxy,nodes/stats",
            ]),
        Role("system:node", nodeLines),
        Role("system:node-bootstrapper", ["create,get,list,watch certificates.k8s.io certificatesigningrequests"]),
        Role("system:node-problem-detector", ["get core nodes", "patch core nodes/status", events]),
        Role(
            "system:node-proxier",
            [
                "list,watch core endpoints,services", "read core nodes", events,
                "list,watch discovery.k8s.io endpointslices", "list,watch networking.k8s.io servicecidrs",
            ]),
        Role(
            "system:persistent-volume-provisioner",
            [
                "create,delete,get,list,watch core persistentvolumes",
                "get,list,update,watch core persistentvolumeclaims", "read storage.k8s.io storageclasses",
                "watch core events", events,
            ]),
    ]

    /// What every node may do.
    package static var nodeRules: [PolicyRule] { nodeLines.map(rule) }

    private static let nodeLines = [
        "create authentication.k8s.io tokenreviews",
        "create authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews",
        "read core services", "create,get,list,watch core nodes", "patch,update core nodes/status",
        "patch,update core nodes", "create,patch,update core events", "read core pods", "create,delete core pods",
        "patch,update core pods/status", "create core pods/eviction", "read core configmaps,secrets",
        "get core persistentvolumeclaims,persistentvolumes", "get core endpoints",
        "create,get,list,watch certificates.k8s.io certificatesigningrequests",
        "create,delete,get,patch,update coordination.k8s.io leases", "get storage.k8s.io volumeattachments",
        "create core serviceaccounts/token", "get,patch,update core persistentvolumeclaims/status",
        "read storage.k8s.io csidrivers", "create,delete,get,patch,update storage.k8s.io csinodes",
        "read node.k8s.io runtimeclasses", "get resource.k8s.io resourceclaims",
        "deletecollection,get,list,create,update,patch,delete,watch resource.k8s.io resourceslices",
    ]
}

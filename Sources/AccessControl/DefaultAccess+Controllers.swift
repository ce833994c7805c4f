// SPDX-License-Identifier: Apache-2.0

extension DefaultAccess {
    /// The names of controllers that have a role and an account of their own.
    package static let controllerNames = Set(controllers.map(\.name))

    /// What the account of each controller may do, besides telling of events.
    ///
    /// Where a controller of Apus writes otherwise than upstream's (patches where that one updates), both may be done.
    static let controllers: [(name: String, lines: [String])] = [
        (
            "attachdetach-controller",
            [
                "list,watch core persistentvolumeclaims,persistentvolumes", "read core nodes",
                "patch,update core nodes/status", "list,watch core pods",
                "create,delete,get,list,watch storage.k8s.io volumeattachments", "read storage.k8s.io csidrivers",
                "read storage.k8s.io csinodes",
            ]
        ),
        (
            "certificate-controller",
            [
                "delete,get,list,watch certificates.k8s.io certificatesigningrequests",
                "update certificates.k8s.io certificatesigningrequests/approval,certificatesigningrequests/status",
                "approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client-kubelet",
                "sign certificates.k8s.io signers kubernetes.io/kube-apiserver-client,"
                    + "kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,"
                    + "kubernetes.io/legacy-unknown", "create authorization.k8s.io subjectaccessreviews",
            ]
        ),
        (
            "clusterrole-aggregation-controller",
            ["escalate,get,list,patch,update,watch rbac.authorization.k8s.io clusterroles"]
        ),
        (
            "cronjob-controller",
            [
                "get,list,patch,update,watch batch cronjobs", "create,delete,get,list,patch,update,watch batch jobs",
                "patch,update batch cronjobs/status", "update batch cronjobs/finalizers",
                "delete,get,list,watch core pods",
            ]
        ),
        (
            "daemon-set-controller",
            [
                "get,list,patch,update,watch apps,extensions daemonsets",
                "patch,update apps,extensions daemonsets/status",
                "update apps,extensions daemonsets/finalizers", "list,watch core nodes",
                "create,delete,get,list,patch,watch core pods", "create core pods/binding",
                "create,delete,get,list,patch,update,watch apps controllerrevisions",
            ]
        ),
        (
            "deployment-controller",
            [
                "get,list,patch,update,watch apps,extensions deployments",
                "patch,update apps,extensions deployments/status",
                "update apps,extensions deployments/finalizers",
                "create,delete,get,list,patch,update,watch apps,extensions replicasets",
                "get,list,update,watch core pods",
            ]
        ),
        (
            "disruption-controller",
            [
                "read apps,extensions deployments", "read apps,extensions replicasets",
                "read core replicationcontrollers", "read policy poddisruptionbudgets", "read apps statefulsets",
                "patch,update policy poddisruptionbudgets/status", "patch,update core pods/status",
                "read core pods", "get * */scale",
            ]
        ),
        (
            "endpoint-controller",
            [
                "read core pods,services", "create,delete,get,list,update,watch core endpoints",
                "create core endpoints/restricted",
            ]
        ),
        (
            "endpointslice-controller",
            [
                "read core nodes,pods,services", "update core services/finalizers",
                "create,delete,get,list,update,watch discovery.k8s.io endpointslices",
                // One controller of Apus writes both kinds.
                "create,delete,get,list,update,watch core endpoints", "create core endpoints/restricted",
            ]
        ),
        (
            "endpointslicemirroring-controller",
            [
                "read core endpoints,services", "update core services/finalizers", "update core endpoints/finalizers",
                "create,delete,get,list,update,watch discovery.k8s.io endpointslices",
            ]
        ),
        (
            "ephemeral-volume-controller",
            [
                "read core pods", "update core pods/finalizers", "create,get,list,watch core persistentvolumeclaims",
            ]
        ),
        (
            "expand-controller",
            [
                "get,list,patch,update,watch core persistentvolumes",
                "patch,update core persistentvolumeclaims/status", "read core persistentvolumeclaims",
            ]
        ),
        ("generic-garbage-collector", ["delete,get,list,patch,update,watch * *"]),
        (
            "horizontal-pod-autoscaler",
            [
                "read autoscaling horizontalpodautoscalers",
                "patch,update autoscaling horizontalpodautoscalers/status", "get,patch,update * */scale",
                "list,watch core pods", "list,watch metrics.k8s.io pods", "read custom.metrics.k8s.io *",
                "read external.metrics.k8s.io *",
            ]
        ),
        (
            "job-controller",
            [
                "delete,get,list,patch,update,watch batch jobs", "patch,update batch jobs/status",
                "update batch jobs/finalizers", "create,delete,get,list,patch,watch core pods",
                "patch,update core pods/status",
            ]
        ),
        // No controller of upstream: what its local-path provisioners do elsewhere.
        (
            "local-path-provisioner",
            [
                "create,delete,get,list,patch,update,watch core persistentvolumes",
                "get,list,patch,update,watch core persistentvolumeclaims",
                "patch,update core persistentvolumeclaims/status", "read storage.k8s.io storageclasses",
                "read core nodes",
            ]
        ),
        (
            "namespace-controller",
            [
                "delete,get,list,watch core namespaces", "update core namespaces/finalize,namespaces/status",
                "delete,deletecollection,get,list,watch * *",
            ]
        ),
        (
            "node-controller",
            [
                "delete,get,list,patch,update,watch core nodes", "patch,update core nodes/status",
                "patch,update core pods/status", "delete,get,list,watch core pods", "read coordination.k8s.io leases",
            ]
        ),
        (
            "persistent-volume-binder",
            [
                "create,delete,get,list,patch,update,watch core persistentvolumes",
                "patch,update core persistentvolumes/status",
                "get,list,patch,update,watch core persistentvolumeclaims",
                "patch,update core persistentvolumeclaims/status", "create,delete,get,list,watch core pods",
                "read storage.k8s.io storageclasses", "list,watch core nodes", "watch core events",
            ]
        ),
        (
            "pod-garbage-collector",
            ["delete,get,list,watch core pods", "read core nodes", "patch,update core pods/status"]
        ),
        ("pv-protection-controller", ["get,list,patch,update,watch core persistentvolumes"]),
        (
            "pvc-protection-controller",
            [
                "get,list,patch,update,watch core persistentvolumeclaims",
                "update core persistentvolumeclaims/status", "read core pods",
            ]
        ),
        (
            "replicaset-controller",
            [
                "get,list,patch,update,watch apps,extensions replicasets",
                "patch,update apps,extensions replicasets/status", "update apps,extensions replicasets/finalizers",
                "create,delete,get,list,patch,watch core pods",
            ]
        ),
        (
            "replication-controller",
            [
                "get,list,patch,update,watch core replicationcontrollers",
                "patch,update core replicationcontrollers/status", "update core replicationcontrollers/finalizers",
                "create,delete,get,list,patch,watch core pods",
            ]
        ),
        (
            "resource-claim-controller",
            [
                "read core pods", "update core pods/finalizers",
                "create,delete,get,list,watch resource.k8s.io resourceclaims",
                "patch,update resource.k8s.io resourceclaims,resourceclaims/status", "patch,update core pods/status",
            ]
        ),
        (
            "resourcequota-controller",
            ["get,list,watch * *", "patch,update core resourcequotas/status"]
        ),
        ("root-ca-cert-publisher", ["create,get,update core configmaps"]),
        ("route-controller", ["list,watch core nodes", "patch core nodes/status"]),
        (
            "service-account-controller",
            // Publishes the certificates of the cluster, too.
            ["create core serviceaccounts", "create,get,update core configmaps"]
        ),
        (
            "service-cidrs-controller",
            [
                "get,list,patch,update,watch networking.k8s.io servicecidrs",
                "patch,update networking.k8s.io servicecidrs/finalizers",
                "patch,update networking.k8s.io servicecidrs/status", "read networking.k8s.io ipaddresses",
            ]
        ),
        (
            "service-controller",
            ["read core services", "patch,update core services/status", "list,watch core nodes"]
        ),
        (
            "statefulset-controller",
            [
                "create,delete,get,list,patch,update,watch core pods", "get,list,patch,update,watch apps statefulsets",
                "patch,update apps statefulsets/status", "update apps statefulsets/finalizers",
                "create,delete,get,list,patch,update,watch apps controllerrevisions",
                "create,delete,get,list,patch,update,watch core persistentvolumeclaims",
                "update core pods/finalizers",
            ]
        ),
        ("ttl-after-finished-controller", ["delete,get,list,watch batch jobs"]),
        ("ttl-controller", ["list,patch,update,watch core nodes"]),
        (
            "validatingadmissionpolicy-status-controller",
            [
                "read admissionregistration.k8s.io validatingadmissionpolicies",
                "get,patch,update admissionregistration.k8s.io validatingadmissionpolicies/status",
            ]
        ),
    ]
}

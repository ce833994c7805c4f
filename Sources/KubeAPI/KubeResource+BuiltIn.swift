// SPDX-License-Identifier: Apache-2.0

extension KubeResource {
    package static let persistentVolumes = KubeResource(
        group: "", version: "v1", plural: "persistentvolumes", kind: "PersistentVolume",
        isNamespaced: false)
    package static let podTemplates = KubeResource(
        group: "", version: "v1", plural: "podtemplates", kind: "PodTemplate")
    package static let replicationControllers = KubeResource(
        group: "", version: "v1", plural: "replicationcontrollers", kind: "ReplicationController")
    package static let resourceQuotas = KubeResource(
        group: "", version: "v1", plural: "resourcequotas", kind: "ResourceQuota")
    package static let limitRanges = KubeResource(group: "", version: "v1", plural: "limitranges", kind: "LimitRange")
    package static let statefulSets = KubeResource(
        group: "apps", version: "v1", plural: "statefulsets", kind: "StatefulSet")
    package static let daemonSets = KubeResource(group: "apps", version: "v1", plural: "daemonsets", kind: "DaemonSet")
    package static let controllerRevisions = KubeResource(
        group: "apps", version: "v1", plural: "controllerrevisions", kind: "ControllerRevision")
    package static let cronJobs = KubeResource(group: "batch", version: "v1", plural: "cronjobs", kind: "CronJob")
    package static let horizontalPodAutoscalers = KubeResource(
        group: "autoscaling", version: "v2", plural: "horizontalpodautoscalers", kind: "HorizontalPodAutoscaler")
    package static let podDisruptionBudgets = KubeResource(
        group: "policy", version: "v1", plural: "poddisruptionbudgets", kind: "PodDisruptionBudget")
    package static let roles = KubeResource(
        group: "rbac.authorization.k8s.io", version: "v1", plural: "roles", kind: "Role")
    package static let roleBindings = KubeResource(
        group: "rbac.authorization.k8s.io", version: "v1", plural: "rolebindings", kind: "RoleBinding")
    package static let clusterRoles = KubeResource(
        group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterroles", kind: "ClusterRole",
        isNamespaced: false)
    package static let clusterRoleBindings = KubeResource(
        group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterrolebindings", kind: "ClusterRoleBinding",
        isNamespaced: false)
    package static let storageClasses = KubeResource(
        group: "storage.k8s.io", version: "v1", plural: "storageclasses", kind: "StorageClass",
        isNamespaced: false)
    package static let csiDrivers = KubeResource(
        group: "storage.k8s.io", version: "v1", plural: "csidrivers", kind: "CSIDriver",
        isNamespaced: false)
    package static let csiNodes = KubeResource(
        group: "storage.k8s.io", version: "v1", plural: "csinodes", kind: "CSINode",
        isNamespaced: false)
    package static let csiStorageCapacities = KubeResource(
        group: "storage.k8s.io", version: "v1", plural: "csistoragecapacities", kind: "CSIStorageCapacity")
    package static let volumeAttachments = KubeResource(
        group: "storage.k8s.io", version: "v1", plural: "volumeattachments", kind: "VolumeAttachment",
        isNamespaced: false)
    package static let volumeAttributesClasses = KubeResource(
        group: "storage.k8s.io", version: "v1", plural: "volumeattributesclasses", kind: "VolumeAttributesClass",
        isNamespaced: false)
    package static let priorityClasses = KubeResource(
        group: "scheduling.k8s.io", version: "v1", plural: "priorityclasses", kind: "PriorityClass",
        isNamespaced: false)
    package static let runtimeClasses = KubeResource(
        group: "node.k8s.io", version: "v1", plural: "runtimeclasses", kind: "RuntimeClass",
        isNamespaced: false)
    package static let ingresses = KubeResource(
        group: "networking.k8s.io", version: "v1", plural: "ingresses", kind: "Ingress")
    package static let ingressClasses = KubeResource(
        group: "networking.k8s.io", version: "v1", plural: "ingressclasses", kind: "IngressClass",
        isNamespaced: false)
    package static let networkPolicies = KubeResource(
        group: "networking.k8s.io", version: "v1", plural: "networkpolicies", kind: "NetworkPolicy")
    package static let ipAddresses = KubeResource(
        group: "networking.k8s.io", version: "v1", plural: "ipaddresses", kind: "IPAddress",
        isNamespaced: false)
    package static let serviceCIDRs = KubeResource(
        group: "networking.k8s.io", version: "v1", plural: "servicecidrs", kind: "ServiceCIDR",
        isNamespaced: false)
    package static let certificateSigningRequests = KubeResource(
        group: "certificates.k8s.io", version: "v1", plural: "certificatesigningrequests",
        kind: "CertificateSigningRequest",
        isNamespaced: false)
    package static let deviceClasses = KubeResource(
        group: "resource.k8s.io", version: "v1", plural: "deviceclasses", kind: "DeviceClass",
        isNamespaced: false)
    package static let resourceClaims = KubeResource(
        group: "resource.k8s.io", version: "v1", plural: "resourceclaims", kind: "ResourceClaim")
    package static let resourceClaimTemplates = KubeResource(
        group: "resource.k8s.io", version: "v1", plural: "resourceclaimtemplates", kind: "ResourceClaimTemplate")
    package static let resourceSlices = KubeResource(
        group: "resource.k8s.io", version: "v1", plural: "resourceslices", kind: "ResourceSlice",
        isNamespaced: false)
    package static let validatingAdmissionPolicies = KubeResource(
        group: "admissionregistration.k8s.io", version: "v1", plural: "validatingadmissionpolicies",
        kind: "ValidatingAdmissionPolicy",
        isNamespaced: false)
    package static let validatingAdmissionPolicyBindings = KubeResource(
        group: "admissionregistration.k8s.io", version: "v1", plural: "validatingadmissionpolicybindings",
        kind: "ValidatingAdmissionPolicyBinding",
        isNamespaced: false)
    package static let mutatingAdmissionPolicies = KubeResource(
        group: "admissionregistration.k8s.io", version: "v1", plural: "mutatingadmissionpolicies",
        kind: "MutatingAdmissionPolicy",
        isNamespaced: false)
    package static let mutatingAdmissionPolicyBindings = KubeResource(
        group: "admissionregistration.k8s.io", version: "v1", plural: "mutatingadmissionpolicybindings",
        kind: "MutatingAdmissionPolicyBinding",
        isNamespaced: false)
    package static let customResourceDefinitions = KubeResource(
        group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
        isNamespaced: false)
}

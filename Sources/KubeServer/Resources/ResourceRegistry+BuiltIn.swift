// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceRegistry {
    /// The built-in kinds.
    static func builtIn(services: ServiceAllocator) -> ResourceRegistry {
        ResourceRegistry(
            [
                .configMaps, .endpoints, .events, .namespaces, .nodes, .persistentVolumeClaims, .pods, .secrets,
                .serviceAccounts, .services(services), .deployments, .replicaSets, .jobs, .endpointSlices, .leases,
                .eventsInGroup, .persistentVolumes, .podTemplates, .replicationControllers, .resourceQuotas,
                .limitRanges,
                .statefulSets, .daemonSets, .controllerRevisions, .cronJobs, .horizontalPodAutoscalers,
                .horizontalPodAutoscalersV1,
                .podDisruptionBudgets, .roles, .roleBindings, .clusterRoles, .clusterRoleBindings, .storageClasses,
                .csiDrivers, .csiNodes, .csiStorageCapacities, .volumeAttachments, .volumeAttributesClasses,
                .priorityClasses, .runtimeClasses, .ingresses, .ingressClasses, .networkPolicies, .ipAddresses,
                .serviceCIDRs, .certificateSigningRequests, .deviceClasses, .resourceClaims, .resourceClaimTemplates,
                .resourceSlices, .validatingAdmissionPolicies, .validatingAdmissionPolicyBindings,
                .mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings, .customResourceDefinitions,
            ],
            reviews: [.selfSubject, .token, .selfAccess, .selfRules, .access, .localAccess])
    }
}

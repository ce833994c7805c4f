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
                .podDisruptionBudgets, .roles, .roleBindings, .clusterRoles, .clusterRoleBindings, .storageClasses,
                .csiDrivers, .csiNodes, .csiStorageCapacities, .volumeAttachments, .volumeAttributesClasses,
                .priorityClasses, .runtimeClasses, .ingresses, .ingressClasses, .networkPolicies, .ipAddresses,
                .serviceCIDRs, .certificateSigningRequests, .deviceClasses, .resourceClaims, .resourceClaimTemplates,
                .resourceSlices, .validatingAdmissionPolicies, .validatingAdmissionPolicyBindings,
                .mutatingAdmissionPolicies, .mutatingAdmissionPolicyBindings, .customResourceDefinitions,
            ],
            reviews: [.selfSubject, .token, .selfAccess])
    }
}

extension ResourceRegistry.Review {
    /// Who am I (`kubectl auth whoami`).
    static let selfSubject = ResourceRegistry.Review(
        resource: KubeResource(
            group: "authentication.k8s.io", version: "v1", plural: "selfsubjectreviews", kind: "SelfSubjectReview",
            isNamespaced: false),
        singular: "selfsubjectreview"
    ) { review, user, _ throws(StatusError) in
        var review = review
        review.status = ["userInfo": userInfo(user)]
        return review
    }

    /// Whose token is this: what a service asks to authenticate its own clients.
    ///
    /// Source: Kubernetes API reference, TokenReview v1 authentication.k8s.io.
    static let token = ResourceRegistry.Review(
        resource: KubeResource(
            group: "authentication.k8s.io", version: "v1", plural: "tokenreviews", kind: "TokenReview",
            isNamespaced: false),
        singular: "tokenreview"
    ) { review, _, server throws(StatusError) in
        guard let token = review.spec["token"].string, !token.isEmpty else {
            throw .badRequest("token is required for TokenReview in authentication")
        }
        var review = review
        let wanted = review.spec["audiences"].elements
        let audience = JSONValue.string(server.configuration.issuer)
        guard wanted.isEmpty || wanted.contains(audience), let user = await server.user(ofToken: token) else {
            review.status = ["user": .object([:]), "error": "[invalid bearer token]"]
            return review
        }
        review.status = ["authenticated": true, "user": userInfo(user), "audiences": [audience]]
        return review
    }

    private static func userInfo(_ user: UserInfo) -> JSONValue {
        [
            "username": .string(user.name), "uid": user.uid.isEmpty ? nil : .string(user.uid),
            "groups": JSONValue(user.groups),
        ]
    }

    /// May I (`kubectl auth can-i`).
    static let selfAccess = ResourceRegistry.Review(
        resource: KubeResource(
            group: "authorization.k8s.io", version: "v1", plural: "selfsubjectaccessreviews",
            kind: "SelfSubjectAccessReview", isNamespaced: false),
        singular: "selfsubjectaccessreview"
    ) { review, user, server throws(StatusError) in
        let asked = review.spec["resourceAttributes"]
        let path = review.spec["nonResourceAttributes"]
        var attributes = AccessAttributes(user: user, verb: asked["verb"].string ?? path["verb"].string ?? "")
        attributes.group = asked["group"].string ?? ""
        attributes.resource = asked["resource"].string ?? ""
        attributes.subresource = asked["subresource"].string ?? ""
        attributes.namespace = asked["namespace"].string ?? ""
        attributes.name = asked["name"].string ?? ""
        attributes.path = path["path"].string ?? ""
        let denial = await server.authorizer.denial(attributes)
        var review = review
        review.status = [
            "allowed": .bool(denial == nil),
            "reason": denial.flatMap { $0.isEmpty ? nil : .string($0) } ?? nil,
        ]
        return review
    }
}

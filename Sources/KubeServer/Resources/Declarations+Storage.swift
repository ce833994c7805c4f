// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension ResourceDeclaration {
    static let persistentVolumes: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { volume throws(StatusError) in
            volume.status = ["phase": "Pending", "lastPhaseTransitionTime": .string(Timestamp.now().rfc3339)]
            StorageRules.protect(&volume, VolumeAnnotations.volumeProtection)
        }
        strategy.prepareStatusUpdate = { volume, old in
            guard volume.status["phase"] != old.status["phase"] else { return }
            if volume.status["lastPhaseTransitionTime"] == old.status["lastPhaseTransitionTime"] {
                volume.status["lastPhaseTransitionTime"] = .string(Timestamp.now().rfc3339)
            }
        }
        return ResourceDeclaration(
            .persistentVolumes, shortNames: ["pv"], hasStatus: true, returnsDeletedObject: true,
            columns: StorageColumns.persistentVolume, strategy: strategy)
    }()

    static let persistentVolumeClaims: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { claim throws(StatusError) in
            claim.status = ["phase": "Pending"]
            StorageRules.protect(&claim, VolumeAnnotations.claimProtection)
        }
        return ResourceDeclaration(
            .persistentVolumeClaims, shortNames: ["pvc"], hasStatus: true, returnsDeletedObject: true,
            columns: StorageColumns.persistentVolumeClaim, strategy: strategy)
    }()

    static let storageClasses = ResourceDeclaration(
        .storageClasses, shortNames: ["sc"], returnsDeletedObject: true, columns: StorageColumns.storageClass)

    static let csiDrivers: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { driver throws(StatusError) in driver.metadata["generation"] = 1 }
        return ResourceDeclaration(
            .csiDrivers, hasGeneration: true, returnsDeletedObject: true, columns: StorageColumns.csiDriver,
            strategy: strategy)
    }()

    static let csiNodes = ResourceDeclaration(
        .csiNodes, returnsDeletedObject: true, columns: StorageColumns.csiNode)

    static let csiStorageCapacities = ResourceDeclaration(
        .csiStorageCapacities, columns: StorageColumns.csiStorageCapacity)

    static let volumeAttachments: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { attachment throws(StatusError) in attachment.status = ["attached": false] }
        return ResourceDeclaration(
            .volumeAttachments, hasStatus: true, returnsDeletedObject: true,
            columns: StorageColumns.volumeAttachment, strategy: strategy)
    }()

    static let volumeAttributesClasses = ResourceDeclaration(
        .volumeAttributesClasses, shortNames: ["vac"], columns: StorageColumns.volumeAttributesClass)
}

/// What the server does to objects of storage beyond their schema.
enum StorageRules {
    /// Adds the finalizer that keeps an object while it is used.
    static func protect(_ object: inout KubeObject, _ finalizer: String) {
        if !object.finalizers.contains(finalizer) { object.finalizers.append(finalizer) }
    }

    /// Gives claims that name no class the default one, and lets only claims grow whose class allows it.
    ///
    /// Source: Kubernetes "Admission Controllers", DefaultStorageClass and PersistentVolumeClaimResize.
    /// - Parameter store: has the storage classes.
    /// - Returns: the step of admission.
    static func admission(_ store: KubeStore) -> AdmissionPlugin {
        @Sendable func concerns(_ attributes: AdmissionAttributes, _ operation: AdmissionAttributes.Operation) -> Bool {
            attributes.resource == .persistentVolumeClaims && attributes.subresource.isEmpty
                && attributes.operation == operation
        }
        return AdmissionPlugin(
            name: "Storage",
            admit: { claim, attributes throws(StatusError) in
                guard concerns(attributes, .create), VolumeAnnotations.storageClass(of: claim) == nil,
                    let fallback = VolumeAnnotations.defaultClass(of: try classes(store))
                else { return }
                claim.spec["storageClassName"] = .string(fallback.name)
            },
            validate: { claim, attributes throws(StatusError) in
                guard concerns(attributes, .update), let old = attributes.old, grows(claim, old) else { return }
                let name = VolumeAnnotations.storageClass(of: claim) ?? ""
                let allows = try classes(store).contains { $0.name == name && $0["allowVolumeExpansion"].bool == true }
                guard !allows else { return }
                throw .forbidden(
                    .persistentVolumeClaims, claim.name,
                    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
                        + "must support resize")
            })
    }

    private static func classes(_ store: KubeStore) throws(StatusError) -> [KubeObject] {
        do throws(StoreError) {
            return try store.list(resource: KubeResource.storageClasses.qualifiedName).objects.compactMap {
                (try? JSONParser.parse($0.bytes)).map(KubeObject.init)
            }
        } catch {
            throw StatusError(error, .storageClasses, "")
        }
    }

    private static func grows(_ claim: KubeObject, _ old: KubeObject) -> Bool {
        func request(_ object: KubeObject) -> Quantity? {
            object.spec["resources"]["requests"]["storage"].string.flatMap(Quantity.init)
        }
        guard let new = request(claim), let before = request(old) else { return false }
        return before < new
    }
}

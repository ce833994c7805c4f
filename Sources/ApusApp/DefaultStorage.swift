// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient

/// The storage class that claims get which name none.
enum DefaultStorage {
    /// A folder on the node of the first pod that uses the claim; gone with the claim.
    static let storageClass: KubeObject = {
        var storageClass = KubeObject(.storageClasses, name: "local-path")
        storageClass.annotations = [VolumeAnnotations.isDefaultClass: "true"]
        storageClass["provisioner"] = .string(VolumeAnnotations.localPath)
        storageClass["reclaimPolicy"] = "Delete"
        storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
        storageClass["allowVolumeExpansion"] = true
        return storageClass
    }()

    /// Makes the class unless it is there; what somebody changed about it stays.
    static func ensure(_ client: KubeClient) async throws {
        do {
            _ = try await client.create(.storageClasses, storageClass)
        } catch let error as StatusError where error.isAlreadyExists {
            return
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let persistentVolumes = ResourceDeclaration(.persistentVolumes, shortNames: ["pv"], hasStatus: true)
    static let storageClasses = ResourceDeclaration(.storageClasses, shortNames: ["sc"])
    static let csiDrivers = ResourceDeclaration(.csiDrivers)
    static let csiNodes = ResourceDeclaration(.csiNodes)
    static let csiStorageCapacities = ResourceDeclaration(.csiStorageCapacities)
    static let volumeAttachments = ResourceDeclaration(.volumeAttachments, hasStatus: true)
    static let volumeAttributesClasses = ResourceDeclaration(.volumeAttributesClasses, shortNames: ["vac"])
}

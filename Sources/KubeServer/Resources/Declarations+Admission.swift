// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let resourceQuotas = ResourceDeclaration(
        .resourceQuotas, shortNames: ["quota"], hasStatus: true, columns: AdmissionColumns.resourceQuota)
    static let limitRanges = ResourceDeclaration(
        .limitRanges, shortNames: ["limits"], columns: AdmissionColumns.limitRange)
    static let priorityClasses = ResourceDeclaration(
        .priorityClasses, shortNames: ["pc"], columns: AdmissionColumns.priorityClass)
    static let runtimeClasses = ResourceDeclaration(.runtimeClasses, columns: AdmissionColumns.runtimeClass)
}

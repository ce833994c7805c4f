// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let resourceQuotas = ResourceDeclaration(.resourceQuotas, shortNames: ["quota"], hasStatus: true)
    static let limitRanges = ResourceDeclaration(.limitRanges, shortNames: ["limits"])
    static let priorityClasses = ResourceDeclaration(.priorityClasses, shortNames: ["pc"])
    static let runtimeClasses = ResourceDeclaration(.runtimeClasses)
}

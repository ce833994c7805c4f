// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    // autoscaling/v1 follows as a conversion of v2.
    static let horizontalPodAutoscalers = ResourceDeclaration(
        .horizontalPodAutoscalers, shortNames: ["hpa"], categories: ["all"], hasStatus: true)
}

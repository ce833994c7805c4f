// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ArgumentParser
import Foundation
import KubeClient
import ServingAutoscaler
import ServingOperators

/// `apus operate serving`.
struct OperateServingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serving",
        abstract:
            "Serve models as InferenceService, TrainedModel and InferenceGraph objects declare (serving.kserve.io), "
            + "and scale them by their requests.",
        discussion: """
            The kinds come from deploy/serving/crds.yaml and deploy/serving/gateway-api.yaml. In a pod its service account \
            is used; elsewhere a kubeconfig. Requests are counted by the gateways (apus serve gateway), which are found \
            by their Leases. Prints 'ready serving-operator URL' when it works.
            """)

    @Option(help: "The kubeconfig to use. (default: the pod's service account, else as kubectl)")
    var kubeconfig: String?
    @Option(help: "Only objects of this namespace. (default: all)") var namespace: String?
    @Option(
        help: ArgumentHelp(
            "Seconds that a revision keeps its pods when it has lost its traffic. (default: 10)", valueName: "seconds"))
    var revisionGrace: Int?
    @Option(help: "Container image of the routers of graphs. (default: apus:latest)") var image: String?
    @Option(
        help: ArgumentHelp(
            "Admin address of a gateway, http://HOST:PORT; several times. (default: those that renew a Lease)",
            valueName: "url"))
    var gateway: [String] = []
    @OptionGroup var log: LogOptions

    func run() async throws {
        let settings = try Settings()
        let file = settings.value("kubeconfig", kubeconfig).map(absolute)
        let seconds = try settings.integer("revision-grace", revisionGrace) ?? 10
        guard (0...3600).contains(seconds) else {
            throw ValidationError("--revision-grace must be 0 to 3600 seconds, not \(seconds)")
        }
        var serving = ServingOperator.Settings()
        serving.namespace = settings.value("namespace", namespace) ?? ""
        serving.grace = .seconds(seconds)
        serving.image = settings.value("image", image) ?? serving.image
        var scaling = ServingAutoscaler.Configuration()
        scaling.namespace = serving.namespace
        scaling.gateways = gateway
        let logger = try log.logger(settings)
        try await reporting { [serving, scaling] in
            let role = ServingOperatorRole(
                kubeconfig: try .ofOperator(file), settings: serving, autoscaling: scaling, logger: logger)
            try await role.run { address in
                print("ready serving-operator \(address)")
                fflush(nil)
            }
        }
    }
}

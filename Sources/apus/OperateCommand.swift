// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ArgumentParser
import Foundation
import KafkaClient
import KubeClient

/// `apus operate`.
struct OperateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operate", abstract: "Run one operator of custom resources alone in the foreground.",
        subcommands: [OperateEventsCommand.self, OperateObjectsCommand.self, OperateServingCommand.self])
}

/// `apus operate events`.
struct OperateEventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Keep topics and users as KafkaTopic and KafkaUser objects declare (kafka.strimzi.io), in any Kafka.",
        discussion: """
            The kinds come from deploy/events/crds.yaml. In a pod its service account is used; elsewhere a kubeconfig. \
            With --user it logs in, as an administrator of the brokers. Prints 'ready events-operator URL' when it works.
            """)

    @OptionGroup var events: EventsOptions
    @Option(help: "The kubeconfig to use. (default: the pod's service account, else as kubectl)")
    var kubeconfig: String?
    @Option(help: "Only objects whose label strimzi.io/cluster is this. (default: all)") var cluster: String?
    @Option(help: "Only objects of this namespace. (default: all)") var namespace: String?
    @OptionGroup var log: LogOptions

    func run() async throws {
        let settings = try Settings()
        var kafka = try events.configuration()
        kafka.clientID = "apus-operator"
        let logger = try log.logger(settings)
        let file = settings.value("kubeconfig", kubeconfig).map(absolute)
        let cluster = settings.value("cluster", cluster)
        let namespace = settings.value("namespace", namespace) ?? ""
        try await reporting {
            let role = EventOperatorRole(
                kubeconfig: try .ofOperator(file), kafka: kafka, cluster: cluster, namespace: namespace,
                logger: logger)
            try await role.run { address in
                print("ready events-operator \(address)")
                fflush(nil)
            }
        }
    }

}

extension Kubeconfig {
    /// That of a file where one is given, else the pod's own, else as kubectl.
    static func ofOperator(_ file: String?) throws -> Kubeconfig {
        let environment = ProcessInfo.processInfo.environment
        if file == nil, environment["KUBECONFIG"] == nil, environment["KUBERNETES_SERVICE_HOST"] != nil {
            return try Kubeconfig.inPod()
        }
        return try Kubeconfig.load(path: file)
    }
}

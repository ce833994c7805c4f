// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ArgumentParser
import Foundation
import Gateway
import GatewayController
import KubeClient

/// `apus serve gateway`.
struct ServeGatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "A gateway for HTTP, gRPC and WebSockets that goes by the Gateway API.",
        discussion: """
            Its objects (Gateway, HTTPRoute, GRPCRoute, TrafficPolicy, Services, EndpointSlices, Secrets) are those of a \
            Kubernetes API, whose kinds come from deploy/serving/gateway-api.yaml, or of a YAML file, which needs no \
            Kubernetes, and may have Upstream with spec {port, endpoints: [HOST:PORT], http2} in place of Service and \
            EndpointSlice. The file is read again on SIGHUP and when it changes. Prints \
            'ready gateway ADMIN-ADDRESS' when it goes by them; that address has /metrics, /healthz and \
            /apus/v1/activity.
            """)

    @Option(help: "YAML file of its objects, read again when it changes. (default: those of a Kubernetes API)")
    var config: String?
    @Option(help: "The kubeconfig to use. (default: the pod's service account, else as kubectl)")
    var kubeconfig: String?
    @Flag(help: "Use the pod's service account.") var inCluster = false
    @Option(
        help: ArgumentHelp(
            "Address at which listeners of Gateways without spec.addresses are bound. (default: 127.0.0.1)",
            valueName: "address"))
    var address: String?
    @Option(
        help: ArgumentHelp(
            "Address that such Gateways have in their status; several times. (default: that of --address)",
            valueName: "address"))
    var publish: [String] = []
    @Option(
        help: ArgumentHelp(
            "Bind another port than a listener's, LISTENER=BOUND; several times, such as 80=8080.", valueName: "ports"))
    var port: [String] = []
    @Option(help: "Admin address, HOST:PORT; port 0 takes a free one. (default: 127.0.0.1:8081)")
    var adminListen: String?
    @Option(
        help: ArgumentHelp(
            "GatewayClass.spec.controllerName of the classes served. (default: serving.apus.dev/gateway)",
            valueName: "name"))
    var controllerName: String?
    @Option(
        help: ArgumentHelp(
            """
            NAMESPACE/NAME of the Lease by which autoscalers find it. (default: POD_NAMESPACE/POD_NAME of the \
            environment, else kube-system/apus-gateway-HOST-PORT)
            """, valueName: "lease"))
    var lease: String?
    @Flag(help: "Log a line for each request.") var accessLog = false
    @OptionGroup var log: LogOptions

    func run() async throws {
        let settings = try Settings()
        let admin = try hostAndPort(
            "admin-listen", settings.value("admin-listen", adminListen), example: "127.0.0.1:8081", least: 0)
        var gateway = GatewayConfiguration()
        gateway.admin = admin
        gateway.logsAccess = accessLog
        let source: GatewayRole.Source
        if let file = settings.value("config", config).map(absolute) {
            guard kubeconfig == nil, !inCluster else {
                throw ValidationError("--config and a Kubernetes API do not go together: give one of them")
            }
            source = .file(file)
        } else if inCluster {
            source = .kubernetes(try Kubeconfig.inPod())
        } else {
            source = .kubernetes(try .ofOperator(settings.value("kubeconfig", kubeconfig).map(absolute)))
        }
        let controller = try controller(settings)
        let logger = try log.logger(settings)
        try await reporting { [gateway, controller] in
            let role = GatewayRole(source: source, gateway: gateway, controller: controller, logger: logger)
            try await role.run { address in
                print("ready gateway \(address)")
                fflush(nil)
            }
        }
    }

    private func controller(_ settings: Settings) throws -> GatewayController.Configuration {
        var controller = GatewayController.Configuration()
        controller.address = settings.value("address", address) ?? "127.0.0.1"
        controller.published = publish.isEmpty ? [controller.address] : publish
        if let name = settings.value("controller-name", controllerName) { controller.controllerName = name }
        for pair in port {
            let numbers = pair.split(separator: "=").map { Int($0) ?? -1 }
            guard numbers.count == 2, numbers.allSatisfy({ (0...65535).contains($0) }) else {
                throw ValidationError("--port must be LISTENER=BOUND, such as 80=8080, not '\(pair)'")
            }
            controller.ports[numbers[0]] = numbers[1]
        }
        let environment = ProcessInfo.processInfo.environment
        controller.lease = (
            namespace: environment["POD_NAMESPACE"] ?? "kube-system", name: environment["POD_NAME"] ?? "", address: ""
        )
        if let lease = settings.value("lease", lease) {
            let parts = lease.split(separator: "/").map(String.init)
            guard parts.count == 2 else { throw ValidationError("--lease must be NAMESPACE/NAME, not '\(lease)'") }
            controller.lease = (namespace: parts[0], name: parts[1], address: "")
        }
        return controller
    }
}

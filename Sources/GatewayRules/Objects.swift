// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// The objects that a gateway goes by, of an API server or of a file.
package struct GatewayObjects: Sendable {
    package static let group = "gateway.networking.k8s.io"

    package var classes: [KubeObject] = []
    package var gateways: [KubeObject] = []
    /// HTTPRoute and GRPCRoute.
    package var routes: [KubeObject] = []
    package var grants: [KubeObject] = []
    /// TrafficPolicy.
    package var policies: [KubeObject] = []
    /// BackendTLSPolicy.
    package var backendPolicies: [KubeObject] = []
    package var services: [ObjectKey: KubeObject] = [:]
    package var slices: [KubeObject] = []
    package var secrets: [ObjectKey: KubeObject] = [:]
    package var configMaps: [ObjectKey: KubeObject] = [:]
    package var namespaces: [String: KubeObject] = [:]

    package init() {}

    /// Sorts objects by their kind; others are left out. Those of a namespaced kind without a namespace are taken as of
    /// `default`.
    package init(_ objects: [KubeObject]) {
        for object in objects {
            var object = object
            if object.namespace.isEmpty, object.kind != "GatewayClass", object.kind != "Namespace" {
                object.namespace = "default"
            }
            switch object.kind {
            case "GatewayClass": classes.append(object)
            case "Gateway": gateways.append(object)
            case "HTTPRoute", "GRPCRoute": routes.append(object)
            case "ReferenceGrant": grants.append(object)
            case "TrafficPolicy": policies.append(object)
            case "BackendTLSPolicy": backendPolicies.append(object)
            case "Service": services[object.key] = object
            case "EndpointSlice": slices.append(object)
            case "Secret": secrets[object.key] = object
            case "ConfigMap": configMaps[object.key] = object
            case "Namespace": namespaces[object.name] = object
            default: continue
            }
        }
    }
}

/// What ``GatewayTranslator`` made of the objects.
package struct GatewayTranslation: Sendable {
    package var snapshot = GatewaySnapshot()
    /// Of classes, gateways, routes and policies that are this controller's; whole, with what others wrote into them.
    package var statuses: [ObjectStatus] = []

    package struct ObjectStatus: Sendable, Hashable {
        package var apiVersion: String
        package var kind: String
        package var key: ObjectKey
        package var resourceVersion: String
        package var status: JSONValue
        /// Whether it differs from what the object has.
        package var isChanged: Bool

        package init(
            apiVersion: String, kind: String, key: ObjectKey, resourceVersion: String, status: JSONValue,
            isChanged: Bool
        ) {
            self.apiVersion = apiVersion
            self.kind = kind
            self.key = key
            self.resourceVersion = resourceVersion
            self.status = status
            self.isChanged = isChanged
        }
    }
}

/// Why what listens at a port does not do what its rules say.
package struct PortFault: Sendable, Hashable, ExpressibleByStringLiteral {
    package var message: String
    /// Its certificate cannot be used; else the port cannot.
    package var isCertificate: Bool

    package init(_ message: String, isCertificate: Bool = false) {
        self.message = message
        self.isCertificate = isCertificate
    }

    package init(stringLiteral message: String) { self.init(message) }
}

/// Makes a ``GatewaySnapshot`` of Gateway API objects, and says in their statuses what became of them. Pure.
///
/// Source: Gateway API v1 (GatewayClass, Gateway, HTTPRoute, GRPCRoute, ReferenceGrant), GEP-713 for TrafficPolicy.
package struct GatewayTranslator: Sendable {
    /// GatewayClass.spec.controllerName of the classes that are served.
    package var controllerName = "serving.apus.dev/gateway"
    /// Where listeners of gateways without `spec.addresses` are bound.
    package var address = "0.0.0.0"
    /// What such gateways say in `status.addresses`.
    package var published = ["127.0.0.1"]
    /// Other ports to bind than those of the listeners.
    package var ports: [Int: Int] = [:]
    /// Of an API key, for ``TrafficPolicy/Keys``.
    package var digest: @Sendable ([UInt8]) -> [UInt8]
    package var now: Timestamp

    package init(now: Timestamp, digest: @escaping @Sendable ([UInt8]) -> [UInt8]) {
        self.now = now
        self.digest = digest
    }

    /// - Parameters:
    ///   - objects: all of them.
    ///   - faults: why listeners could not be opened, by port as bound; from `GatewayServer.apply`.
    /// - Returns: the snapshot, and the statuses of all objects that are this controller's.
    package func translate(_ objects: GatewayObjects, faults: [Int: PortFault] = [:]) -> GatewayTranslation {
        var work = TranslationWork(self, objects, faults)
        work.run()
        return work.result
    }
}

/// One translation at work; what belongs to a kind is in the files of that name.
struct TranslationWork {
    let settings: GatewayTranslator
    let objects: GatewayObjects
    let faults: [Int: PortFault]
    var result = GatewayTranslation()
    /// Of this controller's gateways, oldest first.
    var gateways: [GatewayWork] = []
    /// By Service.
    var slices: [ObjectKey: [KubeObject]] = [:]
    var policies = PolicyTable()

    init(_ settings: GatewayTranslator, _ objects: GatewayObjects, _ faults: [Int: PortFault]) {
        self.settings = settings
        self.objects = objects
        self.faults = faults
        for slice in objects.slices {
            guard let service = slice.labels["kubernetes.io/service-name"] else { continue }
            slices[ObjectKey(namespace: slice.namespace, name: service), default: []].append(slice)
        }
    }

    mutating func run() {
        readGateways()
        readPolicies()
        for route in objects.routes.sorted(by: Self.isOlder) where !route.isBeingDeleted { attach(route) }
        reportClasses()
        reportGateways()
        reportPolicies()
        reportBackendPolicies()
        collectListeners()
    }

    /// The order in which objects that want the same get it: age, then name.
    static func isOlder(_ left: KubeObject, _ right: KubeObject) -> Bool {
        let moments = (left.creationTimestamp?.seconds ?? 0, right.creationTimestamp?.seconds ?? 0)
        return moments.0 == moments.1 ? left.key < right.key : moments.0 < moments.1
    }

    /// Whether an object may refer to one of another namespace (ReferenceGrant).
    func isGranted(
        from object: KubeObject, toGroup group: String, kind: String, _ target: ObjectKey
    ) -> Bool {
        guard object.namespace != target.namespace else { return true }
        let objectGroup = object.apiVersion.split(separator: "/").first.map(String.init) ?? ""
        return objects.grants.contains { grant in
            grant.namespace == target.namespace
                && grant.spec["from"].elements.contains {
                    $0["group"].string == objectGroup && $0["kind"].string == object.kind
                        && $0["namespace"].string == object.namespace
                }
                && grant.spec["to"].elements.contains {
                    ($0["group"].string ?? "") == group && $0["kind"].string == kind
                        && ($0["name"].string ?? target.name) == target.name
                }
        }
    }

    /// Adds a status; conditions keep the time of their last change where it is the same.
    mutating func report(_ object: KubeObject, _ status: JSONValue) {
        let status = ConditionList.settled(status, old: object.status, now: settings.now)
        result.statuses.append(
            GatewayTranslation.ObjectStatus(
                apiVersion: object.apiVersion, kind: object.kind, key: object.key,
                resourceVersion: object.resourceVersion, status: status, isChanged: status != object.status))
    }
}

/// A few fields, read as the API says.
extension TranslationWork {
    /// `^([0-9]{1,5}(h|m|s|ms)){1,4}$`; nil for other texts.
    static func duration(_ text: String?) -> Duration? {
        guard let text, !text.isEmpty else { return nil }
        var total = Duration.zero
        var rest = text[...]
        for _ in 0..<4 where !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard (1...5).contains(digits.count), let value = Int(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            switch unit {
            case "h": total += .seconds(value * 3600)
            case "m": total += .seconds(value * 60)
            case "s": total += .seconds(value)
            case "ms": total += .milliseconds(value)
            default: return nil
            }
        }
        return rest.isEmpty ? total : nil
    }
}

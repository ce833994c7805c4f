// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// The environment variables that tell of services, `X_SERVICE_HOST` and those of Docker's links.
///
/// Source: Kubernetes "Service / Discovering services / Environment variables".
package enum ServiceVariables {
    /// Variables of all services that have a cluster IP and ports.
    package static func make(_ services: [KubeObject]) -> [String: String] {
        var result: [String: String] = [:]
        for service in services {
            let address = service.spec["clusterIP"].string ?? ""
            let ports = service.spec["ports"].elements
            guard !address.isEmpty, address != "None", let first = ports.first?["port"].int else { continue }
            let prefix = shout(service.name)
            result["\(prefix)_SERVICE_HOST"] = address
            result["\(prefix)_SERVICE_PORT"] = String(first)
            for (index, port) in ports.enumerated() {
                guard let number = port["port"].int else { continue }
                if let name = port["name"].string, !name.isEmpty {
                    result["\(prefix)_SERVICE_PORT_\(shout(name))"] = String(number)
                }
                let scheme = (port["protocol"].string ?? "TCP").lowercased()
                let url = "\(scheme)://\(address):\(number)"
                let link = "\(prefix)_PORT_\(number)_\(scheme.uppercased())"
                if index == 0 { result["\(prefix)_PORT"] = url }
                result[link] = url
                result["\(link)_PROTO"] = scheme
                result["\(link)_PORT"] = String(number)
                result["\(link)_ADDR"] = address
            }
        }
        return result
    }

    private static func shout(_ name: String) -> String {
        String(name.uppercased().map { $0 == "-" ? "_" : $0 })
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import TrackingModel

/// Finds the route of a path: those without `{…}` at once, the others by their parts.
struct RouteTable: Sendable {
    struct Target: Sendable {
        let route: Route
        let message: String
    }

    private struct Pattern: Sendable {
        let parts: [Substring]
        var targets: [HTTPRequest.Method: Target]

        /// What stands for its `{…}`; nil where the path is another.
        func match(_ path: [Substring]) -> [String: String]? {
            var found: [String: String] = [:]
            for (index, part) in parts.enumerated() {
                if part.hasSuffix("...}") {
                    guard index < path.count else { return nil }
                    // As it came: names of files may have a % that is no escape.
                    found[String(part.dropFirst().dropLast(4))] = path[index...].joined(separator: "/")
                    return found
                }
                guard index < path.count else { return nil }
                if part.hasPrefix("{") {
                    guard !path[index].isEmpty, let value = PercentEncoding.decode(String(path[index])) else {
                        return nil
                    }
                    found[String(part.dropFirst().dropLast())] = value
                } else if part != path[index] {
                    return nil
                }
            }
            return parts.count == path.count ? found : nil
        }
    }

    private var exact: [String: [HTTPRequest.Method: Target]] = [:]
    private var patterns: [Pattern] = []

    init(_ routes: [Route]) {
        let declarations = Dictionary(grouping: MessageTable.mlflow.routes, by: \.rpc)
        for route in routes {
            switch route.place {
            case .own(let method, let paths):
                for path in paths { add(path, method, Target(route: route, message: "")) }
            case .rpc:
                let places = declarations[route.name] ?? []
                assert(!places.isEmpty, "\(route.name) is not in MLflow's table")
                for place in places {
                    guard let method = HTTPRequest.Method(rawValue: place.method) else { continue }
                    for prefix in ["/api", "/ajax-api"] {
                        add(
                            "\(prefix)/\(place.version).0\(place.path)", method,
                            Target(route: route, message: place.message))
                    }
                }
            }
        }
    }

    private mutating func add(_ path: String, _ method: HTTPRequest.Method, _ target: Target) {
        guard path.contains("{") else {
            exact[path, default: [:]][method] = target
            return
        }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        if let index = patterns.firstIndex(where: { $0.parts == parts }) {
            patterns[index].targets[method] = target
        } else {
            patterns.append(Pattern(parts: parts, targets: [method: target]))
        }
    }

    /// The route of a request and what stands for its `{…}`; a route for HEAD is that for GET.
    func find(_ method: HTTPRequest.Method, _ path: String) -> (target: Target, parameters: [String: String])? {
        let method = method == .head ? .get : method
        if let target = exact[path]?[method] { return (target, [:]) }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        for pattern in patterns {
            if let target = pattern.targets[method], let parameters = pattern.match(parts) {
                return (target, parameters)
            }
        }
        return nil
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Functions of addresses, networks and URLs.
///
/// Source: Kubernetes documentation, "Common Expression Language in Kubernetes", IP, CIDR and URL libraries.
extension CELFunction {
    static let networks: [CELFunction] = [
        CELFunction("ip", ["string -> ip", ".cidr -> ip"]) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .string(let text): .ip(try CELAddress(parsing: text))
            case .cidr(let network): .ip(network.address)
            default: throw .noSuchOverload
            }
        },
        CELFunction("isIP", ["string -> bool"]) { arguments, _ throws(CELError) in
            .bool((try? CELAddress(parsing: try text(arguments[0]))) != nil)
        },
        CELFunction("ip.isCanonical", ["string -> bool"]) { arguments, _ throws(CELError) in
            let text = try text(arguments[0])
            return .bool(try CELAddress(parsing: text).text == text)
        },
        CELFunction("family", [".ip -> int"]) { arguments, _ throws(CELError) in
            .int(try address(arguments[0]).family)
        },
        property("isUnspecified") { $0.isUnspecified }, property("isLoopback") { $0.isLoopback },
        property("isLinkLocalMulticast") { $0.isLinkLocalMulticast },
        property("isLinkLocalUnicast") { $0.isLinkLocalUnicast },
        property("isGlobalUnicast") { $0.isGlobalUnicast },
        CELFunction("cidr", ["string -> cidr"]) { arguments, _ throws(CELError) in
            .cidr(try CELNetwork(parsing: try text(arguments[0])))
        },
        CELFunction("isCIDR", ["string -> bool"]) { arguments, _ throws(CELError) in
            .bool((try? CELNetwork(parsing: try text(arguments[0]))) != nil)
        },
        CELFunction("containsIP", [".cidr, ip -> bool", ".cidr, string -> bool"]) { arguments, _ throws(CELError) in
            let network = try CELFunction.network(arguments[0])
            if case .string(let text) = arguments[1] { return .bool(network.contains(try CELAddress(parsing: text))) }
            return .bool(network.contains(try address(arguments[1])))
        },
        CELFunction("containsCIDR", [".cidr, cidr -> bool", ".cidr, string -> bool"]) {
            arguments, _ throws(CELError) in
            let network = try CELFunction.network(arguments[0])
            if case .string(let text) = arguments[1] { return .bool(network.contains(try CELNetwork(parsing: text))) }
            return .bool(network.contains(try CELFunction.network(arguments[1])))
        },
        CELFunction("masked", [".cidr -> cidr"]) { arguments, _ throws(CELError) in
            .cidr(try network(arguments[0]).masked)
        },
        CELFunction("prefixLength", [".cidr -> int"]) { arguments, _ throws(CELError) in
            .int(try network(arguments[0]).prefixLength)
        },
        CELFunction("url", ["string -> url"]) { arguments, _ throws(CELError) in
            let text = try text(arguments[0])
            guard let url = CELURL(text) else {
                throw CELError(
                    "URL parse error during conversion from string: parse \(CELText.quote(text)): invalid URI for request"
                )
            }
            return .url(url)
        },
        CELFunction("isURL", ["string -> bool"]) { arguments, _ throws(CELError) in
            .bool(CELURL(try text(arguments[0])) != nil)
        },
        part("getScheme") { $0.scheme }, part("getHost") { $0.host }, part("getHostname") { $0.hostname },
        part("getPort") { $0.port },
        part("getEscapedPath") { $0.escapedPath },
        CELFunction("getQuery", [".url -> map(string, list(string))"]) { arguments, _ throws(CELError) in
            guard case .url(let url) = arguments[0] else { throw .noSuchOverload }
            return .map(CELMap(url.query.mapValues { .list(list($0)) }))
        },
    ]

    private static func text(_ value: CELValue) throws(CELError) -> String {
        guard case .string(let text) = value else { throw .noSuchOverload }
        return text
    }

    private static func address(_ value: CELValue) throws(CELError) -> CELAddress {
        guard case .ip(let address) = value else { throw .noSuchOverload }
        return address
    }

    private static func network(_ value: CELValue) throws(CELError) -> CELNetwork {
        guard case .cidr(let network) = value else { throw .noSuchOverload }
        return network
    }

    private static func property(_ name: String, _ read: @escaping @Sendable (CELAddress) -> Bool) -> CELFunction {
        CELFunction(name, [".ip -> bool"]) { arguments, _ throws(CELError) in
            .bool(read(try address(arguments[0])))
        }
    }

    private static func part(_ name: String, _ read: @escaping @Sendable (CELURL) -> String) -> CELFunction {
        CELFunction(name, [".url -> string"]) { arguments, _ throws(CELError) in
            guard case .url(let url) = arguments[0] else { throw .noSuchOverload }
            return .string(read(url))
        }
    }
}

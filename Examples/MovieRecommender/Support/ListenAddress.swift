// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials

/// A host and a port to listen on.
struct ListenAddress: ExpressibleByArgument, Sendable, CustomStringConvertible {
    var host: String
    var port: Int

    /// `HOST:PORT`, or `:PORT` for the pod's own address (`POD_IP`, else 127.0.0.1). Port 0 takes a free one.
    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = Int(argument[argument.index(after: colon)...]),
            (0...65535).contains(port)
        else { return nil }
        let host = String(argument[..<colon])
        self.host = host.isEmpty ? Self.defaultHost : host
        self.port = port
    }

    /// The pod's own address and `port`.
    init(port: Int) {
        host = Self.defaultHost
        self.port = port
    }

    private static var defaultHost: String {
        let address = ProcessInfo.processInfo.environment["POD_IP"] ?? ""
        return address.isEmpty ? "127.0.0.1" : address
    }

    var description: String { "\(host):\(port)" }
}

/// The base address of another service, such as `http://127.0.0.1:7001`.
struct ServiceURL: ExpressibleByArgument, Sendable, CustomStringConvertible {
    let description: String

    /// This machine's `port`.
    init(localPort port: Int) { description = "http://127.0.0.1:\(port)" }

    init?(argument: String) {
        guard argument.hasPrefix("http://") || argument.hasPrefix("https://"), let url = URL(string: argument),
            let host = url.host(), !host.isEmpty
        else { return nil }
        description = argument.hasSuffix("/") ? String(argument.dropLast()) : argument
    }
}

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

/// Percent-encoding of one query value or path segment (RFC 3986).
enum PercentEncoding {
    /// `text` with all but unreserved characters encoded.
    static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }
}

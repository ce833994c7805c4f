// SPDX-License-Identifier: Apache-2.0
import NIOHPACK

/// What the headers of a call say.
struct GRPCHead {
    /// Why a call is no call of gRPC: an HTTP status.
    struct NoCall: Error { var status: String }

    var method: GRPCMethod?
    var path = ""
    var timeout: Duration?
    /// Nil: not compressed.
    var compression: GRPCCompression?
    /// How the answer may be compressed.
    var answerCompression: GRPCCompression?
    var unknownCompression: String?
    /// Of `Authorization: Bearer TOKEN`.
    var token: String?
    var eventID: String?

    init(_ headers: HPACKHeaders) throws(NoCall) {
        var method: String?
        var type: String?
        var accepted = ""
        for (name, value, _) in headers {
            switch name {
            case ":method": method = value
            case ":path": path = value
            case "content-type": type = value
            case "grpc-timeout": timeout = GRPCTimeout.parse(value)
            case "grpc-encoding":
                compression = GRPCCompression(rawValue: value)
                if compression == nil, value != "identity" { unknownCompression = value }
            case "grpc-accept-encoding": accepted = value
            case "authorization": token = Self.bearer(value)
            case "ce-id": if value.utf8.count <= 256 { eventID = value }
            default: break
            }
        }
        guard method == "POST" else { throw NoCall(status: "405") }
        guard let type,
            type == "application/grpc" || type.hasPrefix("application/grpc+proto")
                || type.hasPrefix("application/grpc;")
        else { throw NoCall(status: "415") }
        self.method = GRPCMethod(path: path)
        // Answered as it was asked.
        if let compression,
            accepted.split(separator: ",").contains(where: {
                $0.trimmingPrefix(while: { $0 == " " }) == compression.rawValue
            })
        {
            answerCompression = compression
        }
    }

    private static func bearer(_ value: String) -> String? {
        let words = value.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
        return String(words[1])
    }
}

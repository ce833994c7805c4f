// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol

/// How a call ended: a code of gRPC (https://grpc.io/docs/guides/status-codes) and a sentence.
package struct GRPCStatus: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Int, Sendable {
        case ok = 0, cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
        case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, `internal`, unavailable
        case dataLoss, unauthenticated
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package init(_ fault: InferenceFault) {
        code =
            switch fault.code {
            case .invalid: .invalidArgument
            case .notFound: .notFound
            case .notReady: .unavailable
            case .tooMany, .tooLarge: .resourceExhausted
            case .deadline: .deadlineExceeded
            case .cancelled: .cancelled
            case .unsupported: .unimplemented
            case .unauthenticated: .unauthenticated
            case .runtime: .internal
            }
        message = fault.description
    }

    package var description: String { "\(code): \(message)" }

    /// Bytes of a message that are sent; headers have limits.
    private static let longestMessage = 4096

    /// The message as the trailer `grpc-message` has it: percent-encoded but for printable ASCII.
    var encodedMessage: String {
        var text = ""
        for byte in message.utf8.prefix(Self.longestMessage) {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}

// SPDX-License-Identifier: Apache-2.0

/// The header `grpc-timeout`: up to eight digits and a unit (PROTOCOL-HTTP2.md of gRPC, "Timeout").
enum GRPCTimeout {
    /// - Returns: nil for a text that is none.
    static func parse(_ text: String) -> Duration? {
        let digits = text.utf8.dropLast()
        guard (1...8).contains(digits.count),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        let number = digits.reduce(Int64(0)) { 10 * $0 + Int64($1 - UInt8(ascii: "0")) }
        switch text.utf8.last {
        case UInt8(ascii: "H"): return .seconds(3600 * number)
        case UInt8(ascii: "M"): return .seconds(60 * number)
        case UInt8(ascii: "S"): return .seconds(number)
        case UInt8(ascii: "m"): return .milliseconds(number)
        case UInt8(ascii: "u"): return .microseconds(number)
        case UInt8(ascii: "n"): return .nanoseconds(number)
        default: return nil
        }
    }
}

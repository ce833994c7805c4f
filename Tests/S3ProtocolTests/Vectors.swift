// SPDX-License-Identifier: Apache-2.0
import S3Protocol

/// The keys, moment and bucket of the examples in S3's API reference.
enum Vectors {
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static let credentials = SigV4.Credentials(accessKey: "AKIAIOSFODNN7EXAMPLE", secret: secret)
    /// 2013-05-24T00:00:00Z
    static let now: Int64 = 1_369_353_600
    static let signer = SigV4.Signer(credentials, region: "us-east-1")
    static let host = "examplebucket.s3.amazonaws.com"

    static func head(
        _ method: String, _ target: String, _ headers: [(name: String, value: String)] = [], host: String = host
    ) -> S3RequestHead {
        S3RequestHead(method: method, target: target, headers: [(name: "host", value: host)] + headers)
    }

    static func signature(_ head: S3RequestHead) -> String {
        (head.headers["authorization"] ?? "").split(separator: "Signature=").last.map { String($0) } ?? ""
    }

    /// A head signed as the signer does.
    static func signed(
        _ method: String, _ target: String, _ headers: [(name: String, value: String)] = [],
        payload: SigV4.PayloadKind = .signed(sha256: Hex.bytes(SigV4.emptyHash) ?? []), host: String = host
    ) -> S3RequestHead {
        var head = head(method, target, headers, host: host)
        signer.sign(&head, payload: payload, now: now)
        return head
    }
}

/// Deterministic random numbers (SplitMix64).
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

// SPDX-License-Identifier: Apache-2.0
import S3Protocol

/// Why an object is not as it declares.
struct Refusal: Error, Equatable, CustomStringConvertible {
    /// The reason of its conditions: one word, S3's where S3 said no.
    let reason: String
    /// What was wrong and what to do.
    let description: String
    /// Whether only another declaration helps (ACK.Terminal), not time (ACK.Recoverable).
    let isTerminal: Bool

    init(_ reason: String, _ description: String, isTerminal: Bool = true) {
        self.reason = reason
        self.description = description
        self.isTerminal = isTerminal
    }

    /// What S3 said to something.
    /// - Parameters:
    ///   - field: of the declaration that it is about; nil for the bucket itself.
    ///   - error: S3's answer.
    init(_ field: String?, _ error: S3Error) {
        let isTerminal =
            switch error.code {
            // Rights, other writers and what is in the bucket may change.
            case .accessDenied, .bucketNotEmpty, .operationAborted, .noSuchBucket, .requestTimeout, .slowDown,
                .connectionFailed, .cancelled, .invalidAccessKeyID, .signatureDoesNotMatch, .requestTimeTooSkewed:
                false
            default: (400..<500).contains(error.status) || error.code == .notImplemented
            }
        self.init(
            error.name.isEmpty ? "S3Error" : error.name, (field.map { "\($0): " } ?? "") + error.message,
            isTerminal: isTerminal)
    }

    /// Several at once.
    init?(_ all: [Refusal]) {
        guard let first = all.first(where: \.isTerminal) ?? all.first else { return nil }
        self.init(first.reason, all.map(\.description).joined(separator: "; "), isTerminal: first.isTerminal)
    }
}

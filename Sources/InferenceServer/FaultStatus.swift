// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol

/// The status of a fault in each protocol.
enum FaultStatus {
    /// HTTP's.
    static func http(_ fault: InferenceFault) -> Int {
        switch fault.code {
        case .invalid: 400
        case .unauthenticated: 401
        case .notFound: 404
        case .tooLarge: 413
        case .tooMany: 429
        case .cancelled: 499
        case .runtime: 500
        case .unsupported: 501
        case .notReady: 503
        case .deadline: 504
        }
    }
}

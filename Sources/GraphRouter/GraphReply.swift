// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What a step or a graph answered.
package struct GraphReply: Sendable, Hashable {
    package var status: Int
    package var body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    var isSuccess: Bool { (200..<300).contains(status) }
}

/// Why a graph has no answer of a step to give on.
package struct GraphFault: Error, Sendable, Hashable, CustomStringConvertible {
    package let status: Int
    package let description: String

    package init(_ status: Int, _ description: String) {
        self.status = status
        self.description = description
    }
}

/// Calls the services of steps.
package protocol GraphCaller: Sendable {
    /// - Throws: ``GraphFault`` where there was no answer at all.
    func call(_ url: String, _ headers: [(String, String)], _ body: [UInt8]) async throws(GraphFault) -> GraphReply
}

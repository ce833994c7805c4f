// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import NIOCore

/// A request or an answer, as it went over the wire.
package struct PayloadEvent: Sendable {
    /// The request's id; the answer has the same.
    package var id: String
    package var isRequest: Bool
    package var contentType: String
    package var body: ByteBuffer
    package var model: String
    package var time: Timestamp
    /// Further attributes of the event.
    package var metadata: [(String, String)] = []

    package init(id: String, isRequest: Bool, contentType: String, body: ByteBuffer, model: String, time: Timestamp) {
        self.id = id
        self.isRequest = isRequest
        self.contentType = contentType
        self.body = body
        self.model = model
        self.time = time
    }
}

/// Where requests and answers are told to.
package protocol PayloadSink: Sendable {
    /// Never blocks; what there is no room for is dropped and counted.
    func offer(_ event: PayloadEvent)
}

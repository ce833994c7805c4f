// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import NIOCore
import NIOHTTP1

/// One request on its way through the server. Used on its connection's event loop only.
final class RESTCall {
    let head: HTTPRequestHead
    let begun: NIODeadline
    let isHead: Bool
    let isOldVersion: Bool
    /// Whether the connection ends with the answer.
    var isLast: Bool
    var route: RESTRoute?
    /// Nil: it comes in chunks.
    var length: Int?
    var body: ByteBuffer?
    /// Bytes that are counted as in memory.
    var counted = 0
    /// Bytes of the body that nobody wants.
    var passedOver = 0
    var contentCoding: BodyCoding?
    var ticket: Ticket?
    /// When the model was asked, and when it answered; nil where it was not.
    var asked: NIODeadline?
    var answered: NIODeadline?
    /// Under which id the request was told to the sink.
    var payloadID: String?

    init(_ head: HTTPRequestHead, _ begun: NIODeadline) {
        self.head = head
        self.begun = begun
        isHead = head.method == .HEAD
        isOldVersion = head.version.minor == 0
        isLast = !head.isKeepAlive
    }

    /// The value of a header that is there once.
    func header(_ name: String) -> String? { head.headers.first(name: name) }
}

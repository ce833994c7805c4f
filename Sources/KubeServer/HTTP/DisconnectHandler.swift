// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Closes a connection whose client has closed its side, as Go's server does: nobody half-closes over TLS to wait for
/// an answer, and a watch would not notice otherwise.
final class DisconnectHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}

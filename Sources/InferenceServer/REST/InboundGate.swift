// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The first to see a connection's bytes: notes when a head begins, and drops what comes after the last answer.
final class InboundGate: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Whether bytes came since this was last set to false.
    var hasBytes = false
    var isDropping = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDropping else { return }
        hasBytes = true
        context.fireChannelRead(data)
    }
}

// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// One client's connection, as the task that serves it sees it: what comes is awaited, what goes waits for room.
///
/// The task runs on the event loop (``LoopExecutor``), so that nothing here changes threads; it may run elsewhere, too.
struct ClientConnection: Sendable {
    private let handler: NIOLoopBound<ConnectionHandler>
    private let loop: any EventLoop
    private let deadline: ConnectionDeadline
    private let configuration: ObjectServerConfiguration

    init(
        _ handler: NIOLoopBound<ConnectionHandler>, loop: any EventLoop, deadline: ConnectionDeadline,
        configuration: ObjectServerConfiguration
    ) {
        self.handler = handler
        self.loop = loop
        self.deadline = deadline
        self.configuration = configuration
    }

    /// The next part of what the client sends.
    /// - Throws: ``ConnectionError`` when nothing more comes.
    func next(within patience: Duration) async throws -> HTTPServerRequestPart {
        if loop.inEventLoop, let part = handler.value.next() { return part }
        deadline.expect(TimeAmount(patience))
        defer { deadline.clear() }
        return try await withCheckedThrowingContinuation { continuation in
            onLoop { $0.wait(continuation) }
        }
    }

    /// Whether something has come already.
    var hasMore: Bool { loop.inEventLoop && handler.value.hasMore }

    /// Sends bytes. Returns when there is room for more.
    /// - Throws: ``ConnectionError/closed`` when the client has gone.
    func write(_ bytes: ByteBuffer) async throws {
        if loop.inEventLoop {
            let handler = handler.value
            guard handler.isOpen else { throw ConnectionError.closed }
            handler.write(bytes)
            if handler.isWritable { return }
        } else {
            onLoop { $0.write(bytes) }
        }
        deadline.expect(TimeAmount(configuration.progressPatience))
        defer { deadline.clear() }
        let isOpen = await withCheckedContinuation { continuation in
            onLoop { $0.waitForRoom(continuation) }
        }
        guard isOpen else { throw ConnectionError.closed }
    }

    /// Closes after what was written; what still comes is read for a while, so that the client sees the answer.
    func finish() { onLoop { $0.finish(after: .seconds(2)) } }

    /// Closes now.
    func close() { onLoop { $0.close() } }

    /// Whether a request is being answered.
    func setBusy(_ value: Bool) { deadline.setBusy(value) }

    private func onLoop(_ work: @escaping @Sendable (ConnectionHandler) -> Void) {
        if loop.inEventLoop { work(handler.value) } else { loop.execute { [handler] in work(handler.value) } }
    }
}

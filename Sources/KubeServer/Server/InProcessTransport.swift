// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// Carries requests to a server in the same process, as one user.
package struct InProcessTransport: KubeTransport {
    private let server: APIServer
    private let user: UserInfo

    package init(server: APIServer, user: UserInfo = .admin) {
        self.server = server
        self.user = user
    }

    package func send(_ request: KubeRequest) async throws -> KubeResponse {
        try Task.checkCancellation()
        var response = await server.handle(request, user: user)
        if let onEnd = response.onEnd, case .stream(let chunks) = response.body {
            response.body = .stream(EndingStream(chunks, onEnd: onEnd))
            response.onEnd = nil
        }
        return response
    }
}

/// Chunks that tell when nobody reads them any more: at their end, or where the reader left.
private struct EndingStream: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    /// Held by all who may still read.
    private final class Reading: Sendable {
        let onEnd: @Sendable () -> Void

        init(_ onEnd: @escaping @Sendable () -> Void) { self.onEnd = onEnd }

        deinit { onEnd() }
    }

    private let chunks: ByteStream
    private let reading: Reading

    init(_ chunks: ByteStream, onEnd: @escaping @Sendable () -> Void) {
        self.chunks = chunks
        reading = Reading(onEnd)
    }

    func makeAsyncIterator() -> Iterator { Iterator(chunks: chunks.makeAsyncIterator(), reading: reading) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var chunks: any AsyncIteratorProtocol<[UInt8], any Error>
        fileprivate let reading: AnyObject

        mutating func next(isolation actor: isolated (any Actor)? = #isolation) async throws -> [UInt8]? {
            try await chunks.next(isolation: actor)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Hummingbird
import NIOCore

/// What a service knows of a request beside the request.
package struct ServiceContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// The address of who asks; empty where it is not known.
    package let client: String
    /// Who asks: the name of the token; nil where nobody has to say.
    package var caller: String?
    private let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        client = source.channel.remoteAddress?.ipAddress ?? ""
        channel = source.channel
    }

    /// What sees the client go.
    /// - Throws: `CancellationError` where it is gone already.
    package func connection() async throws -> ConnectionWatch {
        do {
            return try await channel.pipeline.handler(type: ConnectionWatch.self).get()
        } catch {
            throw CancellationError()
        }
    }
}

/// A fault that is told to the client; each service has its own form for it.
package struct ServiceError: Error, Sendable, CustomStringConvertible {
    /// The status of the answer.
    package let status: HTTPResponse.Status
    /// What was wrong and what to do.
    package let description: String

    package init(_ status: HTTPResponse.Status, _ description: String) {
        self.status = status
        self.description = description
    }
}

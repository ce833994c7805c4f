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

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        client = source.channel.remoteAddress?.ipAddress ?? ""
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

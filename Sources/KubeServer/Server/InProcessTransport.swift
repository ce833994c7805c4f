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
        return await server.handle(request, user: user)
    }
}

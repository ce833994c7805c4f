// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol
import Logging
import NIOCore

/// Clients say who they are (KIP-43, KIP-152).
extension Broker {
    /// Requests that are answered before a client has said who it is.
    static let open: Set<Int16> = [
        ApiVersionsRequest.apiKey, SaslHandshakeRequest.apiKey, SaslAuthenticateRequest.apiKey,
    ]

    func saslHandshake(_ request: SaslHandshakeRequest, _ context: RequestContext) -> Reply {
        let client = context.client
        guard let access, access.configuration.usesSASL else {
            let response = SaslHandshakeResponse(errorCode: KafkaErrorCode.illegalSASLState.rawValue)
            return Reply(response, correlation: context.correlation, version: context.version)
        }
        var login = client.access.login ?? access.newSession()
        let (code, mechanisms) = login.handshake(request.mechanism)
        client.access.login = login
        client.access.sendsRawMessages = code == .ok && context.version == 0
        var reply = Reply(
            SaslHandshakeResponse(errorCode: code.rawValue, mechanisms: mechanisms),
            correlation: context.correlation, version: context.version)
        reply.isLast = code != .ok
        return reply
    }

    func saslAuthenticate(_ request: SaslAuthenticateRequest, _ context: RequestContext) async -> Reply {
        var response = SaslAuthenticateResponse(errorMessage: nil)
        var isLast = false
        switch await step(request.authBytes, context.client) {
        case .challenge(let bytes), .succeeded(_, let bytes): response.authBytes = bytes
        case .failed(let code, let message):
            response.errorCode = code.rawValue
            response.errorMessage = message
            isLast = true
        }
        var reply = Reply(response, correlation: context.correlation, version: context.version)
        reply.isLast = isLast
        return reply
    }

    /// A message without anything around it. There is no way to say why it was refused: the connection is closed.
    func rawLogin(_ bytes: [UInt8], _ client: ClientState) async -> Reply? {
        switch await step(bytes, client) {
        case .challenge(let bytes): return Reply(raw: bytes)
        case .succeeded(_, let bytes):
            client.access.sendsRawMessages = false
            return Reply(raw: bytes)
        case .failed:
            client.connection.close(promise: nil)
            return nil
        }
    }

    private func step(_ bytes: [UInt8], _ client: ClientState) async -> SASLStep {
        guard let access, access.configuration.usesSASL, let login = client.access.login else {
            let message =
                access?.configuration.usesSASL ?? false
                ? "SaslAuthenticate request received without SaslHandshake"
                : "SaslAuthenticate request received, but clients do not log in here: the broker runs without --sasl"
            return .failed(.illegalSASLState, message)
        }
        let (session, step) = await access.authenticate(login, bytes)
        client.access.login = session
        switch step {
        case .challenge: break
        case .succeeded(let user, _):
            do {
                // Now it may send large requests.
                try await client.connection.triggerUserOutboundEvent(ClientIsKnown()).get()
            } catch {
                return .failed(.saslAuthenticationFailed, "the connection was closed")
            }
            client.access.principal = "User:\(user)"
        case .failed(_, let message):
            logger.info("login failed", metadata: ["client": "\(client.address)", "why": "\(message)"])
            // Who guesses shall not guess fast. The task that waits holds no thread.
            try? await Task.sleep(for: access.configuration.failureDelay)
        }
        return step
    }
}

/// Tells a connection that its client has said who it is.
struct ClientIsKnown: Sendable {}

// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import KafkaProtocol
import NIOCore

/// One connection to one broker: a request, then its answer, then the next.
package struct DirectSession {
    /// Of one kind of request, as the broker says.
    struct Versions: Hashable, Sendable {
        var least: Int16
        var most: Int16
    }

    let server: DirectSettings.Address
    private let clientID: String
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var correlation: Int32 = 0
    /// By the number of the request; empty before ``begin(_:)``.
    private var offered: [Int16: Versions] = [:]

    init(
        server: DirectSettings.Address, clientID: String,
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.server = server
        self.clientID = clientID
        self.inbound = inbound
        self.outbound = outbound
    }

    /// Learns what the broker can do, and logs in.
    mutating func begin(_ login: DirectSettings.Login?) async throws {
        // The first form is one that every broker answers (KIP-35), and says all that is needed.
        let answer: ApiVersionsResponse = try await exchange(ApiVersionsRequest(), version: 0)
        try check(answer.errorCode, nil, "asking \(server) what it can do")
        for api in answer.apiKeys {
            offered[api.apiKey] = Versions(least: api.minVersion, most: api.maxVersion)
        }
        if let login { try await logIn(login) }
    }

    /// The newest version of a request that both sides know; nil where there is none from `least` on.
    func version<Request: KafkaProtocol.KafkaMessage>(of _: Request.Type, least: Int16 = 0) -> Int16? {
        guard let offered = offered[Request.apiKey] else { return nil }
        let version = min(offered.most, Request.versions.upperBound)
        return version >= max(offered.least, Request.versions.lowerBound, least) ? version : nil
    }

    /// Sends a request in the newest version that both sides know, and waits for its answer.
    /// - Parameters:
    ///   - request: what to ask.
    ///   - least: the first version that says enough.
    /// - Returns: the answer.
    /// - Throws: `KafkaError` of code `unsupportedFeature` where the broker has no such request.
    mutating func ask<Request: KafkaProtocol.KafkaMessage, Response: KafkaProtocol.KafkaMessage>(
        _ request: Request, least: Int16 = 0
    ) async throws -> Response {
        guard let version = version(of: Request.self, least: least) else {
            let name = String(describing: Request.self).dropLast("Request".count)
            throw KafkaError(
                RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, "talking to \(server)",
                detail: "this broker has no \(name)" + (least > 0 ? " from version \(least) on" : ""))
        }
        return try await exchange(request, version: version)
    }

    private mutating func exchange<Request: KafkaProtocol.KafkaMessage, Response: KafkaProtocol.KafkaMessage>(
        _ request: Request, version: Int16
    ) async throws -> Response {
        correlation &+= 1
        var writer = KafkaWriter()
        writer.int32(0)
        let header = RequestHeader(
            requestApiKey: Request.apiKey, requestApiVersion: version, correlationId: correlation, clientId: clientID)
        header.write(to: &writer, version: Request.isFlexible(version) ? 2 : 1)
        request.write(to: &writer, version: version)
        writer.patch(int32: Int32(clamping: writer.count - 4), at: 0)
        do {
            try await outbound.write(ByteBuffer(bytes: writer.bytes))
        } catch let error as ChannelError {
            // The connection has ended before: reading tells why, as by a certificate that is not trusted.
            while try await inbound.next() != nil {}
            throw error
        }
        guard let frame = try await inbound.next() else {
            throw KafkaError(
                RD_KAFKA_RESP_ERR__TRANSPORT, "talking to \(server)",
                detail: "the broker closed the connection, as one does that expects TLS or a login")
        }
        return try Self.answer(Array(frame.readableBytesView), to: correlation, version)
    }

    /// The message of an answer.
    /// - Throws: when it answers another request, or has other bytes than its version.
    static func answer<Response: KafkaProtocol.KafkaMessage>(
        _ bytes: [UInt8], to correlation: Int32, _ version: Int16
    ) throws -> Response {
        var reader = KafkaReader(bytes[...])
        // Whoever asks for the versions does not know yet which form of header the broker knows (KIP-511).
        let isFlexible = Response.isFlexible(version) && Response.apiKey != ApiVersionsResponse.apiKey
        let header = try ResponseHeader(from: &reader, version: isFlexible ? 1 : 0)
        guard header.correlationId == correlation else {
            throw DirectAnswerError("the answer is to request \(header.correlationId), not to \(correlation)")
        }
        let response = try Response(from: &reader, version: version)
        guard reader.remaining == 0 else {
            throw DirectAnswerError("\(reader.remaining) bytes follow on the answer")
        }
        return response
    }

    /// - Throws: `KafkaError` unless the code is 0; `said` is the broker's own message.
    func check(_ code: Int16, _ said: String?, _ what: @autoclosure () -> String) throws(KafkaError) {
        guard code != 0 else { return }
        let said = said.flatMap { $0.isEmpty ? nil : String($0.prefix(1000)) }
        throw KafkaError(rd_kafka_resp_err_t(rawValue: Int32(code)), what(), detail: said)
    }
}

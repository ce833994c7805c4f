// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore
import NIOHTTP1
import ObjectStore
import S3Protocol

/// Answers requests: who asks, whether it is allowed, what the store says.
struct ObjectService: Sendable {
    let store: ObjectStore
    let keys: AccessKeys
    let configuration: ObjectServerConfiguration
    let isEncrypted: Bool
    let budget: MemoryBudget
    let policies = PolicyCache()
    let lifecycles = LifecycleCache()
    let signingKeys = SigV4.SigningKeys()
    let metrics = ObjectMetrics()
    let logger: Logger
    private let clock: @Sendable () -> Int64

    init(
        store: ObjectStore, keys: AccessKeys, configuration: ObjectServerConfiguration, isEncrypted: Bool,
        clock: @escaping @Sendable () -> Int64, logger: Logger
    ) {
        self.store = store
        self.keys = keys
        self.configuration = configuration
        self.isEncrypted = isEncrypted
        budget = MemoryBudget(bytes: configuration.memoryBytes)
        self.clock = clock
        self.logger = logger
    }

    /// Seconds since 1970.
    var seconds: Int64 { CivilSeconds.floor(clock()) }

    /// Answers a request, whatever it is.
    /// - Parameters:
    ///   - exchange: the request.
    ///   - client: the address of who asks.
    func answer(_ exchange: Exchange, client: String) async {
        var resource = ""
        var operation: S3Operation?
        let start = ContinuousClock.now
        defer {
            metrics.answered(
                operation, status: exchange.status, bytesIn: exchange.received, bytesOut: exchange.sent,
                ContinuousClock.now - start)
        }
        do {
            let head = try Self.head(exchange)
            let request = try S3Request(head, domain: configuration.domain)
            resource = request.resource
            operation = request.operation
            let call = try await admit(request, head, exchange, client)
            guard let call else { return }
            try await perform(call)
        } catch let error as S3Error {
            await refuse(error, exchange, resource)
        } catch let error as ObjectStoreError {
            note(error, resource, exchange.id)
            await refuse(S3Error(error, resource: resource), exchange, resource)
        } catch is ConnectionError {
            // Nobody is there to be told; a body that stopped was not stored.
        } catch is CancellationError {
            exchange.cutOff()
        } catch {
            logger.error("a request failed", metadata: ["resource": "\(resource)", "why": "\(error)"])
            await refuse(S3Error(.internalError, "We encountered an internal error."), exchange, resource)
        }
        logger.debug(
            "request",
            metadata: [
                "method": "\(exchange.head.method)", "resource": "\(resource)", "status": "\(exchange.status)",
                "bytes": "\(exchange.sent)", "client": "\(client)", "id": "\(exchange.id)",
            ])
    }

    /// What is damaged or fails is said in the log, too.
    func note(_ error: ObjectStoreError, _ resource: String, _ id: String) {
        if error.code == .corrupt { metrics.damaged() }
        switch error.code {
        case .corrupt, .full, .storage:
            logger.error(
                "the store failed", metadata: ["resource": "\(resource)", "why": "\(error)", "id": "\(id)"])
        default: break
        }
    }

    /// Objects of a list of which only the keys are known are said in the log, too.
    func note(_ objects: [ObjectInfo], _ call: Call) {
        for info in objects where info.isDamaged {
            metrics.damaged()
            logger.error(
                "an object is damaged: what is known of it is not what was written; restore the store from a backup",
                metadata: ["bucket": "\(call.request.bucket ?? "")", "key": "\(info.key)", "id": "\(call.exchange.id)"])
        }
    }

    /// Answers with an error; cuts the answer off where one was begun.
    private func refuse(_ error: S3Error, _ exchange: Exchange, _ resource: String) async {
        if error.code == .badDigest || error.code == .contentSHA256Mismatch { metrics.mismatched() }
        guard !exchange.headIsSent else { return exchange.cutOff() }
        var error = error
        if error.resource.isEmpty { error.resource = resource }
        var head = AnswerHead(error.status)
        do {
            guard error.status != 304 else { return try await exchange.send(head) }
            head.add("Content-Type", "application/xml")
            try await exchange.send(head, error.xml(requestID: exchange.id))
        } catch {
            exchange.cutOff()
        }
    }

    /// Answers what cannot be understood, and ends the connection.
    func refuse(_ error: ConnectionError, _ connection: ClientConnection) async {
        let answer: S3Error
        switch error {
        case .closed: return connection.close()
        case .tooManyRequests: return connection.close()
        case .headTooLarge:
            answer = S3Error(
                .requestHeaderSectionTooLarge,
                "Your request header section exceeds \(configuration.maximumHeadBytes) bytes.")
        case .malformed(let why): answer = S3Error(.invalidRequest, "The request is not valid HTTP/1.1: \(why).")
        }
        let body = answer.xml(requestID: "")
        var head = AnswerHead(answer.status)
        head.add("Content-Type", "application/xml")
        var buffer = ByteBuffer()
        head.write(
            to: &buffer, id: "", date: HTTPDate.text(seconds), length: Int64(body.count), closes: true,
            staysOpen: false)
        buffer.writeBytes(body)
        try? await connection.write(buffer)
        connection.finish()
    }

    private static func head(_ exchange: Exchange) throws(S3Error) -> S3RequestHead {
        let head = exchange.head
        var fields: [(name: String, value: String)] = []
        fields.reserveCapacity(head.headers.count)
        for (name, value) in head.headers {
            let isLower = name.utf8.allSatisfy { !(65...90).contains($0) }
            fields.append((isLower ? name : name.lowercased(), value))
        }
        guard exchange.contentLength != nil || head.headers.contains(name: "transfer-encoding") else {
            throw S3Error(.invalidRequest, "Content-Length is not a number.")
        }
        return S3RequestHead(method: head.method.rawValue, target: head.uri, headers: fields)
    }
}

/// Milliseconds into seconds.
enum CivilSeconds {
    static func floor(_ milliseconds: Int64) -> Int64 {
        milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import InferenceProtocol
import NIOHTTP1
package import NIOSSL

/// Where a model server listens, and what its clients may use.
package struct InferenceServerConfiguration: Sendable {
    /// Address that REST listens on.
    package var host = "127.0.0.1"
    /// Port that REST listens on; 0 for any that is free.
    package var port = 8080
    /// For each new connection, so that certificates may change; nil: without TLS.
    package var tls: (@Sendable () throws -> NIOSSLContext)?
    package var limits = RequestLimits()
    /// Connections that may be open at a time.
    package var maximumConnections = 4096
    /// Bytes of one head: request line and headers.
    package var maximumHeadBytes = 32 << 10
    /// Bytes of bodies that may be in memory at a time, over all connections.
    package var memoryBytes = 512 << 20
    /// How long a head may take, from its first byte.
    package var headPatience: Duration = .seconds(10)
    /// How long a connection may be without a request.
    package var idlePatience: Duration = .seconds(75)
    /// How long a body may make no progress, and how long it may take in all beside its length.
    package var bodyPatience: Duration = .seconds(30)
    /// Bytes a second that a body has to come with once its patience is over.
    package var slowestBody = 64 << 10
    /// How long a client may take nothing of an answer.
    package var answerPatience: Duration = .seconds(30)
    /// How long requests may go on after the server was told to stop.
    package var drainPatience: Duration = .seconds(20)
    /// Bytes from which an answer is compressed for a client that takes it.
    package var compressionThreshold = 1024
    /// Bytes of a body from which it is read and written apart from the connections' threads.
    package var largeBody = 1 << 20
    /// As `/v2` says it.
    package var serverName = "apus"
    package var serverVersion = "1"
    /// The option of the command that says where to listen; for errors.
    package var listenOption = "--http-port"

    package init() {}

    /// `name`, `version` and `extensions`, as `/v2` and gRPC's ServerMetadata say them.
    package var description: JSONValue {
        [
            "name": .string(serverName), "version": .string(serverVersion),
            "extensions": [
                "classification", "model_repository", "model_repository(unload_dependents)", "schedule_policy",
                "model_configuration", "binary_tensor_data", "parameters", "statistics", "trace", "logging",
            ],
        ]
    }

    /// What the decoder of heads may take.
    var decoderLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = maximumHeadBytes
        limits.maxHeaderListSize = maximumHeadBytes
        limits.maxHeaderFieldCount = 100
        return limits
    }
}

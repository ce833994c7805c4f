// SPDX-License-Identifier: Apache-2.0
package import S3Protocol

/// Where an S3 is and how it is used.
package struct S3ClientConfiguration: Sendable {
    /// How buckets are named in requests.
    package enum Addressing: Sendable, Hashable {
        /// `http://HOST/BUCKET/KEY`
        case path
        /// `http://BUCKET.HOST/KEY`
        case virtualHost
    }

    /// `http://127.0.0.1:9000`, without a path.
    package var endpoint: String
    package var region: String
    /// Nil sends anonymous requests.
    package var credentials: SigV4.Credentials?
    package var addressing: Addressing
    /// PEM file of the authorities that the server's certificate may be of; nil for the system's.
    package var certificateAuthorities: String?
    /// Bodies of more bytes than this are uploaded in parts.
    package var multipartThreshold: Int = 32 << 20
    /// Bytes of a part, 5 MiB at least; larger ones are taken where a body would have more than 10,000.
    package var partSize: Int = 16 << 20
    /// Parts that are on their way at once; with one more being filled, this bounds the memory of an upload.
    package var partsAtOnce: Int = 4
    package var retries = RetryPolicy()
    package var connectTimeout: Duration = .seconds(5)
    /// How long a connection may say nothing.
    package var idleTimeout: Duration = .seconds(60)
    /// Connections to keep open, at most.
    package var connections: Int = 64

    package init(
        endpoint: String, region: String = "us-east-1", credentials: SigV4.Credentials?, addressing: Addressing = .path
    ) {
        self.endpoint = endpoint
        self.region = region
        self.credentials = credentials
        self.addressing = addressing
    }

    /// As the variables say that other tools have, too: `AWS_ENDPOINT_URL`, `AWS_REGION` or `AWS_DEFAULT_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_CA_BUNDLE`. Without a key requests are anonymous.
    package init(environment: [String: String]) {
        let region = environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "us-east-1"
        self.init(
            endpoint: environment["AWS_ENDPOINT_URL"] ?? "https://s3.\(region).amazonaws.com", region: region,
            credentials: environment["AWS_ACCESS_KEY_ID"].map {
                SigV4.Credentials(
                    accessKey: $0, secret: environment["AWS_SECRET_ACCESS_KEY"] ?? "",
                    sessionToken: environment["AWS_SESSION_TOKEN"])
            })
        certificateAuthorities = environment["AWS_CA_BUNDLE"]
    }
}

/// How often and how soon a request is sent again.
package struct RetryPolicy: Sendable, Hashable {
    /// Times that a request is sent, at most.
    package var attempts: Int = 5
    /// The first pause is up to this long, and each is up to twice the one before.
    package var base: Duration = .milliseconds(100)
    /// The longest pause.
    package var maximum: Duration = .seconds(10)

    package init() {}

    /// A random pause before an attempt (from 1 on): clients that failed together do not come back together.
    package func pause(before attempt: Int) -> Duration {
        let ceiling = min(base * (1 << min(max(attempt - 1, 0), 20)), maximum)
        let (seconds, attoseconds) = ceiling.components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        return .nanoseconds(nanoseconds > 0 ? Int64.random(in: nanoseconds / 2...nanoseconds) : 0)
    }
}

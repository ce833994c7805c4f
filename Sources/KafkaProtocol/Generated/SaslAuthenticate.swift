// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// SaslAuthenticateRequest (API 36), versions 0 to 2.
package struct SaslAuthenticateRequest: KafkaMessage {
    package static let apiKey: Int16 = 36
    package static let versions: ClosedRange<Int16> = 0...2
    package static let firstFlexible: Int16? = 2
    package var authBytes: [UInt8] = []

    package init(authBytes: [UInt8] = []) {
        self.authBytes = authBytes
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        authBytes = try reader.bytes(flexible)
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.bytes(authBytes, flexible)
        if flexible {
            writer.noTags()
        }
    }
}

/// SaslAuthenticateResponse (API 36), versions 0 to 2.
package struct SaslAuthenticateResponse: KafkaMessage {
    package static let apiKey: Int16 = 36
    package static let versions: ClosedRange<Int16> = 0...2
    package static let firstFlexible: Int16? = 2
    package var errorCode: Int16 = 0
    package var errorMessage: String? = ""
    package var authBytes: [UInt8] = []
    package var sessionLifetimeMs: Int64 = 0

    package init(
        errorCode: Int16 = 0, errorMessage: String? = "", authBytes: [UInt8] = [], sessionLifetimeMs: Int64 = 0
    ) {
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.authBytes = authBytes
        self.sessionLifetimeMs = sessionLifetimeMs
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        errorCode = try reader.int16()
        errorMessage = try reader.nullableString(flexible, nullable: true)
        authBytes = try reader.bytes(flexible)
        if version >= 1 { sessionLifetimeMs = try reader.int64() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.int16(errorCode)
        writer.nullableString(errorMessage, flexible, nullable: true)
        writer.bytes(authBytes, flexible)
        if version >= 1 { writer.int64(sessionLifetimeMs) }
        if flexible {
            writer.noTags()
        }
    }
}

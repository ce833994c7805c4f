// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// SaslHandshakeRequest (API 17), versions 0 to 1.
package struct SaslHandshakeRequest: KafkaMessage {
    package static let apiKey: Int16 = 17
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = nil
    package var mechanism: String = ""

    package init(mechanism: String = "") {
        self.mechanism = mechanism
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        mechanism = try reader.string(false)
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.string(mechanism, false)
    }
}

/// SaslHandshakeResponse (API 17), versions 0 to 1.
package struct SaslHandshakeResponse: KafkaMessage {
    package static let apiKey: Int16 = 17
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = nil
    package var errorCode: Int16 = 0
    package var mechanisms: [String] = []

    package init(errorCode: Int16 = 0, mechanisms: [String] = []) {
        self.errorCode = errorCode
        self.mechanisms = mechanisms
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        errorCode = try reader.int16()
        mechanisms = try reader.array(false) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try reader.string(false)
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int16(errorCode)
        writer.array(mechanisms, false) { $0.string($1, false) }
    }
}

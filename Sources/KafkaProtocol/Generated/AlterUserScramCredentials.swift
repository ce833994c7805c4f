// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// AlterUserScramCredentialsRequest (API 51), versions 0 to 0.
package struct AlterUserScramCredentialsRequest: KafkaMessage {
    package static let apiKey: Int16 = 51
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = 0
    package var deletions: [ScramCredentialDeletion] = []
    package var upsertions: [ScramCredentialUpsertion] = []

    package init(deletions: [ScramCredentialDeletion] = [], upsertions: [ScramCredentialUpsertion] = []) {
        self.deletions = deletions
        self.upsertions = upsertions
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        deletions = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try ScramCredentialDeletion(from: &reader, version: version)
        }
        upsertions = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try ScramCredentialUpsertion(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.array(deletions, true) { $1.write(to: &$0, version: version) }
        writer.array(upsertions, true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct ScramCredentialDeletion: KafkaStruct {
        package var name: String = ""
        package var mechanism: Int8 = 0

        package init(name: String = "", mechanism: Int8 = 0) {
            self.name = name
            self.mechanism = mechanism
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            name = try reader.string(true)
            mechanism = try reader.int8()
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(name, true)
            writer.int8(mechanism)
            writer.noTags()
        }
    }

    package struct ScramCredentialUpsertion: KafkaStruct {
        package var name: String = ""
        package var mechanism: Int8 = 0
        package var iterations: Int32 = 0
        package var salt: [UInt8] = []
        package var saltedPassword: [UInt8] = []

        package init(
            name: String = "", mechanism: Int8 = 0, iterations: Int32 = 0, salt: [UInt8] = [],
            saltedPassword: [UInt8] = []
        ) {
            self.name = name
            self.mechanism = mechanism
            self.iterations = iterations
            self.salt = salt
            self.saltedPassword = saltedPassword
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            name = try reader.string(true)
            mechanism = try reader.int8()
            iterations = try reader.int32()
            salt = try reader.bytes(true)
            saltedPassword = try reader.bytes(true)
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(name, true)
            writer.int8(mechanism)
            writer.int32(iterations)
            writer.bytes(salt, true)
            writer.bytes(saltedPassword, true)
            writer.noTags()
        }
    }
}

/// AlterUserScramCredentialsResponse (API 51), versions 0 to 0.
package struct AlterUserScramCredentialsResponse: KafkaMessage {
    package static let apiKey: Int16 = 51
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = 0
    package var throttleTimeMs: Int32 = 0
    package var results: [AlterUserScramCredentialsResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [AlterUserScramCredentialsResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        throttleTimeMs = try reader.int32()
        results = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try AlterUserScramCredentialsResult(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.array(results, true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct AlterUserScramCredentialsResult: KafkaStruct {
        package var user: String = ""
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""

        package init(user: String = "", errorCode: Int16 = 0, errorMessage: String? = "") {
            self.user = user
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            user = try reader.string(true)
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(true, nullable: true)
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(user, true)
            writer.int16(errorCode)
            writer.nullableString(errorMessage, true, nullable: true)
            writer.noTags()
        }
    }
}

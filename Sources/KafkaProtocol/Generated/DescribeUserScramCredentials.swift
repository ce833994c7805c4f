// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DescribeUserScramCredentialsRequest (API 50), versions 0 to 0.
package struct DescribeUserScramCredentialsRequest: KafkaMessage {
    package static let apiKey: Int16 = 50
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = 0
    package var users: [UserName]? = []

    package init(users: [UserName]? = []) {
        self.users = users
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        users = try reader.array(true, nullable: true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try UserName(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.array(users, true, nullable: true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct UserName: KafkaStruct {
        package var name: String = ""

        package init(name: String = "") {
            self.name = name
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            name = try reader.string(true)
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(name, true)
            writer.noTags()
        }
    }
}

/// DescribeUserScramCredentialsResponse (API 50), versions 0 to 0.
package struct DescribeUserScramCredentialsResponse: KafkaMessage {
    package static let apiKey: Int16 = 50
    package static let versions: ClosedRange<Int16> = 0...0
    package static let firstFlexible: Int16? = 0
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var errorMessage: String? = ""
    package var results: [DescribeUserScramCredentialsResult] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, errorMessage: String? = "",
        results: [DescribeUserScramCredentialsResult] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.results = results
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.int16()
        errorMessage = try reader.nullableString(true, nullable: true)
        results = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DescribeUserScramCredentialsResult(from: &reader, version: version)
        }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.int16(errorCode)
        writer.nullableString(errorMessage, true, nullable: true)
        writer.array(results, true) { $1.write(to: &$0, version: version) }
        writer.noTags()
    }

    package struct DescribeUserScramCredentialsResult: KafkaStruct {
        package var user: String = ""
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""
        package var credentialInfos: [CredentialInfo] = []

        package init(
            user: String = "", errorCode: Int16 = 0, errorMessage: String? = "", credentialInfos: [CredentialInfo] = []
        ) {
            self.user = user
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.credentialInfos = credentialInfos
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            user = try reader.string(true)
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(true, nullable: true)
            credentialInfos = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try CredentialInfo(from: &reader, version: version)
            }
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.string(user, true)
            writer.int16(errorCode)
            writer.nullableString(errorMessage, true, nullable: true)
            writer.array(credentialInfos, true) { $1.write(to: &$0, version: version) }
            writer.noTags()
        }
    }

    package struct CredentialInfo: KafkaStruct {
        package var mechanism: Int8 = 0
        package var iterations: Int32 = 0

        package init(mechanism: Int8 = 0, iterations: Int32 = 0) {
            self.mechanism = mechanism
            self.iterations = iterations
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            mechanism = try reader.int8()
            iterations = try reader.int32()
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.int8(mechanism)
            writer.int32(iterations)
            writer.noTags()
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// CreateAclsRequest (API 30), versions 0 to 3.
package struct CreateAclsRequest: KafkaMessage {
    package static let apiKey: Int16 = 30
    package static let versions: ClosedRange<Int16> = 0...3
    package static let firstFlexible: Int16? = 2
    package var creations: [AclCreation] = []

    package init(creations: [AclCreation] = []) {
        self.creations = creations
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        creations = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try AclCreation(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(creations, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct AclCreation: KafkaStruct {
        package var resourceType: Int8 = 0
        package var resourceName: String = ""
        package var resourcePatternType: Int8 = 3
        package var principal: String = ""
        package var host: String = ""
        package var operation: Int8 = 0
        package var permissionType: Int8 = 0

        package init(
            resourceType: Int8 = 0, resourceName: String = "", resourcePatternType: Int8 = 3, principal: String = "",
            host: String = "", operation: Int8 = 0, permissionType: Int8 = 0
        ) {
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.resourcePatternType = resourcePatternType
            self.principal = principal
            self.host = host
            self.operation = operation
            self.permissionType = permissionType
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            resourceType = try reader.int8()
            resourceName = try reader.string(flexible)
            if version >= 1 { resourcePatternType = try reader.int8() }
            principal = try reader.string(flexible)
            host = try reader.string(flexible)
            operation = try reader.int8()
            permissionType = try reader.int8()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.int8(resourceType)
            writer.string(resourceName, flexible)
            if version >= 1 { writer.int8(resourcePatternType) }
            writer.string(principal, flexible)
            writer.string(host, flexible)
            writer.int8(operation)
            writer.int8(permissionType)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// CreateAclsResponse (API 30), versions 0 to 3.
package struct CreateAclsResponse: KafkaMessage {
    package static let apiKey: Int16 = 30
    package static let versions: ClosedRange<Int16> = 0...3
    package static let firstFlexible: Int16? = 2
    package var throttleTimeMs: Int32 = 0
    package var results: [AclCreationResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [AclCreationResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        results = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try AclCreationResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(results, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct AclCreationResult: KafkaStruct {
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""

        package init(errorCode: Int16 = 0, errorMessage: String? = "") {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(flexible, nullable: true)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.int16(errorCode)
            writer.nullableString(errorMessage, flexible, nullable: true)
            if flexible {
                writer.noTags()
            }
        }
    }
}

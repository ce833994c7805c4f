// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// IncrementalAlterConfigsRequest (API 44), versions 0 to 1.
package struct IncrementalAlterConfigsRequest: KafkaMessage {
    package static let apiKey: Int16 = 44
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 1
    package var resources: [AlterConfigsResource] = []
    package var validateOnly: Bool = false

    package init(resources: [AlterConfigsResource] = [], validateOnly: Bool = false) {
        self.resources = resources
        self.validateOnly = validateOnly
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 1
        resources = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try AlterConfigsResource(from: &reader, version: version)
        }
        validateOnly = try reader.bool()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 1
        writer.array(resources, flexible) { $1.write(to: &$0, version: version) }
        writer.bool(validateOnly)
        if flexible {
            writer.noTags()
        }
    }

    package struct AlterConfigsResource: KafkaStruct {
        package var resourceType: Int8 = 0
        package var resourceName: String = ""
        package var configs: [AlterableConfig] = []

        package init(resourceType: Int8 = 0, resourceName: String = "", configs: [AlterableConfig] = []) {
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.configs = configs
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            resourceType = try reader.int8()
            resourceName = try reader.string(flexible)
            configs = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try AlterableConfig(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.int8(resourceType)
            writer.string(resourceName, flexible)
            writer.array(configs, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct AlterableConfig: KafkaStruct {
        package var name: String = ""
        package var configOperation: Int8 = 0
        package var value: String? = ""

        package init(name: String = "", configOperation: Int8 = 0, value: String? = "") {
            self.name = name
            self.configOperation = configOperation
            self.value = value
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            name = try reader.string(flexible)
            configOperation = try reader.int8()
            value = try reader.nullableString(flexible, nullable: true)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.string(name, flexible)
            writer.int8(configOperation)
            writer.nullableString(value, flexible, nullable: true)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// IncrementalAlterConfigsResponse (API 44), versions 0 to 1.
package struct IncrementalAlterConfigsResponse: KafkaMessage {
    package static let apiKey: Int16 = 44
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 1
    package var throttleTimeMs: Int32 = 0
    package var responses: [AlterConfigsResourceResponse] = []

    package init(throttleTimeMs: Int32 = 0, responses: [AlterConfigsResourceResponse] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.responses = responses
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 1
        throttleTimeMs = try reader.int32()
        responses = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try AlterConfigsResourceResponse(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 1
        writer.int32(throttleTimeMs)
        writer.array(responses, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct AlterConfigsResourceResponse: KafkaStruct {
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""
        package var resourceType: Int8 = 0
        package var resourceName: String = ""

        package init(
            errorCode: Int16 = 0, errorMessage: String? = "", resourceType: Int8 = 0, resourceName: String = ""
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.resourceType = resourceType
            self.resourceName = resourceName
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(flexible, nullable: true)
            resourceType = try reader.int8()
            resourceName = try reader.string(flexible)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.int16(errorCode)
            writer.nullableString(errorMessage, flexible, nullable: true)
            writer.int8(resourceType)
            writer.string(resourceName, flexible)
            if flexible {
                writer.noTags()
            }
        }
    }
}

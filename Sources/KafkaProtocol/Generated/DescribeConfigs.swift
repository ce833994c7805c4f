// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DescribeConfigsRequest (API 32), versions 0 to 4.
package struct DescribeConfigsRequest: KafkaMessage {
    package static let apiKey: Int16 = 32
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 4
    package var resources: [DescribeConfigsResource] = []
    package var includeSynonyms: Bool = false
    package var includeDocumentation: Bool = false

    package init(
        resources: [DescribeConfigsResource] = [], includeSynonyms: Bool = false, includeDocumentation: Bool = false
    ) {
        self.resources = resources
        self.includeSynonyms = includeSynonyms
        self.includeDocumentation = includeDocumentation
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        resources = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DescribeConfigsResource(from: &reader, version: version)
        }
        if version >= 1 { includeSynonyms = try reader.bool() }
        if version >= 3 { includeDocumentation = try reader.bool() }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        writer.array(resources, flexible) { $1.write(to: &$0, version: version) }
        if version >= 1 { writer.bool(includeSynonyms) }
        if version >= 3 { writer.bool(includeDocumentation) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DescribeConfigsResource: KafkaStruct {
        package var resourceType: Int8 = 0
        package var resourceName: String = ""
        package var configurationKeys: [String]? = []

        package init(resourceType: Int8 = 0, resourceName: String = "", configurationKeys: [String]? = []) {
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.configurationKeys = configurationKeys
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            resourceType = try reader.int8()
            resourceName = try reader.string(flexible)
            configurationKeys = try reader.array(flexible, nullable: true) {
                (reader: inout KafkaReader) throws(KafkaProtocolError) in try reader.string(flexible)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.int8(resourceType)
            writer.string(resourceName, flexible)
            writer.array(configurationKeys, flexible, nullable: true) { $0.string($1, flexible) }
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// DescribeConfigsResponse (API 32), versions 0 to 4.
package struct DescribeConfigsResponse: KafkaMessage {
    package static let apiKey: Int16 = 32
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 4
    package var throttleTimeMs: Int32 = 0
    package var results: [DescribeConfigsResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [DescribeConfigsResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 4
        throttleTimeMs = try reader.int32()
        results = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DescribeConfigsResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 4
        writer.int32(throttleTimeMs)
        writer.array(results, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DescribeConfigsResult: KafkaStruct {
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""
        package var resourceType: Int8 = 0
        package var resourceName: String = ""
        package var configs: [DescribeConfigsResourceResult] = []

        package init(
            errorCode: Int16 = 0, errorMessage: String? = "", resourceType: Int8 = 0, resourceName: String = "",
            configs: [DescribeConfigsResourceResult] = []
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.configs = configs
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(flexible, nullable: true)
            resourceType = try reader.int8()
            resourceName = try reader.string(flexible)
            configs = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try DescribeConfigsResourceResult(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.int16(errorCode)
            writer.nullableString(errorMessage, flexible, nullable: true)
            writer.int8(resourceType)
            writer.string(resourceName, flexible)
            writer.array(configs, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct DescribeConfigsResourceResult: KafkaStruct {
        package var name: String = ""
        package var value: String? = ""
        package var readOnly: Bool = false
        package var isDefault: Bool = false
        package var configSource: Int8 = -1
        package var isSensitive: Bool = false
        package var synonyms: [DescribeConfigsSynonym] = []
        package var configType: Int8 = 0
        package var documentation: String? = ""

        package init(
            name: String = "", value: String? = "", readOnly: Bool = false, isDefault: Bool = false,
            configSource: Int8 = -1, isSensitive: Bool = false, synonyms: [DescribeConfigsSynonym] = [],
            configType: Int8 = 0, documentation: String? = ""
        ) {
            self.name = name
            self.value = value
            self.readOnly = readOnly
            self.isDefault = isDefault
            self.configSource = configSource
            self.isSensitive = isSensitive
            self.synonyms = synonyms
            self.configType = configType
            self.documentation = documentation
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            name = try reader.string(flexible)
            value = try reader.nullableString(flexible, nullable: true)
            readOnly = try reader.bool()
            if version <= 0 { isDefault = try reader.bool() }
            if version >= 1 { configSource = try reader.int8() }
            isSensitive = try reader.bool()
            if version >= 1 {
                synonyms = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                    try DescribeConfigsSynonym(from: &reader, version: version)
                }
            }
            if version >= 3 { configType = try reader.int8() }
            if version >= 3 { documentation = try reader.nullableString(flexible, nullable: true) }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            writer.string(name, flexible)
            writer.nullableString(value, flexible, nullable: true)
            writer.bool(readOnly)
            if version <= 0 { writer.bool(isDefault) }
            if version >= 1 { writer.int8(configSource) }
            writer.bool(isSensitive)
            if version >= 1 { writer.array(synonyms, flexible) { $1.write(to: &$0, version: version) } }
            if version >= 3 { writer.int8(configType) }
            if version >= 3 { writer.nullableString(documentation, flexible, nullable: true) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct DescribeConfigsSynonym: KafkaStruct {
        package var name: String = ""
        package var value: String? = ""
        package var source: Int8 = 0

        package init(name: String = "", value: String? = "", source: Int8 = 0) {
            self.name = name
            self.value = value
            self.source = source
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 4
            if version >= 1 { name = try reader.string(flexible) }
            if version >= 1 { value = try reader.nullableString(flexible, nullable: true) }
            if version >= 1 { source = try reader.int8() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 4
            if version >= 1 { writer.string(name, flexible) }
            if version >= 1 { writer.nullableString(value, flexible, nullable: true) }
            if version >= 1 { writer.int8(source) }
            if flexible {
                writer.noTags()
            }
        }
    }
}

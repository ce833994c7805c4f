// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DescribeClientQuotasRequest (API 48), versions 0 to 1.
package struct DescribeClientQuotasRequest: KafkaMessage {
    package static let apiKey: Int16 = 48
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 1
    package var components: [ComponentData] = []
    package var strict: Bool = false

    package init(components: [ComponentData] = [], strict: Bool = false) {
        self.components = components
        self.strict = strict
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 1
        components = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try ComponentData(from: &reader, version: version)
        }
        strict = try reader.bool()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 1
        writer.array(components, flexible) { $1.write(to: &$0, version: version) }
        writer.bool(strict)
        if flexible {
            writer.noTags()
        }
    }

    package struct ComponentData: KafkaStruct {
        package var entityType: String = ""
        package var matchType: Int8 = 0
        package var match: String? = ""

        package init(entityType: String = "", matchType: Int8 = 0, match: String? = "") {
            self.entityType = entityType
            self.matchType = matchType
            self.match = match
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            entityType = try reader.string(flexible)
            matchType = try reader.int8()
            match = try reader.nullableString(flexible, nullable: true)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.string(entityType, flexible)
            writer.int8(matchType)
            writer.nullableString(match, flexible, nullable: true)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// DescribeClientQuotasResponse (API 48), versions 0 to 1.
package struct DescribeClientQuotasResponse: KafkaMessage {
    package static let apiKey: Int16 = 48
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 1
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var errorMessage: String? = ""
    package var entries: [EntryData]? = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, errorMessage: String? = "", entries: [EntryData]? = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.entries = entries
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 1
        throttleTimeMs = try reader.int32()
        errorCode = try reader.int16()
        errorMessage = try reader.nullableString(flexible, nullable: true)
        entries = try reader.array(flexible, nullable: true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try EntryData(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 1
        writer.int32(throttleTimeMs)
        writer.int16(errorCode)
        writer.nullableString(errorMessage, flexible, nullable: true)
        writer.array(entries, flexible, nullable: true) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct EntryData: KafkaStruct {
        package var entity: [EntityData] = []
        package var values: [ValueData] = []

        package init(entity: [EntityData] = [], values: [ValueData] = []) {
            self.entity = entity
            self.values = values
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            entity = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try EntityData(from: &reader, version: version)
            }
            values = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try ValueData(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.array(entity, flexible) { $1.write(to: &$0, version: version) }
            writer.array(values, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct EntityData: KafkaStruct {
        package var entityType: String = ""
        package var entityName: String? = ""

        package init(entityType: String = "", entityName: String? = "") {
            self.entityType = entityType
            self.entityName = entityName
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            entityType = try reader.string(flexible)
            entityName = try reader.nullableString(flexible, nullable: true)
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.string(entityType, flexible)
            writer.nullableString(entityName, flexible, nullable: true)
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct ValueData: KafkaStruct {
        package var key: String = ""
        package var value: Double = 0

        package init(key: String = "", value: Double = 0) {
            self.key = key
            self.value = value
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            key = try reader.string(flexible)
            value = try reader.float64()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.string(key, flexible)
            writer.float64(value)
            if flexible {
                writer.noTags()
            }
        }
    }
}

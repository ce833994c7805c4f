// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// AlterClientQuotasRequest (API 49), versions 0 to 1.
package struct AlterClientQuotasRequest: KafkaMessage {
    package static let apiKey: Int16 = 49
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 1
    package var entries: [EntryData] = []
    package var validateOnly: Bool = false

    package init(entries: [EntryData] = [], validateOnly: Bool = false) {
        self.entries = entries
        self.validateOnly = validateOnly
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 1
        entries = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try EntryData(from: &reader, version: version)
        }
        validateOnly = try reader.bool()
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 1
        writer.array(entries, flexible) { $1.write(to: &$0, version: version) }
        writer.bool(validateOnly)
        if flexible {
            writer.noTags()
        }
    }

    package struct EntryData: KafkaStruct {
        package var entity: [EntityData] = []
        package var ops: [OpData] = []

        package init(entity: [EntityData] = [], ops: [OpData] = []) {
            self.entity = entity
            self.ops = ops
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            entity = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try EntityData(from: &reader, version: version)
            }
            ops = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try OpData(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.array(entity, flexible) { $1.write(to: &$0, version: version) }
            writer.array(ops, flexible) { $1.write(to: &$0, version: version) }
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

    package struct OpData: KafkaStruct {
        package var key: String = ""
        package var value: Double = 0
        package var remove: Bool = false

        package init(key: String = "", value: Double = 0, remove: Bool = false) {
            self.key = key
            self.value = value
            self.remove = remove
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            key = try reader.string(flexible)
            value = try reader.float64()
            remove = try reader.bool()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.string(key, flexible)
            writer.float64(value)
            writer.bool(remove)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// AlterClientQuotasResponse (API 49), versions 0 to 1.
package struct AlterClientQuotasResponse: KafkaMessage {
    package static let apiKey: Int16 = 49
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 1
    package var throttleTimeMs: Int32 = 0
    package var entries: [EntryData] = []

    package init(throttleTimeMs: Int32 = 0, entries: [EntryData] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.entries = entries
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 1
        throttleTimeMs = try reader.int32()
        entries = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try EntryData(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 1
        writer.int32(throttleTimeMs)
        writer.array(entries, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct EntryData: KafkaStruct {
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""
        package var entity: [EntityData] = []

        package init(errorCode: Int16 = 0, errorMessage: String? = "", entity: [EntityData] = []) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.entity = entity
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 1
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(flexible, nullable: true)
            entity = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try EntityData(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 1
            writer.int16(errorCode)
            writer.nullableString(errorMessage, flexible, nullable: true)
            writer.array(entity, flexible) { $1.write(to: &$0, version: version) }
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
}

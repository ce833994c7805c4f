// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// ApiVersionsRequest (API 18), versions 0 to 4.
package struct ApiVersionsRequest: KafkaMessage {
    package static let apiKey: Int16 = 18
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 3
    package var clientSoftwareName: String = ""
    package var clientSoftwareVersion: String = ""

    package init(clientSoftwareName: String = "", clientSoftwareVersion: String = "") {
        self.clientSoftwareName = clientSoftwareName
        self.clientSoftwareVersion = clientSoftwareVersion
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        if version >= 3 { clientSoftwareName = try reader.string(flexible) }
        if version >= 3 { clientSoftwareVersion = try reader.string(flexible) }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 3 { writer.string(clientSoftwareName, flexible) }
        if version >= 3 { writer.string(clientSoftwareVersion, flexible) }
        if flexible {
            writer.noTags()
        }
    }
}

/// ApiVersionsResponse (API 18), versions 0 to 4.
package struct ApiVersionsResponse: KafkaMessage {
    package static let apiKey: Int16 = 18
    package static let versions: ClosedRange<Int16> = 0...4
    package static let firstFlexible: Int16? = 3
    package var errorCode: Int16 = 0
    package var apiKeys: [ApiVersion] = []
    package var throttleTimeMs: Int32 = 0
    package var supportedFeatures: [SupportedFeatureKey] = []
    package var finalizedFeaturesEpoch: Int64 = -1
    package var finalizedFeatures: [FinalizedFeatureKey] = []
    package var zkMigrationReady: Bool = false

    package init(
        errorCode: Int16 = 0, apiKeys: [ApiVersion] = [], throttleTimeMs: Int32 = 0,
        supportedFeatures: [SupportedFeatureKey] = [], finalizedFeaturesEpoch: Int64 = -1,
        finalizedFeatures: [FinalizedFeatureKey] = [], zkMigrationReady: Bool = false
    ) {
        self.errorCode = errorCode
        self.apiKeys = apiKeys
        self.throttleTimeMs = throttleTimeMs
        self.supportedFeatures = supportedFeatures
        self.finalizedFeaturesEpoch = finalizedFeaturesEpoch
        self.finalizedFeatures = finalizedFeatures
        self.zkMigrationReady = zkMigrationReady
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 3
        errorCode = try reader.int16()
        apiKeys = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try ApiVersion(from: &reader, version: version)
        }
        if version >= 1 { throttleTimeMs = try reader.int32() }
        if flexible {
            try reader.tags { (tag, reader) throws(KafkaProtocolError) in
                switch tag {
                case 0:
                    supportedFeatures = try reader.array(true) {
                        (reader: inout KafkaReader) throws(KafkaProtocolError) in
                        try SupportedFeatureKey(from: &reader, version: version)
                    }
                case 1: finalizedFeaturesEpoch = try reader.int64()
                case 2:
                    finalizedFeatures = try reader.array(true) {
                        (reader: inout KafkaReader) throws(KafkaProtocolError) in
                        try FinalizedFeatureKey(from: &reader, version: version)
                    }
                case 3: zkMigrationReady = try reader.bool()
                default: return false
                }
                return true
            }
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 3
        writer.int16(errorCode)
        writer.array(apiKeys, flexible) { $1.write(to: &$0, version: version) }
        if version >= 1 { writer.int32(throttleTimeMs) }
        if flexible {
            var tags = KafkaTags()
            if version >= 3 && supportedFeatures != [] {
                tags.add(0) { writer in writer.array(supportedFeatures, true) { $1.write(to: &$0, version: version) } }
            }
            if version >= 3 && finalizedFeaturesEpoch != -1 {
                tags.add(1) { writer in writer.int64(finalizedFeaturesEpoch) }
            }
            if version >= 3 && finalizedFeatures != [] {
                tags.add(2) { writer in writer.array(finalizedFeatures, true) { $1.write(to: &$0, version: version) } }
            }
            if version >= 3 && zkMigrationReady != false { tags.add(3) { writer in writer.bool(zkMigrationReady) } }
            writer.tags(tags)
        }
    }

    package struct ApiVersion: KafkaStruct {
        package var apiKey: Int16 = 0
        package var minVersion: Int16 = 0
        package var maxVersion: Int16 = 0

        package init(apiKey: Int16 = 0, minVersion: Int16 = 0, maxVersion: Int16 = 0) {
            self.apiKey = apiKey
            self.minVersion = minVersion
            self.maxVersion = maxVersion
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            apiKey = try reader.int16()
            minVersion = try reader.int16()
            maxVersion = try reader.int16()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            writer.int16(apiKey)
            writer.int16(minVersion)
            writer.int16(maxVersion)
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct SupportedFeatureKey: KafkaStruct {
        package var name: String = ""
        package var minVersion: Int16 = 0
        package var maxVersion: Int16 = 0

        package init(name: String = "", minVersion: Int16 = 0, maxVersion: Int16 = 0) {
            self.name = name
            self.minVersion = minVersion
            self.maxVersion = maxVersion
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            if version >= 3 { name = try reader.string(flexible) }
            if version >= 3 { minVersion = try reader.int16() }
            if version >= 3 { maxVersion = try reader.int16() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            if version >= 3 { writer.string(name, flexible) }
            if version >= 3 { writer.int16(minVersion) }
            if version >= 3 { writer.int16(maxVersion) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct FinalizedFeatureKey: KafkaStruct {
        package var name: String = ""
        package var maxVersionLevel: Int16 = 0
        package var minVersionLevel: Int16 = 0

        package init(name: String = "", maxVersionLevel: Int16 = 0, minVersionLevel: Int16 = 0) {
            self.name = name
            self.maxVersionLevel = maxVersionLevel
            self.minVersionLevel = minVersionLevel
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 3
            if version >= 3 { name = try reader.string(flexible) }
            if version >= 3 { maxVersionLevel = try reader.int16() }
            if version >= 3 { minVersionLevel = try reader.int16() }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 3
            if version >= 3 { writer.string(name, flexible) }
            if version >= 3 { writer.int16(maxVersionLevel) }
            if version >= 3 { writer.int16(minVersionLevel) }
            if flexible {
                writer.noTags()
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DescribeClusterRequest (API 60), versions 0 to 1.
package struct DescribeClusterRequest: KafkaMessage {
    package static let apiKey: Int16 = 60
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 0
    package var includeClusterAuthorizedOperations: Bool = false
    package var endpointType: Int8 = 1

    package init(includeClusterAuthorizedOperations: Bool = false, endpointType: Int8 = 1) {
        self.includeClusterAuthorizedOperations = includeClusterAuthorizedOperations
        self.endpointType = endpointType
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        includeClusterAuthorizedOperations = try reader.bool()
        if version >= 1 { endpointType = try reader.int8() }
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.bool(includeClusterAuthorizedOperations)
        if version >= 1 { writer.int8(endpointType) }
        writer.noTags()
    }
}

/// DescribeClusterResponse (API 60), versions 0 to 1.
package struct DescribeClusterResponse: KafkaMessage {
    package static let apiKey: Int16 = 60
    package static let versions: ClosedRange<Int16> = 0...1
    package static let firstFlexible: Int16? = 0
    package var throttleTimeMs: Int32 = 0
    package var errorCode: Int16 = 0
    package var errorMessage: String? = nil
    package var endpointType: Int8 = 1
    package var clusterId: String = ""
    package var controllerId: Int32 = -1
    package var brokers: [DescribeClusterBroker] = []
    package var clusterAuthorizedOperations: Int32 = -2147483648

    package init(
        throttleTimeMs: Int32 = 0, errorCode: Int16 = 0, errorMessage: String? = nil, endpointType: Int8 = 1,
        clusterId: String = "", controllerId: Int32 = -1, brokers: [DescribeClusterBroker] = [],
        clusterAuthorizedOperations: Int32 = -2147483648
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.endpointType = endpointType
        self.clusterId = clusterId
        self.controllerId = controllerId
        self.brokers = brokers
        self.clusterAuthorizedOperations = clusterAuthorizedOperations
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.int16()
        errorMessage = try reader.nullableString(true, nullable: true)
        if version >= 1 { endpointType = try reader.int8() }
        clusterId = try reader.string(true)
        controllerId = try reader.int32()
        brokers = try reader.array(true) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DescribeClusterBroker(from: &reader, version: version)
        }
        clusterAuthorizedOperations = try reader.int32()
        try reader.skipTags()
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.int16(errorCode)
        writer.nullableString(errorMessage, true, nullable: true)
        if version >= 1 { writer.int8(endpointType) }
        writer.string(clusterId, true)
        writer.int32(controllerId)
        writer.array(brokers, true) { $1.write(to: &$0, version: version) }
        writer.int32(clusterAuthorizedOperations)
        writer.noTags()
    }

    package struct DescribeClusterBroker: KafkaStruct {
        package var brokerId: Int32 = 0
        package var host: String = ""
        package var port: Int32 = 0
        package var rack: String? = nil

        package init(brokerId: Int32 = 0, host: String = "", port: Int32 = 0, rack: String? = nil) {
            self.brokerId = brokerId
            self.host = host
            self.port = port
            self.rack = rack
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            brokerId = try reader.int32()
            host = try reader.string(true)
            port = try reader.int32()
            rack = try reader.nullableString(true, nullable: true)
            try reader.skipTags()
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            writer.int32(brokerId)
            writer.string(host, true)
            writer.int32(port)
            writer.nullableString(rack, true, nullable: true)
            writer.noTags()
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
// Written by scripts/generate-kafka-messages.

/// DeleteAclsRequest (API 31), versions 0 to 3.
package struct DeleteAclsRequest: KafkaMessage {
    package static let apiKey: Int16 = 31
    package static let versions: ClosedRange<Int16> = 0...3
    package static let firstFlexible: Int16? = 2
    package var filters: [DeleteAclsFilter] = []

    package init(filters: [DeleteAclsFilter] = []) {
        self.filters = filters
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        filters = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DeleteAclsFilter(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(filters, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DeleteAclsFilter: KafkaStruct {
        package var resourceTypeFilter: Int8 = 0
        package var resourceNameFilter: String? = ""
        package var patternTypeFilter: Int8 = 3
        package var principalFilter: String? = ""
        package var hostFilter: String? = ""
        package var operation: Int8 = 0
        package var permissionType: Int8 = 0

        package init(
            resourceTypeFilter: Int8 = 0, resourceNameFilter: String? = "", patternTypeFilter: Int8 = 3,
            principalFilter: String? = "", hostFilter: String? = "", operation: Int8 = 0, permissionType: Int8 = 0
        ) {
            self.resourceTypeFilter = resourceTypeFilter
            self.resourceNameFilter = resourceNameFilter
            self.patternTypeFilter = patternTypeFilter
            self.principalFilter = principalFilter
            self.hostFilter = hostFilter
            self.operation = operation
            self.permissionType = permissionType
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            resourceTypeFilter = try reader.int8()
            resourceNameFilter = try reader.nullableString(flexible, nullable: true)
            if version >= 1 { patternTypeFilter = try reader.int8() }
            principalFilter = try reader.nullableString(flexible, nullable: true)
            hostFilter = try reader.nullableString(flexible, nullable: true)
            operation = try reader.int8()
            permissionType = try reader.int8()
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.int8(resourceTypeFilter)
            writer.nullableString(resourceNameFilter, flexible, nullable: true)
            if version >= 1 { writer.int8(patternTypeFilter) }
            writer.nullableString(principalFilter, flexible, nullable: true)
            writer.nullableString(hostFilter, flexible, nullable: true)
            writer.int8(operation)
            writer.int8(permissionType)
            if flexible {
                writer.noTags()
            }
        }
    }
}

/// DeleteAclsResponse (API 31), versions 0 to 3.
package struct DeleteAclsResponse: KafkaMessage {
    package static let apiKey: Int16 = 31
    package static let versions: ClosedRange<Int16> = 0...3
    package static let firstFlexible: Int16? = 2
    package var throttleTimeMs: Int32 = 0
    package var filterResults: [DeleteAclsFilterResult] = []

    package init(throttleTimeMs: Int32 = 0, filterResults: [DeleteAclsFilterResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.filterResults = filterResults
    }

    package init() {}

    package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        filterResults = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
            try DeleteAclsFilterResult(from: &reader, version: version)
        }
        if flexible {
            try reader.skipTags()
        }
    }

    package func write(to writer: inout KafkaWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(filterResults, flexible) { $1.write(to: &$0, version: version) }
        if flexible {
            writer.noTags()
        }
    }

    package struct DeleteAclsFilterResult: KafkaStruct {
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""
        package var matchingAcls: [DeleteAclsMatchingAcl] = []

        package init(errorCode: Int16 = 0, errorMessage: String? = "", matchingAcls: [DeleteAclsMatchingAcl] = []) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.matchingAcls = matchingAcls
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(flexible, nullable: true)
            matchingAcls = try reader.array(flexible) { (reader: inout KafkaReader) throws(KafkaProtocolError) in
                try DeleteAclsMatchingAcl(from: &reader, version: version)
            }
            if flexible {
                try reader.skipTags()
            }
        }

        package func write(to writer: inout KafkaWriter, version: Int16) {
            let flexible = version >= 2
            writer.int16(errorCode)
            writer.nullableString(errorMessage, flexible, nullable: true)
            writer.array(matchingAcls, flexible) { $1.write(to: &$0, version: version) }
            if flexible {
                writer.noTags()
            }
        }
    }

    package struct DeleteAclsMatchingAcl: KafkaStruct {
        package var errorCode: Int16 = 0
        package var errorMessage: String? = ""
        package var resourceType: Int8 = 0
        package var resourceName: String = ""
        package var patternType: Int8 = 3
        package var principal: String = ""
        package var host: String = ""
        package var operation: Int8 = 0
        package var permissionType: Int8 = 0

        package init(
            errorCode: Int16 = 0, errorMessage: String? = "", resourceType: Int8 = 0, resourceName: String = "",
            patternType: Int8 = 3, principal: String = "", host: String = "", operation: Int8 = 0,
            permissionType: Int8 = 0
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.patternType = patternType
            self.principal = principal
            self.host = host
            self.operation = operation
            self.permissionType = permissionType
        }

        package init() {}

        package init(from reader: inout KafkaReader, version: Int16) throws(KafkaProtocolError) {
            let flexible = version >= 2
            errorCode = try reader.int16()
            errorMessage = try reader.nullableString(flexible, nullable: true)
            resourceType = try reader.int8()
            resourceName = try reader.string(flexible)
            if version >= 1 { patternType = try reader.int8() }
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
            writer.int16(errorCode)
            writer.nullableString(errorMessage, flexible, nullable: true)
            writer.int8(resourceType)
            writer.string(resourceName, flexible)
            if version >= 1 { writer.int8(patternType) }
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

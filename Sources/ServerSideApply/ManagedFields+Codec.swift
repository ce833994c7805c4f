// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension ManagedFields {
    /// The most entries that are read from a client.
    private static let maximumEntries = 1000

    /// Reads what a client sent.
    /// - Throws: when it is not valid; upstream then goes on with what it had.
    package init(json: JSONValue) throws(FieldSetError) {
        guard case .array(let elements) = json, elements.count <= Self.maximumEntries else {
            throw FieldSetError(description: "managedFields must be a list of at most \(Self.maximumEntries) entries")
        }
        for element in elements {
            guard let operation = element["operation"].string.flatMap(Operation.init(rawValue:)) else {
                throw FieldSetError(description: "operation must be `Apply` or `Update`")
            }
            guard let version = element["apiVersion"].string, !version.isEmpty else {
                throw FieldSetError(description: "apiVersion must not be empty")
            }
            guard element["fieldsType"] == "FieldsV1" else {
                throw FieldSetError(description: "invalid fieldsType \(element["fieldsType"].text.prefix(64))")
            }
            let entry = Entry(
                manager: element["manager"].string ?? "", operation: operation, apiVersion: version,
                subresource: element["subresource"].string ?? "",
                time: element["time"].string.flatMap { Timestamp(rfc3339: $0)?.rfc3339 },
                fields: element["fieldsV1"].isNull ? FieldSet() : try FieldSet(json: element["fieldsV1"]))
            if let index = index(of: entry.identity) { entries[index] = entry } else { entries.append(entry) }
        }
        sort()
    }

    /// Whether this is the one empty entry by which a client asks to forget all managers.
    package static func isReset(_ json: JSONValue) -> Bool {
        guard case .array(let elements) = json, elements.count == 1, case .object(let members) = elements[0] else {
            return false
        }
        return members.values.allSatisfy { $0.isNull || $0 == "" }
    }

    // MARK: Stored form

    /// The list as compact JSON.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        bytes.append(UInt8(ascii: "["))
        for (index, entry) in entries.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: "{\"apiVersion\":".utf8)
            FieldSetText.append(string: entry.apiVersion, to: &bytes)
            bytes.append(contentsOf: ",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":".utf8)
            entry.fields.write(to: &bytes)
            bytes.append(contentsOf: ",\"manager\":".utf8)
            FieldSetText.append(string: entry.manager, to: &bytes)
            bytes.append(contentsOf: ",\"operation\":\"".utf8)
            bytes.append(contentsOf: entry.operation.rawValue.utf8)
            bytes.append(UInt8(ascii: "\""))
            if !entry.subresource.isEmpty {
                bytes.append(contentsOf: ",\"subresource\":".utf8)
                FieldSetText.append(string: entry.subresource, to: &bytes)
            }
            if let time = entry.time {
                bytes.append(contentsOf: ",\"time\":".utf8)
                FieldSetText.append(string: time, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }

    /// Reads the stored form; what another program wrote is read as a client's.
    package init(stored bytes: [UInt8]) throws(FieldSetError) {
        guard !bytes.isEmpty else {
            self.init()
            return
        }
        let read = bytes.withUnsafeBufferPointer { buffer -> [Entry]? in
            var reader = FieldSetText(buffer[...])
            return try? reader.entries()
        }
        if let read {
            self.init()
            entries = read
            return
        }
        let json: JSONValue
        do {
            json = try JSONParser.parse(bytes)
        } catch {
            throw FieldSetError(description: "\(error)")
        }
        try self.init(json: json)
    }
}

extension FieldSetText {
    /// Reads the stored form of a list of managers.
    fileprivate mutating func entries() throws(FieldSetError) -> [ManagedFields.Entry] {
        var entries: [ManagedFields.Entry] = []
        try expect("[")
        guard !take(UInt8(ascii: "]")) else { return [] }
        repeat {
            try expect("{\"apiVersion\":")
            let version = try string()
            try expect(",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":")
            let fields = try set(depth: 0).set
            try expect(",\"manager\":")
            let manager = try string()
            try expect(",\"operation\":")
            guard let operation = ManagedFields.Operation(rawValue: try string()) else {
                throw FieldSetError(description: "operation must be `Apply` or `Update`")
            }
            var entry = ManagedFields.Entry(
                manager: manager, operation: operation, apiVersion: version, fields: fields)
            if take(",\"subresource\":") { entry.subresource = try string() }
            if take(",\"time\":") { entry.time = try string() }
            try expect("}")
            entries.append(entry)
        } while take(UInt8(ascii: ","))
        try expect("]")
        guard isAtEnd else { throw FieldSetError(description: "managedFields: text after the end") }
        return entries
    }

    private mutating func expect(_ text: StaticString) throws(FieldSetError) {
        guard take(text) else { throw FieldSetError(description: "managedFields: expected '\(text)'") }
    }
}

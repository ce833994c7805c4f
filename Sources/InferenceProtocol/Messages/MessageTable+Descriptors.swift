// SPDX-License-Identifier: Apache-2.0
package import NIOCore

/// Files as reflection tells of them: google.protobuf.FileDescriptorProto, by the numbers of descriptor.proto.
extension MessageTable {
    /// The descriptor of a file; nil for one that is not known.
    package func descriptor(ofFile name: String) -> ByteBuffer? {
        files.first { $0.name == name }.map(descriptor)
    }

    /// The file that has a service, a method, a message or an enum of this full name.
    package func file(of symbol: String) -> String? {
        files.first { file in
            guard symbol.hasPrefix(file.package + ".") else { return false }
            let name = symbol.dropFirst(file.package.count + 1)
            return file.messages.contains { message in
                message.name == name || message.fields.contains { name == "\(message.name).\($0.name)" }
            }
                || file.enums.contains { $0.name == name }
                || file.services.contains { service in
                    service.name == name || service.methods.contains { name == "\(service.name).\($0.name)" }
                }
        }?.name
    }

    /// A file and all that it imports, itself first.
    package func files(with name: String) -> [String] {
        var found: [String] = []
        var waiting = [name]
        while let next = waiting.popLast() {
            guard !found.contains(next), let file = files.first(where: { $0.name == next }) else { continue }
            found.append(next)
            waiting += file.imports
        }
        return found
    }

    private func descriptor(_ file: File) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeField(1, file.name)
        buffer.writeField(2, file.package)
        for name in file.imports { buffer.writeField(3, name) }
        for message in file.messages where !message.name.contains(".") {
            buffer.writeMessage(4, self.message(message.name, message.fields, file))
        }
        for entry in file.enums where !entry.name.contains(".") {
            buffer.writeMessage(5, enumeration(entry.name, entry.values))
        }
        for service in file.services { buffer.writeMessage(6, Self.service(service.name, service.methods)) }
        buffer.writeField(12, "proto3")
        return buffer
    }

    private func message(_ name: String, _ fields: [Field], _ file: File) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeField(1, Self.last(name))
        var choices: [String] = []
        var entries: [ByteBuffer] = []
        for field in fields {
            var kind = field.kind
            var isRepeated = field.isRepeated
            if case .map(let key, let value) = kind {
                let entry = Self.entryName(field.name)
                entries.append(Self.entry(entry, key, value))
                kind = .message("\(file.package).\(name).\(entry)")
                isRepeated = true
            }
            if let choice = field.choice, !choices.contains(choice) { choices.append(choice) }
            buffer.writeMessage(
                2,
                Self.field(
                    field.name, field.number, kind, isRepeated: isRepeated,
                    choice: field.choice.flatMap(choices.firstIndex(of:))))
        }
        for nested in file.messages where Self.isDirectly(nested.name, in: name) {
            buffer.writeMessage(3, message(nested.name, nested.fields, file))
        }
        for entry in entries { buffer.writeMessage(3, entry) }
        for entry in file.enums where Self.isDirectly(entry.name, in: name) {
            buffer.writeMessage(4, enumeration(entry.name, entry.values))
        }
        for choice in choices {
            var declaration = ByteBuffer()
            declaration.writeField(1, choice)
            buffer.writeMessage(8, declaration)
        }
        return buffer
    }

    private static func isDirectly(_ name: String, in outer: String) -> Bool {
        name.hasPrefix(outer + ".") && !name.dropFirst(outer.count + 1).contains(".")
    }

    private static func last(_ name: String) -> String { name.split(separator: ".").last.map(String.init) ?? name }

    /// protoc's name of the message of a map's entries.
    private static func entryName(_ field: String) -> String {
        field.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined() + "Entry"
    }

    private static func entry(_ name: String, _ key: Kind, _ value: Kind) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeField(1, name)
        buffer.writeMessage(2, field("key", 1, key, isRepeated: false, choice: nil))
        buffer.writeMessage(2, field("value", 2, value, isRepeated: false, choice: nil))
        var options = ByteBuffer()
        options.writeField(7, varint: 1)
        buffer.writeMessage(7, options)
        return buffer
    }

    /// FieldDescriptorProto.Type.
    private static let types: [String: UInt64] = [
        "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "fixed64": 6, "fixed32": 7, "bool": 8,
        "string": 9, "bytes": 12, "uint32": 13, "sfixed32": 15, "sfixed64": 16, "sint32": 17, "sint64": 18,
    ]

    private static func field(
        _ name: String, _ number: Int, _ kind: Kind, isRepeated: Bool, choice: Int?
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeField(1, name)
        buffer.writeField(3, varint: UInt64(number))
        buffer.writeField(4, varint: isRepeated ? 3 : 1)
        switch kind {
        case .scalar(let type): buffer.writeField(5, varint: types[type] ?? 9)
        case .message(let name):
            buffer.writeField(5, varint: 11)
            buffer.writeField(6, ".\(name)")
        case .enumeration(let name):
            buffer.writeField(5, varint: 14)
            buffer.writeField(6, ".\(name)")
        case .map: break
        }
        if let choice { buffer.writeField(9, varint: UInt64(choice)) }
        return buffer
    }

    private func enumeration(_ name: String, _ values: [(name: String, number: Int)]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeField(1, Self.last(name))
        for value in values {
            var entry = ByteBuffer()
            entry.writeField(1, value.name)
            entry.writeField(2, varint: UInt64(bitPattern: Int64(value.number)))
            buffer.writeMessage(2, entry)
        }
        return buffer
    }

    private static func service(_ name: String, _ methods: [Method]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeField(1, name)
        for method in methods {
            var entry = ByteBuffer()
            entry.writeField(1, method.name)
            entry.writeField(2, ".\(method.input)")
            entry.writeField(3, ".\(method.output)")
            if method.isClientStreaming { entry.writeField(5, varint: 1) }
            if method.isServerStreaming { entry.writeField(6, varint: 1) }
            buffer.writeMessage(2, entry)
        }
        return buffer
    }
}

extension ByteBuffer {
    /// A message within another.
    mutating func writeMessage(_ field: Int, _ message: ByteBuffer) {
        writeHead(field, length: message.readableBytes)
        writeImmutableBuffer(message)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A value of an expression.
package enum CELValue: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case timestamp(CELTimestamp)
    case duration(CELDuration)
    case list(CELList)
    case map(CELMap)
    /// A value with declared fields.
    case object(CELObject)
    case type(CELType)
    indirect case optional(CELValue?)
    case quantity(CELQuantity)
    indirect case url(CELURL)
    case ip(CELAddress)
    indirect case cidr(CELNetwork)
    case format(CELFormat)
    indirect case semver(CELSemver)
    /// A step of `authorizer…check(…)`.
    indirect case access(CELAccess)
    /// An object of the host, such as `variables`.
    case host(any CELHostObject)
}

/// An object whose members the host computes, such as `variables` of a policy.
package protocol CELHostObject: Sendable {
    /// The member of this name; nil where there is none. What it costs is taken from the budget.
    func member(_ name: String, budget: inout CELBudget) throws(CELError) -> CELValue?
}

extension CELValue {
    /// A view of JSON, as its schema declares it: nothing is copied.
    ///
    /// A value that does not have the declared type is seen as what it is.
    package init(_ json: JSONValue, schema: CELSchema = .dynamic) {
        switch (json, schema.shape) {
        case (.null, _): self = .null
        case (.bool(let value), _): self = .bool(value)
        case (.int(let value), .double): self = .double(Double(value))
        case (.int(let value), _): self = .int(value)
        case (.double(let value), .int): self = Int64(exactly: value).map(CELValue.int) ?? .double(value)
        case (.double(let value), _): self = .double(value)
        case (.string(let text), .bytes): self = CELBase64.decode(text).map(CELValue.bytes) ?? .string(text)
        case (.string(let text), .timestamp): self = CELTimestamp(text).map(CELValue.timestamp) ?? .string(text)
        case (.string(let text), .date): self = CELTimestamp(date: text).map(CELValue.timestamp) ?? .string(text)
        case (.string(let text), .duration): self = CELDuration(text).map(CELValue.duration) ?? .string(text)
        case (.string(let text), _): self = .string(text)
        case (.array(let elements), .list(let element, let kind)):
            self = .list(CELList(json: elements, schema: element, kind: kind))
        case (.array(let elements), _): self = .list(CELList(json: elements, schema: .dynamic, kind: .atomic))
        case (.object(let members), .object(let type)): self = .object(CELObject(type: type, json: members))
        case (.object(let members), .map(let value)): self = .map(CELMap(json: members, schema: value))
        case (.object(let members), _): self = .map(CELMap(json: members, schema: .dynamic))
        }
    }

    /// The type at run time.
    package var type: CELType {
        switch self {
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        case .timestamp: .timestamp
        case .duration: .duration
        case .list: .list(.dyn)
        case .map: .map(.dyn, .dyn)
        case .object(let object): .object(object.type)
        case .type: .type(.dyn)
        case .optional: .optional(.dyn)
        case .quantity: .quantity
        case .url: .url
        case .ip: .ip
        case .cidr: .cidr
        case .format: .format
        case .semver: .semver
        case .access(let access): access.type
        case .host: .dyn
        }
    }
}

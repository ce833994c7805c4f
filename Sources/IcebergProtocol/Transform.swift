// SPDX-License-Identifier: Apache-2.0

/// What makes a partition's or a sort order's value out of a column's (table specification, "Partition Transforms").
package enum Transform: Sendable, Hashable {
    case identity
    case bucket(Int)
    case truncate(Int)
    case year, month, day, hour
    case void

    init(_ text: String, _ path: String) throws(IcebergError) {
        switch text {
        case "identity": self = .identity
        case "year": self = .year
        case "month": self = .month
        case "day": self = .day
        case "hour": self = .hour
        case "void": self = .void
        default:
            guard let open = text.firstIndex(of: "["), text.hasSuffix("]"),
                let width = Int32(text[text.index(after: open)...].dropLast()), width > 0
            else { throw .bad(path, "the transform \(text.prefix(100)) is not known to this catalog") }
            switch text[..<open] {
            case "bucket": self = .bucket(Int(width))
            case "truncate": self = .truncate(Int(width))
            default: throw .bad(path, "the transform \(text.prefix(100)) is not known to this catalog")
            }
        }
    }

    package var text: String {
        switch self {
        case .identity: "identity"
        case .bucket(let count): "bucket[\(count)]"
        case .truncate(let width): "truncate[\(width)]"
        case .year: "year"
        case .month: "month"
        case .day: "day"
        case .hour: "hour"
        case .void: "void"
        }
    }

    /// Whether it is defined for a column's type.
    package func takes(_ type: IcebergType) -> Bool {
        guard case .primitive(let name) = type else { return self == .void }
        let base = name.prefix { $0 != "(" && $0 != "[" }
        switch self {
        case .void: return true
        case .identity: return base != "variant"
        case .bucket:
            return !["boolean", "float", "double", "unknown", "variant"].contains(base)
        case .truncate: return ["int", "long", "decimal", "string", "binary"].contains(base)
        case .year, .month, .day: return base == "date" || base.hasPrefix("timestamp")
        case .hour: return base.hasPrefix("timestamp")
        }
    }
}

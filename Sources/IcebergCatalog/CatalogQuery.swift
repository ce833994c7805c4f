// SPDX-License-Identifier: Apache-2.0
import ApusCore
import IcebergProtocol

/// The query of a request: switches, and pages of lists (REST specification, `PageToken`).
struct CatalogQuery: Sendable {
    private static let largestPage = 10_000
    private let items: [(name: String, value: String)]

    init(_ items: [(name: String, value: String)]) { self.items = items }

    subscript(name: String) -> String? { items.last { $0.name == name }?.value }

    func bool(_ name: String) throws(IcebergError) -> Bool {
        switch self[name]?.lowercased() {
        case nil, "false": return false
        case "true": return true
        case .some: throw IcebergError(.badRequest, "\(name) must be true or false")
        }
    }

    /// One page of a list: all of it where no `pageToken` was sent. A token is the last key of the page before it:
    /// what is added or removed meanwhile moves nothing.
    /// - Parameters:
    ///   - member: what the answer calls the list.
    ///   - elements: all, sorted by their keys.
    ///   - key: of an element.
    ///   - json: of an element.
    /// - Returns: the answer.
    /// - Throws: `BadRequestException` for a size that is none.
    func page<Element>(
        _ member: String, _ elements: [Element], key: (Element) -> String, json: (Element) -> JSONValue
    ) throws(IcebergError) -> JSONValue {
        var size = Self.largestPage
        if let text = self["pageSize"] {
            guard let number = Int(text), number > 0 else {
                throw IcebergError(.badRequest, "pageSize must be a number from 1")
            }
            size = min(number, Self.largestPage)
        }
        guard let token = self["pageToken"] else { return .object([member: .array(elements.map(json))]) }
        let rest = token.isEmpty ? elements[...] : elements.drop { key($0) <= token }
        let page = rest.prefix(size)
        var members: [String: JSONValue] = [member: .array(page.map(json)), "next-page-token": .null]
        if page.count < rest.count, let last = page.last { members["next-page-token"] = .string(key(last)) }
        return .object(members)
    }
}

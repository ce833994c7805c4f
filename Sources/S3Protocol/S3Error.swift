// SPDX-License-Identifier: Apache-2.0

/// A failure as S3 says it (API reference, "REST error responses").
package struct S3Error: Error, Sendable, Equatable, CustomStringConvertible {
    /// A further element of the error's document.
    package struct Detail: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// What kind of failure it is.
    package var code: S3ErrorCode
    /// The code's name on the wire where ``code`` is `unknown`.
    package var name: String
    /// The HTTP status.
    package var status: Int
    /// What was wrong, where, and what to do.
    package var message: String
    /// The path of the bucket or object that it is about; may be empty.
    package var resource: String
    /// Further elements: what was expected and what came.
    package var details: [Detail]
    /// The identifier that the server gave the request; empty on the server's side.
    package var requestID: String = ""

    package init(_ code: S3ErrorCode, _ message: String, resource: String = "", details: [Detail] = []) {
        self.code = code
        name = code.rawValue
        status = code.status
        self.message = message
        self.resource = resource
        self.details = details
    }

    /// `NoSuchKey (404): …`
    package var description: String {
        "\(name) (\(status)): \(message)" + (resource.isEmpty ? "" : " [\(resource)]")
    }

    /// The document that a client is sent.
    package func xml(requestID: String) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("Error", namespace: nil) { writer in
            writer.text("Code", name)
            writer.text("Message", message)
            if !resource.isEmpty { writer.text("Resource", resource) }
            for detail in details { writer.text(named: detail.name, detail.value) }
            writer.text("RequestId", requestID)
        }
        return writer.bytes
    }

    /// A failure as a server answered it; a body that is no error document leaves what the status says.
    package init(status: Int, xml: [UInt8], resource: String) {
        let document = try? XMLElement(xml, limits: .init(bytes: 64 << 10, depth: 8, elements: 64))
        let isError = document?.name == "Error"
        let name = isError ? document?["Code"] ?? "" : ""
        code = S3ErrorCode(rawValue: name) ?? Self.code(of: status)
        self.name = name.isEmpty ? code.rawValue : name
        self.status = status
        message = (isError ? document?["Message"] : nil) ?? "the server answered with status \(status)"
        self.resource = (isError ? document?["Resource"] : nil) ?? resource
        requestID = (isError ? document?["RequestId"] : nil) ?? ""
        details = (isError ? document?.children ?? [] : []).compactMap { element in
            ["Code", "Message", "Resource", "RequestId"].contains(element.name)
                ? nil : Detail(element.name, element.text)
        }
    }

    /// What a status without a document (an answer to HEAD has none) most likely means.
    private static func code(of status: Int) -> S3ErrorCode {
        switch status {
        case 304: .notModified
        case 403: .accessDenied
        case 404: .noSuchKey
        case 405: .methodNotAllowed
        case 409: .conditionalRequestConflict
        case 411: .missingContentLength
        case 412: .preconditionFailed
        case 416: .invalidRange
        case 429: .slowDown
        case 500: .internalError
        case 501: .notImplemented
        case 503: .serviceUnavailable
        default: .unknown
        }
    }
}

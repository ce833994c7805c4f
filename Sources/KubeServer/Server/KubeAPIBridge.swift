// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The parts of KubeAPI that a write goes through, with failures as clients see them.
enum WriteRules {
    /// Applies a patch of any type.
    static func patch(
        _ request: KubeRequest, _ object: JSONValue, kind: GroupVersionKind, schema: Schema
    ) throws(StatusError) -> JSONValue {
        let document: JSONValue
        do {
            document = try JSONParser.parse(request.body)
        } catch {
            throw .badRequest("error decoding patch: \(error)")
        }
        do throws(PatchError) {
            switch BodyDecoder.mediaType(request.contentType) {
            case JSONPatch.mediaType: return try JSONPatch(document).apply(to: object)
            case MergePatch.mediaType:
                guard document.object != nil else {
                    throw PatchError(.malformed, "a merge patch must be an object, not \(document.typeName)")
                }
                return MergePatch.apply(document, to: object)
            case StrategicMergePatch.mediaType:
                guard let type = schema.type(kind) else { throw PatchError(.malformed, unsupportedStrategic) }
                return try StrategicMergePatch.apply(document, to: object, type: type, schema: schema)
            default: return .null
            }
        } catch {
            switch error.code {
            case .malformed: throw .badRequest(error.message)
            case .inapplicable:
                throw StatusError(
                    code: 422, reason: "Invalid",
                    message: "the server rejected our request due to an error in our request: \(error.message)")
            case .tooLarge: throw .tooLarge(error.message)
            }
        }
    }

    private static let unsupportedStrategic =
        "the body of the request was in an unknown format - accepted media types include: "
        + "application/json-patch+json, application/merge-patch+json"

    /// Refuses patch types that the server does not take.
    static func checkPatchType(_ request: KubeRequest, isCustom: Bool = false) throws(StatusError) {
        // A strategic patch needs the Go types of the kind.
        let accepted =
            [JSONPatch.mediaType, MergePatch.mediaType] + (isCustom ? [] : [StrategicMergePatch.mediaType])
            + [WriteOptions.applyMediaType]
        guard !accepted.contains(BodyDecoder.mediaType(request.contentType)) else { return }
        throw .unsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
                + accepted.joined(separator: ", "))
    }

    /// Whether a patch is a server-side apply.
    static func isApply(_ request: KubeRequest) -> Bool {
        BodyDecoder.mediaType(request.contentType) == WriteOptions.applyMediaType
    }

    /// Whether a patch may have to do with the managers of fields, which are kept apart otherwise: it names them, moves
    /// or replaces what they are in, or hides what it names behind escapes.
    static func mayReadManagers(_ request: KubeRequest) -> Bool {
        if BodyDecoder.mediaType(request.contentType) == JSONPatch.mediaType { return true }
        return request.body.contains(UInt8(ascii: "\\")) || request.body.contains(text: "managedFields")
            || request.body.contains(text: "\"$patch\"") || request.body.contains(text: "\"$retainKeys\"")
    }
}

extension [UInt8] {
    fileprivate func contains(text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard count >= length else { return false }
        return withUnsafeBufferPointer { bytes in
            (0...bytes.count - length).contains { start in
                bytes[start] == text.utf8Start[0]
                    && (1..<length).allSatisfy { bytes[start + $0] == text.utf8Start[$0] }
            }
        }
    }
}

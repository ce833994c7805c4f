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
        let type = BodyDecoder.mediaType(request.contentType)
        guard !accepted.contains(type) else { return }
        if type == "application/apply-patch+yaml" {
            throw .unsupportedMediaType(
                "server-side apply (application/apply-patch+yaml) is not supported by this server: use client-side "
                    + "apply, or one of \(accepted.joined(separator: ", "))")
        }
        throw .unsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
                + accepted.joined(separator: ", "))
    }
}

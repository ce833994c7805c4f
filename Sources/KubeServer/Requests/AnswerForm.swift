// SPDX-License-Identifier: Apache-2.0
import KubeAPI

/// In which form a client wants objects, by its `Accept` header.
///
/// Source: Kubernetes "API concepts", "Receiving resources as Tables" and "Alternate representations".
enum AnswerForm: Hashable {
    case object
    case table
    case partialMetadata
    case partialMetadataList

    /// The first form in the header that the server has.
    /// - Throws: 406 when there is none.
    init(accept: String) throws(StatusError) {
        // What most clients say.
        if accept == "application/json" || accept == "*/*" {
            self = .object
            return
        }
        var isOffered = accept.isEmpty
        for entry in accept.split(separator: ",") {
            var parts = entry.split(separator: ";").map { $0.drop(while: \.isWhitespace) }[...]
            guard let type = parts.popFirst() else { continue }
            guard ["application/json", "*/*", "application/*", "application/json "].contains(String(type)) else {
                continue
            }
            isOffered = true
            var parameters: [Substring: Substring] = [:]
            for part in parts {
                let pair = part.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { parameters[pair[0]] = pair[1] }
            }
            guard let kind = parameters["as"] else {
                self = .object
                return
            }
            guard parameters["g"] == "meta.k8s.io", parameters["v"] == "v1" || parameters["v"] == "v1beta1" else {
                continue
            }
            switch kind {
            case "Table":
                self = .table
                return
            case "PartialObjectMetadata":
                self = .partialMetadata
                return
            case "PartialObjectMetadataList":
                self = .partialMetadataList
                return
            default: continue
            }
        }
        guard isOffered else { throw Self.notAcceptable }
        self = .object
    }

    /// The client wants only forms that there are none of.
    static var notAcceptable: StatusError {
        StatusError(
            code: 406, reason: "NotAcceptable",
            message: "only the following media types are accepted: application/json")
    }
}

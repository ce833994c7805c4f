// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get` for roles, bindings and certificate signing requests.
enum AccessColumns {
    static let role: [TableColumn] = [
        .name,
        TableColumn("Created At", type: "date", description: "When the role was made.") { role, _ in
            role.metadata["creationTimestamp"]
        },
    ]

    static let binding: [TableColumn] = [
        .name,
        .text("Role", description: "The role that is granted.") { binding in
            let role = binding["roleRef"]
            return "\(role["kind"].string ?? "")/\(role["name"].string ?? "")"
        },
        .age,
        .text("Users", description: "Users of the binding.", wide: true) { subjects($0, "User") },
        .text("Groups", description: "Groups of the binding.", wide: true) { subjects($0, "Group") },
        .text("ServiceAccounts", description: "Accounts of the binding.", wide: true) {
            subjects($0, "ServiceAccount")
        },
    ]

    private static func subjects(_ binding: KubeObject, _ kind: String) -> String {
        binding["subjects"].elements.filter { $0["kind"].string == kind }.map { subject in
            let name = subject["name"].string ?? ""
            return kind == "ServiceAccount" ? "\(subject["namespace"].string ?? "")/\(name)" : name
        }.joined(separator: ", ")
    }

    static let certificateRequest: [TableColumn] = [
        .name, .age,
        .text("SignerName", description: "Who is asked to sign.") { $0.spec["signerName"].string ?? TableText.none },
        .text("Requestor", description: "Who asks.") { $0.spec["username"].string ?? "" },
        .text("RequestedDuration", description: "How long the certificate is wanted for.") { request in
            request.spec["expirationSeconds"].int.map { TableText.duration(Int64($0)) } ?? TableText.none
        },
        .text("Condition", description: "Approved, denied, issued.") { request in
            let types = request.status["conditions"].elements.compactMap { $0["type"].string }
            var words = types.contains("Denied") ? ["Denied"] : types.contains("Approved") ? ["Approved"] : ["Pending"]
            if types.contains("Failed") { words.append("Failed") }
            if !request.status["certificate"].isEmpty { words.append("Issued") }
            return words.joined(separator: ",")
        },
    ]
}

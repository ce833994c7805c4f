// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI
import SwiftASN1
import X509

/// What certificate signing requests may say, and who may approve and sign them. Signing itself is for later.
///
/// Source: Kubernetes "Certificates and Certificate Signing Requests".
enum CertificateRequests {
    private static let decisions = ["Approved", "Denied"]
    private static let decisive: Set = ["Approved", "Denied", "Failed"]
    private static let usages: Set = [
        "signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment",
        "cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing",
        "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing",
        "microsoft sgc", "netscape sgc",
    ]

    static var strategy: ResourceDeclaration.Strategy {
        var strategy = ResourceDeclaration.Strategy()
        // What is asked for cannot change.
        strategy.prepareUpdate = { new, old throws(StatusError) in new.spec = old.spec }
        strategy.prepareStatusUpdate = { new, old in
            // Only the subresource `approval` decides.
            var conditions = new.status["conditions"].elements
            conditions.removeAll { decisions.contains($0["type"].string ?? "") }
            let decided = old.status["conditions"].elements.filter { decisions.contains($0["type"].string ?? "") }
            new.status["conditions"] = .array(decided + conditions)
            stamp(&new, old)
        }
        strategy.statusWriters["approval"] = { new, old in
            let conditions = new.status["conditions"]
            new.status = old.status
            new.status["conditions"] = conditions
            stamp(&new, old)
        }
        strategy.validate = { object, old in old == nil ? problems(of: object) : problems(ofConditions: object) }
        return strategy
    }

    /// Sets the times of conditions.
    private static func stamp(_ new: inout KubeObject, _ old: KubeObject) {
        let now = JSONValue.string(Timestamp.now().rfc3339)
        let before = old.status["conditions"].elements
        let stamped = new.status["conditions"].elements.map { given in
            var condition = given
            let same = before.first { $0["type"] == condition["type"] && $0["status"] == condition["status"] }
            for time in ["lastUpdateTime", "lastTransitionTime"] where condition[time].isNull {
                condition[time] = same?[time] ?? now
            }
            return condition
        }
        new.status["conditions"] = .array(stamped)
        if new.status["conditions"].isEmpty { new.status["conditions"] = .null }
    }

    // MARK: Validation

    private static func problems(of object: KubeObject) -> [StatusCause] {
        var causes: [StatusCause] = []
        func add(_ reason: String, _ field: String, _ message: String) {
            causes.append(StatusCause(reason: "FieldValue\(reason)", field: field, message: message))
        }
        let spec = object.spec
        let request = spec["request"]
        if let fault = fault(ofRequest: request.string ?? "") {
            add("Invalid", "spec.request", "Invalid value: \(request.text): \(fault)")
        }
        if spec["usages"].isEmpty {
            add("Required", "spec.usages", "Required value: usages must be specified")
        }
        var seen: Set<String> = []
        for (index, usage) in spec["usages"].elements.compactMap(\.string).enumerated() {
            let field = "spec.usages[\(index)]"
            if !usages.contains(usage) {
                let known = usages.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
                add("NotSupported", field, "Unsupported value: \"\(usage)\": supported values: \(known)")
            } else if !seen.insert(usage).inserted {
                add("Duplicate", field, "Duplicate value: \"\(usage)\"")
            }
        }
        let signer = spec["signerName"].string ?? ""
        if signer.isEmpty {
            add("Required", "spec.signerName", "Required value")
        } else if !isSignerName(signer) {
            add(
                "Invalid", "spec.signerName",
                "Invalid value: \"\(signer)\": must be a fully qualified domain and path of the form "
                    + "'example.com/signer-name'")
        }
        if let seconds = spec["expirationSeconds"].int, seconds < 600 {
            add(
                "Invalid", "spec.expirationSeconds",
                "Invalid value: \(seconds): may not specify a duration less than 600 seconds (10 minutes)")
        }
        return causes
    }

    private static func problems(ofConditions object: KubeObject) -> [StatusCause] {
        var causes: [StatusCause] = []
        var seen: Set<String> = []
        for (index, condition) in object.status["conditions"].elements.enumerated() {
            let type = condition["type"].string ?? ""
            let status = condition["status"].string ?? ""
            let path = "status.conditions[\(index)]"
            func add(_ reason: String, _ field: String, _ message: String) {
                causes.append(StatusCause(reason: "FieldValue\(reason)", field: "\(path).\(field)", message: message))
            }
            if type.isEmpty { add("Required", "type", "Required value") }
            if status.isEmpty {
                add("Required", "status", "Required value")
            } else if decisive.contains(type), status != "True" {
                add("NotSupported", "status", "Unsupported value: \"\(status)\": supported values: \"True\"")
            }
            if (type == "Denied" && seen.contains("Approved")) || (type == "Approved" && seen.contains("Denied")) {
                add(
                    "Invalid", "type",
                    "Invalid value: \"\(type)\": Approved and Denied conditions are mutually exclusive")
            }
            if !seen.insert(type).inserted { add("Duplicate", "type", "Duplicate value: \"\(type)\"") }
        }
        return causes
    }

    private static func fault(ofRequest text: String) -> String? {
        guard case .success(let bytes) = Base64.decode(text) else { return "illegal base64 data" }
        let pem = String(decoding: bytes, as: UTF8.self)
        guard pem.contains("-----BEGIN CERTIFICATE REQUEST-----") else {
            return "PEM block type must be CERTIFICATE REQUEST"
        }
        return (try? CertificateSigningRequest(pemEncoded: pem)) == nil ? "the request cannot be parsed" : nil
    }

    private static func isSignerName(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, name.utf8.count <= 571, !parts[1].isEmpty else { return false }
        let labels = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        func isWord(_ word: Substring) -> Bool {
            guard let first = word.first, let last = word.last, first != "-", last != "-" else { return false }
            return word.allSatisfy { $0 == "-" || ("a"..."z").contains($0) || ("0"..."9").contains($0) }
        }
        return labels.count >= 2 && labels.allSatisfy(isWord)
            && parts[1].split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isWord)
    }

    // MARK: Who

    /// Steps of admission: who asks is written into a request, and only who may approve or sign for its signer does.
    static func plugins(_ authorizer: any Authorizer) -> [AdmissionPlugin] {
        [
            AdmissionPlugin(
                name: "CertificateRequester",
                admit: { object, attributes throws(StatusError) in
                    guard attributes.resource == .certificateSigningRequests, attributes.operation == .create else {
                        return
                    }
                    let user = attributes.user
                    object.spec["username"] = .string(user.name)
                    object.spec["uid"] = user.uid.isEmpty ? .null : .string(user.uid)
                    object.spec["groups"] = JSONValue(user.groups)
                    object.spec["extra"] =
                        user.extra.isEmpty ? .null : .object(user.extra.mapValues { JSONValue($0) })
                }),
            AdmissionPlugin(
                name: "CertificateSubjectRestriction",
                validate: { object, attributes throws(StatusError) in
                    guard attributes.resource == .certificateSigningRequests, attributes.operation == .create,
                        object.spec["signerName"] == "kubernetes.io/kube-apiserver-client",
                        let bytes = try? Base64.decode(object.spec["request"].string ?? "").get(),
                        let request = try? CertificateSigningRequest(
                            pemEncoded: String(decoding: bytes, as: UTF8.self))
                    else { return }
                    let names = request.subject.flatMap { $0 }.filter {
                        $0.type == .RDNAttributeType.organizationName && String($0.value) == "system:masters"
                    }
                    guard names.isEmpty else {
                        throw .forbidden(
                            attributes.resource, object.name,
                            "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
                        )
                    }
                }),
            AdmissionPlugin(
                name: "CertificateApproval",
                validate: { object, attributes throws(StatusError) in
                    guard attributes.resource == .certificateSigningRequests, attributes.operation == .update,
                        let old = attributes.old
                    else { return }
                    let verb: String
                    switch attributes.subresource {
                    case "approval": verb = "approve"
                    case "status" where object.status["certificate"] != old.status["certificate"]: verb = "sign"
                    default: return
                    }
                    let signer = old.spec["signerName"].string ?? ""
                    let domain = signer.split(separator: "/").first.map { "\($0)/*" } ?? ""
                    let isAllowed = [signer, domain].contains { name in
                        authorizer.decide(
                            AccessAttributes(
                                user: attributes.user,
                                AccessQuery(
                                    verb: verb, group: "certificates.k8s.io", resource: "signers", name: name))
                        ).isAllowed
                    }
                    guard isAllowed else {
                        throw .forbidden(
                            attributes.resource, object.name,
                            "user not permitted to \(verb) requests with signerName \"\(signer)\"")
                    }
                }),
        ]
    }
}

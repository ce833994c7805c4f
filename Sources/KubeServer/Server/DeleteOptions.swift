// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Options of a delete (meta/v1 DeleteOptions), from the body and the query.
struct DeleteOptions {
    /// What happens to dependents.
    enum Propagation: String {
        case background = "Background"
        case foreground = "Foreground"
        case orphan = "Orphan"
    }

    var gracePeriod: Int?
    var propagation: Propagation?
    var uid: String?
    var resourceVersion: String?
    var isDryRun = false

    init(_ request: KubeRequest, schema: Schema) throws(StatusError) {
        var json = JSONValue.null
        if !request.body.isEmpty {
            let given = try BodyDecoder.json(request, schema: schema).value
            // Clients send the options under the version of the group whose object they delete.
            var decoder = try BodyDecoder(request, schema: schema)
            json = try decoder.typed(given, apiVersion: given["apiVersion"].string ?? "v1", kind: "DeleteOptions")
        }
        gracePeriod = json["gracePeriodSeconds"].int
        if gracePeriod == nil { gracePeriod = try Self.gracePeriod(request) }
        uid = json["preconditions"]["uid"].string
        resourceVersion = json["preconditions"]["resourceVersion"].string
        isDryRun = !json["dryRun"].isEmpty
        guard json["dryRun"].elements.allSatisfy({ $0 == "All" }) else {
            throw Self.invalid(
                "dryRun: Unsupported value: \(json["dryRun"].text.prefix(64)): supported values: \"All\"")
        }
        let policy = json["propagationPolicy"].string ?? request.parameter("propagationPolicy") ?? ""
        if let orphans = json["orphanDependents"].bool ?? request.parameter("orphanDependents").map({ $0 == "true" }) {
            guard policy.isEmpty else {
                throw Self.invalid(
                    "propagationPolicy: Invalid value: \"\(policy.prefix(64))\": orphanDependents and "
                        + "deletionPropagation cannot be both set")
            }
            propagation = orphans ? .orphan : .background
        }
        guard !policy.isEmpty else { return }
        propagation = Propagation(rawValue: policy)
        guard propagation != nil else {
            throw Self.invalid(
                "propagationPolicy: Unsupported value: \"\(policy.prefix(64))\": supported values: \"Background\", "
                    + "\"Foreground\", \"Orphan\"")
        }
    }

    private static func gracePeriod(_ request: KubeRequest) throws(StatusError) -> Int? {
        guard let text = request.parameter("gracePeriodSeconds"), !text.isEmpty else { return nil }
        guard let seconds = Int(text) else {
            throw .badRequest("invalid value \"\(text.prefix(64))\" of parameter gracePeriodSeconds: expected a number")
        }
        return seconds
    }

    private static func invalid(_ why: String) -> StatusError {
        StatusError(code: 422, reason: "Invalid", message: "DeleteOptions.meta.k8s.io \"\" is invalid: \(why)")
    }

    /// Refuses to delete another object than the one that was meant.
    func check(_ object: KubeObject, _ resource: KubeResource) throws(StatusError) {
        if let uid, uid != object.uid {
            throw .conflict(
                resource, object.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(object.uid)")
        }
        if let resourceVersion, resourceVersion != object.resourceVersion {
            throw .conflict(
                resource, object.name,
                "Precondition failed: ResourceVersion in precondition: \(resourceVersion), ResourceVersion in object "
                    + "meta: \(object.resourceVersion)")
        }
    }

    /// The finalizers that an object has while its dependents are looked after.
    ///
    /// `orphansByDefault`: whether dependents stay when neither the client nor a finalizer says otherwise.
    func finalizers(_ present: [String], orphansByDefault: Bool = false) -> [String] {
        guard let propagation else {
            let isDecided = present.contains("foregroundDeletion") || present.contains("orphan")
            return orphansByDefault && !isDecided ? present + ["orphan"] : present
        }
        var finalizers = present.filter { $0 != "foregroundDeletion" && $0 != "orphan" }
        switch propagation {
        case .background: break
        case .foreground: finalizers.append("foregroundDeletion")
        case .orphan: finalizers.append("orphan")
        }
        return Set(finalizers) == Set(present) ? present : finalizers
    }
}

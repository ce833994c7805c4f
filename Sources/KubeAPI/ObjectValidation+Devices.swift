// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Source: Kubernetes API reference, resource.k8s.io/v1 (dynamic resource allocation).
extension SemanticCheck {
    private static let maximumRequests = 32
    private static let maximumSelectors = 32
    private static let maximumConstraints = 32
    private static let maximumSubrequests = 8
    private static let maximumDevices = 128
    private static let maximumReservations = 256
    private static let longestDriverName = 63
    private static let longestExpression = 10 * 1024
    /// Of opaque parameters, in bytes.
    private static let longestParameters = 10 * 1024

    mutating func deviceClass() {
        selectors("spec.selectors", spec["selectors"])
        configurations("spec.config", spec["config"], requests: nil)
        if let name = spec["extendedResourceName"].string {
            errors.all("spec.extendedResourceName", .string(name), NameRules.qualifiedName(name))
        }
    }

    mutating func resourceClaim() {
        deviceClaim("spec.devices", spec["devices"])
        if let old { errors.immutable("spec", spec, old["spec"]) }
        let reserved = object["status"]["reservedFor"].elements
        let path: FieldPath = "status.reservedFor"
        if reserved.count > Self.maximumReservations {
            errors.tooMany(path, reserved.count, Self.maximumReservations)
        }
        if !reserved.isEmpty, object["status"]["allocation"].isNull {
            errors.forbidden(path, "may not be specified when `allocated` is not set")
        }
        for (index, reference) in reserved.enumerated() {
            for member in ["resource", "name", "uid"] where reference[member].string ?? "" == "" {
                errors.required(path[index][member])
            }
        }
    }

    mutating func resourceClaimTemplate() {
        let template = spec["metadata"]
        errors.labels("spec.metadata.labels", template["labels"])
        deviceClaim("spec.spec.devices", spec["spec"]["devices"])
        if let old { errors.immutable("spec", spec, old["spec"]) }
    }

    private mutating func deviceClaim(_ path: FieldPath, _ claim: JSONValue) {
        let requests = claim["requests"].elements
        if requests.count > Self.maximumRequests {
            errors.tooMany(path["requests"], requests.count, Self.maximumRequests)
        }
        var names: Set<String> = []
        for (index, request) in requests.enumerated() {
            deviceRequest(path["requests"][index], request)
            let name = request["name"].string ?? ""
            if !names.insert(name).inserted { errors.duplicate(path["requests"][index], .string(name)) }
            for sub in request["firstAvailable"].elements { names.insert("\(name)/\(sub["name"].string ?? "")") }
        }
        let constraints = claim["constraints"].elements
        if constraints.count > Self.maximumConstraints {
            errors.tooMany(path["constraints"], constraints.count, Self.maximumConstraints)
        }
        for (index, constraint) in constraints.enumerated() {
            let path = path["constraints"][index]
            references(path["requests"], constraint["requests"], names)
            let attributes = ["matchAttribute", "distinctAttribute"].filter { !constraint[$0].isNull }
            if attributes.isEmpty { errors.required(path["matchAttribute"]) }
            for attribute in attributes {
                let name = constraint[attribute].string ?? ""
                let parts = name.split(separator: "/", omittingEmptySubsequences: false)
                if name.isEmpty {
                    errors.required(path[attribute])
                } else if parts.count != 2 {
                    errors.invalid(path[attribute], constraint[attribute], "must include a domain")
                }
            }
        }
        configurations(path["config"], claim["config"], requests: names)
    }

    private mutating func deviceRequest(_ path: FieldPath, _ request: JSONValue) {
        errors.name(path["name"], request["name"], NameRules.dns1123Label)
        let exactly = request["exactly"]
        let alternatives = request["firstAvailable"].elements
        switch (exactly.isNull, alternatives.isEmpty) {
        case (true, true): errors.required(path, "exactly one of `exactly` or `firstAvailable` is required")
        case (false, false):
            errors.invalid(
                path, nil, "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set")
        case (false, true): wanted(path["exactly"], exactly)
        case (true, false):
            let path = path["firstAvailable"]
            if alternatives.count > Self.maximumSubrequests {
                errors.tooMany(path, alternatives.count, Self.maximumSubrequests)
            }
            var names: Set<String> = []
            for (index, alternative) in alternatives.enumerated() {
                errors.name(path[index]["name"], alternative["name"], NameRules.dns1123Label)
                if !names.insert(alternative["name"].string ?? "").inserted {
                    errors.duplicate(path[index], alternative["name"])
                }
                wanted(path[index], alternative)
            }
        }
    }

    /// Which devices, and how many.
    private mutating func wanted(_ path: FieldPath, _ request: JSONValue) {
        errors.name(path["deviceClassName"], request["deviceClassName"], NameRules.dns1123Subdomain)
        selectors(path["selectors"], request["selectors"])
        let count = request["count"].int ?? 0
        switch request["allocationMode"].string {
        case "ExactCount":
            if count <= 0 { errors.invalid(path["count"], JSONValue(count), "must be greater than zero") }
        case "All":
            if count != 0 {
                errors.invalid(
                    path["count"], JSONValue(count), "must not be specified when allocationMode is 'All'")
            }
        default: errors.notSupported(path["allocationMode"], request["allocationMode"], ["All", "ExactCount"])
        }
        for (index, toleration) in request["tolerations"].elements.enumerated() {
            let path = path["tolerations"][index]
            let key = toleration["key"].string ?? ""
            if key.isEmpty {
                if toleration["operator"] != "Exists" {
                    errors.required(path["key"], "must not be empty when operator is not 'Exists'")
                }
            } else {
                errors.all(path["key"], .string(key), NameRules.qualifiedName(key))
            }
            switch toleration["operator"].string {
            case "Exists":
                if toleration["value"].string ?? "" != "" {
                    errors.invalid(path["value"], toleration["value"], "must be empty for operator `Exists`")
                }
            case "Equal":
                errors.all(path["value"], toleration["value"], NameRules.labelValue(toleration["value"].string ?? ""))
            default: errors.notSupported(path["operator"], toleration["operator"], ["Equal", "Exists"])
            }
            if !toleration["effect"].isEmpty {
                errors.oneOf(path["effect"], toleration["effect"], ["NoExecute", "NoSchedule"])
            }
        }
    }

    private mutating func selectors(_ path: FieldPath, _ selectors: JSONValue) {
        if selectors.elements.count > Self.maximumSelectors {
            errors.tooMany(path, selectors.elements.count, Self.maximumSelectors)
        }
        for (index, selector) in selectors.elements.enumerated() {
            let path = path[index]["cel"]
            guard !selector["cel"].isNull else {
                errors.required(path)
                continue
            }
            let expression = selector["cel"]["expression"].string ?? ""
            if expression.isEmpty {
                errors.required(path["expression"])
            } else if expression.utf8.count > Self.longestExpression {
                errors.tooLong(path["expression"], Self.longestExpression)
            }
        }
    }

    private mutating func configurations(_ path: FieldPath, _ configurations: JSONValue, requests: Set<String>?) {
        if configurations.elements.count > Self.maximumSelectors {
            errors.tooMany(path, configurations.elements.count, Self.maximumSelectors)
        }
        for (index, configuration) in configurations.elements.enumerated() {
            let path = path[index]
            if let requests { references(path["requests"], configuration["requests"], requests) }
            let opaque = configuration["opaque"]
            guard !opaque.isNull else {
                errors.required(path, "exactly one of the following fields is required: `opaque`")
                continue
            }
            driver(path["opaque"]["driver"], opaque["driver"])
            let parameters = opaque["parameters"]
            if parameters.isNull {
                errors.required(path["opaque"]["parameters"])
            } else if parameters.object == nil {
                errors.invalid(
                    path["opaque"]["parameters"], "<value omitted>", "parameters must be a valid JSON object")
            } else if parameters.encoded.count > Self.longestParameters {
                errors.tooLong(path["opaque"]["parameters"], Self.longestParameters)
            }
        }
    }

    private mutating func references(_ path: FieldPath, _ names: JSONValue, _ known: Set<String>) {
        for (index, name) in names.elements.enumerated() where !known.contains(name.string ?? "") {
            errors.invalid(
                path[index], name,
                "must be the name of a request in the claim or the name of a request and a "
                    + "subrequest separated by '/'")
        }
    }

    private mutating func driver(_ path: FieldPath, _ name: JSONValue) {
        let text = name.string ?? ""
        guard !text.isEmpty else { return errors.required(path) }
        if text.utf8.count > Self.longestDriverName { errors.tooLong(path, Self.longestDriverName) }
        errors.all(path, name, NameRules.dns1123Subdomain(text))
    }

    // MARK: ResourceSlice

    mutating func resourceSlice() {
        driver("spec.driver", spec["driver"])
        let pool = spec["pool"]
        let path: FieldPath = "spec.pool"
        let name = pool["name"].string ?? ""
        if name.isEmpty {
            errors.required(path["name"])
        } else {
            if name.utf8.count > 253 { errors.tooLong(path["name"], 253) }
            for part in name.split(separator: "/", omittingEmptySubsequences: false) {
                errors.all(path["name"], .string(String(part)), NameRules.dns1123Subdomain(String(part)))
            }
        }
        let count = pool["resourceSliceCount"].int ?? 0
        if count <= 0 { errors.invalid(path["resourceSliceCount"], JSONValue(count), "must be greater than zero") }
        if let generation = pool["generation"].int, generation < 0 {
            errors.invalid(path["generation"], pool["generation"], "must be greater than or equal to zero")
        }
        if let old {
            errors.immutable("spec.driver", spec["driver"], old["spec"]["driver"])
            errors.immutable("spec.pool.name", pool["name"], old["spec"]["pool"]["name"])
            errors.immutable("spec.nodeName", spec["nodeName"], old["spec"]["nodeName"])
        }
        sliceNodes()
        let devices = spec["devices"].elements
        if devices.count > Self.maximumDevices { errors.tooMany("spec.devices", devices.count, Self.maximumDevices) }
        var names: Set<String> = []
        for (index, device) in devices.enumerated() {
            let path = FieldPath("spec.devices")[index]
            errors.name(path["name"], device["name"], NameRules.dns1123Label)
            if let name = device["name"].string, !names.insert(name).inserted {
                errors.duplicate(path, .string(name))
            }
            for (key, attribute) in device["attributes"].members.sorted(by: { $0.key < $1.key }) {
                let path = path["attributes"].key(key)
                switch attribute.members.filter({ !$0.value.isNull }).count {
                case 0: errors.required(path, "exactly one value must be specified")
                case 1: break
                default: errors.invalid(path, attribute, "exactly one value must be specified")
                }
            }
        }
    }

    private mutating func sliceNodes() {
        let members = ["nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"]
        let present = members.filter { spec[$0] != .null && spec[$0] != false && spec[$0] != "" }
        let list = members.map { "`\($0)`" }.joined(separator: ", ")
        switch present.count {
        case 0: errors.required("spec", "exactly one of \(list) is required")
        case 1:
            if present == ["nodeName"] {
                errors.all("spec.nodeName", spec["nodeName"], NameRules.dns1123Subdomain(spec["nodeName"].string ?? ""))
            }
        default:
            let named = present.map { "`\($0)`" }.joined(separator: ", ")
            errors.invalid(
                "spec", .string("{\(named)}"), "exactly one of \(list) is required, but multiple fields are set")
        }
    }
}

extension Defaults {
    /// The requests of a claim ask for one device unless they say how many.
    static func deviceClaim(_ claim: inout JSONValue) {
        func count(_ request: inout JSONValue) {
            guard request.object != nil else { return }
            request["allocationMode"].setDefault("ExactCount")
            if request["allocationMode"] == "ExactCount" { request["count"].setDefaultForZero(1) }
            request["tolerations"].forEachElement { $0["operator"].setDefault("Equal") }
        }
        claim["requests"].forEachElement { request in
            count(&request["exactly"])
            request["firstAvailable"].forEachElement { count(&$0) }
        }
    }
}

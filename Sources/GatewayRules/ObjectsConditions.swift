// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// `status.conditions` as they are made: their times are settled when the status is whole.
struct ConditionList {
    private(set) var json: [JSONValue] = []
    let generation: Int

    init(generation: Int) { self.generation = generation }

    mutating func set(_ type: String, _ value: Bool, _ reason: String, _ message: String = "") {
        json.removeAll { $0["type"].string == type }
        json.append([
            "type": .string(type), "status": value ? "True" : "False", "reason": .string(reason),
            "message": .string(message), "observedGeneration": JSONValue(generation),
        ])
    }

    /// Gives each condition without a time that of the same condition in the old status, else `now`.
    static func settled(_ status: JSONValue, old: JSONValue, now: Timestamp) -> JSONValue {
        var status = status
        status["conditions"] = times(status["conditions"], old["conditions"], now)
        for (list, identity) in [("listeners", "name"), ("parents", "parentRef"), ("ancestors", "ancestorRef")] {
            guard let entries = status[list].array else { continue }
            status[list] = .array(
                entries.map { entry in
                    let before = old[list].elements.first {
                        $0[identity] == entry[identity] && $0["controllerName"] == entry["controllerName"]
                    }
                    var entry = entry
                    entry["conditions"] = times(entry["conditions"], before?["conditions"] ?? .null, now)
                    return entry
                })
        }
        return status
    }

    private static func times(_ conditions: JSONValue, _ old: JSONValue, _ now: Timestamp) -> JSONValue {
        guard let list = conditions.array else { return conditions }
        return .array(
            list.map { condition in
                guard condition["lastTransitionTime"].isNull else { return condition }
                let before = old.elements.first { $0["type"] == condition["type"] }
                var condition = condition
                let isSame = before?["status"] == condition["status"]
                condition["lastTransitionTime"] =
                    (isSame ? before?["lastTransitionTime"] : nil) ?? .string(now.rfc3339)
                return condition
            })
    }
}

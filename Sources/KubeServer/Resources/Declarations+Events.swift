// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    private static let eventFields: [SelectableField] = [
        SelectableField("involvedObject.kind"), SelectableField("involvedObject.namespace"),
        SelectableField("involvedObject.name"), SelectableField("involvedObject.uid"),
        SelectableField("involvedObject.apiVersion"), SelectableField("involvedObject.resourceVersion"),
        SelectableField("involvedObject.fieldPath"), SelectableField("reason"),
        SelectableField("reportingComponent"), SelectableField("source") { eventSource($0) }, SelectableField("type"),
    ]

    /// The newer form has its own names for what is selected, and no source.
    private static let fieldNamesInGroup: [String: String] = Dictionary(
        uniqueKeysWithValues: eventFields.map(\.name).filter { $0 != "source" }.map { name in
            let ownName = name == "reportingComponent" ? "reportingController" : name
            return (ownName.replacing("involvedObject", with: "regarding"), name)
        })

    private static func eventSource(_ event: JSONValue) -> String {
        let component = event["source"]["component"].string ?? ""
        return component.isEmpty ? event["reportingComponent"].string ?? "" : component
    }

    static let events: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.validate = { event, _ in EventRules.place(event, event["involvedObject"], "involvedObject") }
        return ResourceDeclaration(
            .events, shortNames: ["ev"], allowsCreateOnUpdate: true, columns: CoreColumns.event,
            selectableFields: eventFields, strategy: strategy)
    }()

    /// The newer form of the same objects.
    static let eventsInGroup = ResourceDeclaration(
        KubeResource(group: "events.k8s.io", version: "v1", plural: "events", kind: "Event"), shortNames: ["ev"],
        allowsCreateOnUpdate: true,
        columns: CoreColumns.event.map { column in
            var column = column
            let cell = column.cell
            column.cell = { event, now in cell(EventConversion.toCore(event), now) }
            return column
        },
        selectableFields: eventFields,
        strategy: {
            var strategy = Strategy()
            strategy.validate = { event, old in
                EventRules.place(event, event["regarding"], "regarding") + (old == nil ? EventRules.new(event) : [])
            }
            return strategy
        }(),
        storage: StorageConversion(
            resource: .events, toStored: EventConversion.toCore, fromStored: EventConversion.fromCore,
            fieldNames: fieldNamesInGroup))
}

/// What events have to say.
///
/// Source: Kubernetes API reference, Event v1 events.k8s.io: what is required of new events.
enum EventRules {
    /// An event is in the namespace of what it is about; events about cluster-scoped objects are in `default`.
    static func place(_ event: KubeObject, _ object: JSONValue, _ member: String) -> [StatusCause] {
        let place = object["namespace"].string ?? ""
        guard place != event.namespace, !place.isEmpty || !["default", "kube-system"].contains(event.namespace) else {
            return []
        }
        return [
            StatusCause(
                reason: "FieldValueInvalid", field: "\(member).namespace",
                message: "Invalid value: \"\(place.prefix(64))\": does not match event.namespace")
        ]
    }

    /// Members that only the newer form requires.
    static func new(_ event: KubeObject) -> [StatusCause] {
        var causes: [StatusCause] = []
        for member in ["eventTime", "reportingController", "reportingInstance", "action", "reason"]
        where (event[member].string ?? "").isEmpty {
            causes.append(StatusCause(reason: "FieldValueRequired", field: member, message: "Required value"))
        }
        if let type = event["type"].string, !["Normal", "Warning"].contains(type) {
            causes.append(
                StatusCause(
                    reason: "FieldValueInvalid", field: "type",
                    message: "Invalid value: \"\(type.prefix(64))\": has invalid value: \(type.prefix(64))"))
        }
        return causes
    }
}

/// Events of core/v1 and of events.k8s.io/v1 are one object under two sets of names.
enum EventConversion {
    private static let names: [(core: String, group: String)] = [
        ("involvedObject", "regarding"), ("message", "note"), ("reportingComponent", "reportingController"),
        ("firstTimestamp", "deprecatedFirstTimestamp"), ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"), ("source", "deprecatedSource"),
    ]

    static func toCore(_ event: KubeObject) -> KubeObject {
        guard event.apiVersion != "v1" else { return event }
        var event = event
        event.json["apiVersion"] = "v1"
        for (core, group) in names {
            event[core] = event[group]
            event[group] = .null
        }
        // Core's form always has these two, the other leaves them out when they are empty.
        for member in ["reportingComponent", "reportingInstance"] where event[member].isNull {
            event[member] = ""
        }
        return event
    }

    static func fromCore(_ event: KubeObject) -> KubeObject {
        guard event.apiVersion == "v1" else { return event }
        var event = event
        event.json["apiVersion"] = "events.k8s.io/v1"
        for (core, group) in names {
            event[group] = event[core]
            event[core] = .null
        }
        for member in ["reportingController", "reportingInstance"] where event[member] == "" { event[member] = .null }
        return event
    }
}

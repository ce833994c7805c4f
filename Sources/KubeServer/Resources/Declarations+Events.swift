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

    static let events = ResourceDeclaration(
        .events, shortNames: ["ev"], allowsCreateOnUpdate: true, columns: CoreColumns.event,
        selectableFields: eventFields)

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
        storage: StorageConversion(
            resource: .events, toStored: EventConversion.toCore, fromStored: EventConversion.fromCore,
            fieldNames: fieldNamesInGroup))
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
        return event
    }
}

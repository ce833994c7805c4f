// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI
import KubeStore
import ServerSideApply

/// Makes the declarations of the kinds that a definition defines.
struct CustomDeclarations {
    let definition: Definition
    /// The names that the definition has been given.
    let names: Definition.Names
    /// Changes with everything that changes what stored objects mean.
    let mark: String
    /// The definition as it is stored: its schema is published from there.
    let source: StoredObject

    /// One declaration for each served version.
    var all: [ResourceDeclaration] {
        definition.versions.filter(\.isServed).compactMap(declaration)
    }

    private func resource(_ version: String) -> KubeResource {
        KubeResource(
            group: definition.group, version: version, plural: names.plural, kind: names.kind,
            isNamespaced: definition.isNamespaced)
    }

    private func declaration(_ version: Definition.Version) -> ResourceDeclaration? {
        guard let storage = definition.storageVersion else { return nil }
        let resource = resource(version.name)
        let schema = version.schema
        // All versions are stored as one, so that every version's fields are kept with an object.
        let selectable = Set(definition.versions.flatMap(\.selectableFields)).sorted()
        var declaration = ResourceDeclaration(
            resource, singular: names.singular, shortNames: names.shortNames, categories: names.categories,
            hasStatus: version.hasStatus, scale: version.scale.map(Self.scale), hasGeneration: true,
            allowsUnconditionalUpdate: false, columns: CustomColumns.columns(version.columns),
            selectableFields: selectable.map { SelectableField($0) }, strategy: strategy(version, resource))
        declaration.reading = ObjectReading(
            read: { Self.read($0, schema) }, published: { [source] in Self.published(source, resource, self.names) })
        declaration.mergeType = schema.map { MergeType(object: $0.mergeShape) }
        declaration.warning = version.warning ?? ""
        let stored = self.resource(storage.name)
        var conversion = StorageConversion(
            resource: stored, toStored: { Self.with($0, apiVersion: stored.apiVersion) },
            fromStored: { object in
                var object = Self.with(object, apiVersion: resource.apiVersion)
                if let schema { Self.conform(&object.json, schema) }
                return object
            },
            fieldNames: Dictionary(uniqueKeysWithValues: Set(version.selectableFields).map { ($0, $0) }))
        conversion.mark = mark
        conversion.servesStored = version.isStorage
        declaration.storage = conversion
        return declaration
    }

    private static func with(_ object: KubeObject, apiVersion: String) -> KubeObject {
        var object = object
        object["apiVersion"] = .string(apiVersion)
        return object
    }

    // MARK: Reading

    /// Reads a body: metadata in its canonical form, nothing unknown, defaults set.
    private static func read(_ json: JSONValue, _ schema: StructuralSchema?) -> ObjectReading.Result {
        var object = json
        let schema = schema ?? .anything
        let report = schema.readMetadata(of: &object)
        if let fault = report.faults.first {
            return ObjectReading.Result(
                object: object, fault: "error converting \(fault.field): \(fault.message)")
        }
        let unknown = schema.prune(&object)
        schema.applyDefaults(to: &object)
        return ObjectReading.Result(object: object, unknown: report.unknown + unknown)
    }

    /// Makes a stored object fit a schema that was not the one that it was stored under.
    private static func conform(_ object: inout JSONValue, _ schema: StructuralSchema) {
        _ = schema.prune(&object)
        schema.applyDefaults(to: &object)
    }

    // MARK: Writing

    private func strategy(_ version: Definition.Version, _ resource: KubeResource) -> ResourceDeclaration.Strategy {
        var strategy = ResourceDeclaration.Strategy()
        let needsWebhook = definition.needsWebhook && !version.isStorage
        if definition.isTerminating {
            strategy.prepareCreate = { object throws(StatusError) in
                throw .forbidden(
                    resource, object.name,
                    "create not allowed while custom resource definition is terminating")
            }
        } else if needsWebhook {
            let error = StatusError.unavailable(
                "conversion webhook for \(resource.apiVersion), Kind=\(resource.kind) failed: webhooks are not "
                    + "available on this server, use the storage version")
            strategy.prepareCreate = { _ throws(StatusError) in throw error }
            strategy.prepareUpdate = { _, _ throws(StatusError) in throw error }
        }
        // Only the status may change, not even labels.
        strategy.prepareStatusUpdate = { object, old in
            let managed = object.metadata["managedFields"]
            object.metadata = old.metadata
            object.metadata["managedFields"] = managed
        }
        strategy.validate = { object, old in Self.faults(of: object.json, old: old?.json, version) }
        strategy.didCommit = { server, stored, isRemoved in
            if isRemoved { await server.finishDefinition(of: stored.key.resource) }
        }
        return strategy
    }

    private static func faults(
        of object: JSONValue, old: JSONValue?, _ version: Definition.Version
    ) -> [StatusCause] {
        guard let schema = version.schema else { return [] }
        var causes = schema.validate(object, old: old)
        causes += schema.embeddedFaults(in: object)
        if old.map({ schema.duplicates(in: $0).isEmpty }) ?? true { causes += schema.duplicates(in: object) }
        if let scale = version.scale { causes += Self.faults(of: object, scale) }
        if let rules = version.rules {
            causes += RuleTree.isBlocked(by: causes) ? [RuleTree.notChecked] : rules.evaluate(object, old: old)
        }
        return causes
    }

    /// Replicas must be numbers that fit and are not negative.
    private static func faults(of object: JSONValue, _ scale: Definition.Scale) -> [StatusCause] {
        var errors = FieldErrors()
        for path in [scale.specReplicas, scale.statusReplicas] {
            let value = object.value(at: path)
            guard !value.isNull else { continue }
            let name = "." + path.joined(separator: ".")
            let field = FieldPath(name)
            guard case .int(let number) = value else {
                errors.invalid(
                    field, 0,
                    "\(name) accessor error: \(value.string ?? value.text) is of the type "
                        + "\(value.typeName), expected int64")
                continue
            }
            if number < 0 { errors.invalid(field, value, "should be a non-negative integer") }
            if number > Int32.max {
                errors.invalid(field, value, "should be less than or equal to \(Int32.max)")
            }
        }
        return errors.causes
    }

    private static func scale(_ scale: Definition.Scale) -> ResourceDeclaration.Scale {
        ResourceDeclaration.Scale(
            specReplicas: scale.specReplicas, statusReplicas: scale.statusReplicas,
            selector: { object in
                scale.labelSelector.isEmpty ? "" : object.json.value(at: scale.labelSelector).string ?? ""
            })
    }

    // MARK: Publishing

    private static func published(
        _ source: StoredObject, _ resource: KubeResource, _ names: Definition.Names
    ) -> OpenAPI.CustomKind? {
        guard let definition = try? JSONParser.parse(source.bytes) else { return nil }
        let version = definition["spec"]["versions"].elements.first { $0["name"].string == resource.version } ?? .null
        let schema = version["schema"]["openAPIV3Schema"]
        return OpenAPI.CustomKind(
            typeName: PublishedSchema.name(
                group: resource.group, version: resource.version, kind: resource.kind),
            listKind: names.listKind
        ) { version, objectMeta in
            var published = PublishedSchema.kind(schema, version == .v2 ? .v2 : .v3, objectMeta: objectMeta)
            let fields = version == .v2 ? [] : selectable(definition, resource.version)
            if !fields.isEmpty { published["x-kubernetes-selectable-fields"] = .array(fields) }
            return published
        }
    }

    private static func selectable(_ definition: JSONValue, _ version: String) -> [JSONValue] {
        let version = definition["spec"]["versions"].elements.first { $0["name"].string == version } ?? .null
        return version["selectableFields"].elements.compactMap { field in
            field["jsonPath"].string.map { ["fieldPath": .string(String($0.drop { $0 == "." }))] }
        }
    }
}

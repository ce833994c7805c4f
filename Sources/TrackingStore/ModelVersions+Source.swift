// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import TrackingModel

/// A source and what it belongs to.
struct SourcePlace {
    var source: String
    var runID: String?
    var modelID: String?

    init(_ new: NewModelVersion) {
        source = new.source
        runID = new.runID
        modelID = new.modelID
    }
}

/// A source whose files were found.
struct ResolvedSource {
    let source: String
    /// Where the files lie.
    let location: String
    let runID: String?
    let modelID: String?
}

extension RegistryRows {
    /// The source of a new version, checked: it has to belong to the run or logged model that the request names.
    func place(of new: NewModelVersion, _ uri: SourceURI) throws -> SourcePlace {
        var place = SourcePlace(new)
        if uri.scheme == "models" { try follow(&place, uri) }
        let owner: ModelSource.Owner = place.modelID?.isEmpty == false ? .model : .run
        let id = (owner == .model ? place.modelID : place.runID) ?? ""
        let source = SourceURI(place.source)
        let check = try ModelSource.check(source, owner: owner, id: id)
        guard check != .accepted else { return place }
        let isLocal = check != .proxied
        if !id.isEmpty {
            guard let artifacts = try artifacts(owner, id) else { throw ModelSource.notOwned(source, owner) }
            if try ModelSource.isWithin(check, source, artifacts: artifacts) { return place }
        }
        guard isLocal else { throw ModelSource.notOwned(source, owner) }
        // Of what lies nowhere near, MLflow tells the path that it looked for.
        throw ModelSource.notInArtifacts(id.isEmpty ? source.text : source.localPath ?? source.text, owner)
    }

    /// Where the artifacts of a run or logged model lie; nil where there is none.
    private func artifacts(_ owner: ModelSource.Owner, _ id: String) throws -> String? {
        switch owner {
        case .run: try session.row("SELECT artifact_uri FROM runs WHERE uuid = ?", [.text(id)])?.text(0)
        case .model: try LoggedModelRows(session: session).find(id)?.artifactLocation
        }
    }

    /// A version that is made from another one gets that one's number, run and source.
    private func follow(_ place: inout SourcePlace, _ uri: SourceURI) throws {
        guard uri.authority.isEmpty else {
            throw TrackingError.invalid(
                "Invalid model version source: '\(uri.text)'. Registered model sources must use the active model registry."
            )
        }
        guard let named = ModelURI(uri) else { throw ModelSource.notOwned(uri, .model) }
        guard let name = named.name else { return }
        let model = try model(name)
        if try isPrompt(model.id) {
            throw TrackingError.invalid(
                "Invalid model version source: '\(uri.text)'. Prompt versions cannot be used as model version sources.")
        }
        let version = try version(of: named, name)
        if (place.runID.map { $0 != version.runID ?? "" } ?? false) || place.modelID.map({ !$0.isEmpty }) ?? false {
            throw TrackingError.invalid(
                "Invalid model version source: '\(uri.text)'. The run_id and model_id request parameters must match the "
                    + "referenced model version.")
        }
        place.source = "models:/\(name)/\(version.version)"
        place.runID = place.runID ?? version.runID
    }

    private func isPrompt(_ model: Int64) throws -> Bool {
        let row = try session.row(
            "SELECT value FROM registered_model_tags WHERE model = ? AND key = ?",
            [.integer(model), .text(RegistryRules.promptTag)])
        return row?.text(0).lowercased() == "true"
    }

    /// The version that a `models:/` URI names.
    private func version(of uri: ModelURI, _ name: String) throws -> ModelVersion {
        switch uri {
        case .version(_, let number): return try version(name, number).version
        case .alias(_, let alias):
            try RegistryRules.checkAlias(alias)
            return try version(name, alias: alias)
        case .logged, .latest, .stage:
            var found = try latestVersions([try model(name).id: name]).values.flatMap { $0 }
            var stageText = ""
            if case .stage(_, let text) = uri {
                let stage = try ModelStage(text)
                found = found.filter { $0.stage == stage.rawValue }
                stageText = " and stage '\(text)'"
            }
            guard let newest = found.max(by: { $0.version < $1.version }) else {
                throw TrackingError(
                    .internalError, "No versions of model with name '\(name)'\(stageText) found")
            }
            return newest
        }
    }

    /// Finds where the files of a source lie, and the run that wrote them.
    func resolve(_ place: SourcePlace) throws -> ResolvedSource {
        let uri = SourceURI(place.source)
        var location = place.source
        var runID = place.runID
        let logged = LoggedModelRows(session: session)
        if uri.scheme == "models", let named = ModelURI(uri) {
            do {
                switch named {
                case .logged(let id):
                    let model = try logged.model(id)
                    location = model.artifactLocation
                    if runID?.isEmpty != false { runID = model.sourceRunID }
                case .version(let name, let number): location = try self.location(name, number)
                default: break
                }
            } catch let error as TrackingError {
                throw TrackingError(
                    .internalError,
                    "Unable to fetch model from model URI source artifact location '\(place.source)'.Error: "
                        + error.description)
            }
        }
        if runID?.isEmpty != false, let modelID = place.modelID, !modelID.isEmpty {
            runID = try logged.model(modelID).sourceRunID
        }
        return ResolvedSource(source: place.source, location: location, runID: runID, modelID: place.modelID)
    }
}

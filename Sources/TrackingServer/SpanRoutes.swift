// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import ServiceHTTP
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Spans by OpenTelemetry's protocol over HTTP (OTLP 1.x, section "OTLP/HTTP"). Faults have the form that MLflow's
    /// server gives them there.
    var spanRoutes: [Route] {
        [
            Route("exportSpans", .post, ["/v1/traces"]) { call in
                do {
                    return try await exportSpans(call)
                } catch let fault as OTLPFault {
                    return .json(["detail": .string(fault.detail)], fault.status)
                }
            },
            Route(
                "getTraceArtifact", .get,
                ["/ajax-api/2.0/mlflow/get-trace-artifact", "/ajax-api/3.0/mlflow/get-trace-artifact"]
            ) { call in try await traceFile(call) },
        ]
    }

    /// A trace's spans as the file that clients keep elsewhere, or a file that is attached to it; for the UI.
    private func traceFile(_ call: Call) async throws -> Response {
        func parameter(_ name: String) -> String? { call.query.first { $0.name == name }?.value }
        guard let id = parameter("request_id"), !id.isEmpty else {
            throw TrackingError(.badRequest, "Request must include the \"request_id\" query parameter.")
        }
        let info = try await store.traces([id], experiments: nil).first
        guard let info else { throw TrackingError.missing("Trace with ID \(id) is not found.") }
        let location = info.tags[TraceKey.artifactLocation] ?? ""
        if let path = parameter("path"), !path.isEmpty {
            return try await file(try ArtifactPath("attachments/" + path), at: location, call)
        }
        guard info.tags[TraceKey.spansLocation] == TraceKey.trackingStore else {
            do {
                return try await file(try ArtifactPath(Self.traceFileName), at: location, call)
            } catch ArtifactError.missing {
                throw TrackingError(.notFound, "Trace data not found for path=\(Self.traceFileName)")
            }
        }
        let spans = try await store.traceWithSpans(id, isPartial: true)?.spans ?? []
        var body = Array("{\"spans\":[".utf8)
        for (index, span) in spans.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += span.fileText.utf8
        }
        body += Array("]}".utf8)
        var response = Response.bytes(body, type: "application/octet-stream")
        response.headers[.contentDisposition] = "attachment; filename=\(Self.traceFileName)"
        return response
    }

    private static let traceFileName = "traces.json"

    private func exportSpans(_ call: Call) async throws -> Response {
        let headers = call.request.headers
        guard let experiment = Self.header("x-mlflow-experiment-id", headers) else {
            let missing = JSONValue.object([
                "type": "missing", "loc": ["header", "x-mlflow-experiment-id"], "msg": "Field required", "input": .null,
            ])
            return .json(["detail": .array([missing])], .unprocessableContent)
        }
        let sent = headers[.contentType] ?? "None"
        let type = sent.split(separator: ";").first.map { $0.filter { !$0.isWhitespace }.lowercased() }
        guard type == "application/x-protobuf" || type == "application/json" else {
            throw OTLPFault(
                .badRequest,
                "Invalid Content-Type: \(sent.prefix(200)). Expected: application/x-protobuf or application/json")
        }
        let request = try self.request(
            try await body(call), isJSON: type == "application/json")
        var intakes: [SpanIntake] = []
        var completed: [String] = []
        for span in request.spans {
            do {
                let intake = try SpanIntake(span, resource: request.resources[span.resource])
                if intake.isRoot { completed.append(intake.record.traceID) }
                intakes.append(intake)
            } catch {
                throw OTLPFault(.unprocessableContent, "Cannot convert OpenTelemetry span to MLflow span")
            }
        }
        if !intakes.isEmpty { try await store.logSpans(intakes, experiment: experiment) }
        if let run = Self.header("x-mlflow-run-id", headers), !run.isEmpty, !completed.isEmpty {
            for start in stride(from: 0, to: completed.count, by: 100) {
                try await store.linkTraces(Array(completed[start..<min(start + 100, completed.count)]), toRun: run)
            }
        }
        return .bytes([], type: "application/x-protobuf")
    }

    private static func header(_ name: String, _ headers: HTTPFields) -> String? {
        HTTPField.Name(name).flatMap { headers[$0] }
    }

    /// The body without its compression.
    private func body(_ call: Call) async throws -> [UInt8] {
        let limit = configuration.maximumBodyBytes
        let bytes = try await call.request.bytes(limit: limit)
        guard let encoding = call.request.headers[.contentEncoding]?.lowercased(), !encoding.isEmpty else {
            return bytes
        }
        let inflated: [UInt8]?
        switch encoding {
        case "gzip": inflated = Inflated.bytes(bytes, .gzip, limit: limit)
        case "deflate": inflated = Inflated.bytes(bytes, .deflate, limit: limit)
        default: throw OTLPFault(.badRequest, "Unsupported Content-Encoding: \(encoding.prefix(100))")
        }
        guard let inflated else { throw OTLPFault(.badRequest, "Failed to decompress \(encoding) payload") }
        return inflated
    }

    private func request(_ bytes: [UInt8], isJSON: Bool) throws -> OTLPRequest {
        let request: OTLPRequest
        do {
            request = isJSON ? try OTLPJSON.request(try JSONParser.parse(bytes)) : try OTLPProtobuf.request(bytes)
        } catch {
            throw OTLPFault(.badRequest, "Invalid OpenTelemetry format")
        }
        guard !request.resources.isEmpty else {
            throw OTLPFault(.badRequest, "Invalid OpenTelemetry format - no spans found")
        }
        return request
    }
}

/// A fault of a request with spans.
private struct OTLPFault: Error {
    let status: HTTPResponse.Status
    let detail: String

    init(_ status: HTTPResponse.Status, _ detail: String) {
        self.status = status
        self.detail = detail
    }
}

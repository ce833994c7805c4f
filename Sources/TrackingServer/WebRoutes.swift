// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import ServiceHTTP

extension TrackingServer {
    /// The version of MLflow whose protocol this is; clients look at it before they send spans.
    static let protocolVersion = "3.17.2"

    /// What is no call of MLflow's services: probes and the web UI.
    var webRoutes: [Route] {
        [
            Route("health", .get, ["/health"]) { _ in .text("OK") },
            Route("version", .get, ["/version"]) { _ in .text(Self.protocolVersion) },
            Route("getServerInfo", .get, ["/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info"]) { _ in
                .json(serverInfo)
            },
            Route("graphql", .post, ["/graphql"]) { call in
                let body = try await call.json()
                return .json(
                    await graphQL(
                        text: body["query"].string ?? "", name: body["operationName"].string,
                        variables: body["variables"].members, call))
            },
            // The UI asks for it, and tells the user of an error: there is no gateway, so it has no endpoints.
            Route("getGatewayEndpoints", .get, ["/ajax-api/2.0/mlflow/gateway-proxy"]) { _ in
                .json(["endpoints": []])
            },
            Route("getPage", .get, ["/"]) { call in
                guard let files = configuration.webFiles else {
                    return .text(
                        "This is the tracking server of Apus. MLflow's web UI is shown here when the server is started "
                            + "with --mlflow-ui DIR.\n")
                }
                return try await files.index(call)
            },
            Route("getFile", .get, ["/static-files/{path...}"]) { call in
                guard let files = configuration.webFiles else {
                    throw ServiceError(.notFound, "the server was started without --mlflow-ui")
                }
                return try await files.file(call.path["path"] ?? "", call)
            },
        ]
    }

    /// What the server can do, as clients and the UI ask for it.
    private var serverInfo: JSONValue {
        [
            "store_type": "SqlStore", "workspaces_enabled": false, "trace_archival_enabled": false,
            "multipart_uploads_enabled": .bool(artifacts.isDirect),
            "multipart_downloads_enabled": .bool(artifacts.isDirect),
            "presigned_upload_run_id_supported": false, "presigned_upload_model_id_supported": false,
            "features_enabled": ["gateway": false],
        ]
    }
}

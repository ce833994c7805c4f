// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import InferenceProtocol
package import NIOCore

/// What all events of a server say of where they come from; KServe's extension attributes.
package struct PayloadOrigin: Sendable, Hashable {
    /// `ce-source`.
    package var source: String
    package var service: String
    package var namespace: String
    /// `predictor`, `transformer`, …
    package var component: String
    /// `default`, `canary`.
    package var endpoint: String
    /// Names of headers, in lower case, that go into the attribute `metadata`.
    package var metadataHeaders: [String]

    package init(
        source: String = "apus", service: String = "", namespace: String = "", component: String = "predictor",
        endpoint: String = "default", metadataHeaders: [String] = []
    ) {
        self.source = source
        self.service = service
        self.namespace = namespace
        self.component = component
        self.endpoint = endpoint
        self.metadataHeaders = metadataHeaders
    }
}

/// A payload as a CloudEvent 1.0 in the binary mode: attributes beside the body, by names without a prefix.
package struct CloudEvent: Sendable {
    package let attributes: [(name: String, value: String)]
    package let contentType: String
    package let data: ByteBuffer

    /// The types of KServe's logger.
    static let types = (
        request: "org.kubeflow.serving.inference.request", response: "org.kubeflow.serving.inference.response"
    )

    package init(_ event: PayloadEvent, _ origin: PayloadOrigin) {
        var attributes = [
            ("specversion", "1.0"), ("id", event.id), ("source", origin.source),
            ("type", event.isRequest ? Self.types.request : Self.types.response),
            ("time", event.time.rfc3339Nano),
        ]
        let extensions = [
            ("inferenceservicename", origin.service), ("namespace", origin.namespace),
            ("component", origin.component), ("endpoint", origin.endpoint), ("modelname", event.model),
        ]
        attributes += extensions.filter { !$0.1.isEmpty }
        let metadata = event.metadata.filter { origin.metadataHeaders.contains($0.0) }
        if !metadata.isEmpty {
            let lists = Dictionary(grouping: metadata, by: \.0).mapValues { JSONValue($0.map(\.1)) }
            attributes.append(("metadata", JSONValue.object(lists).text))
        }
        self.attributes = attributes.map { (name: $0.0, value: Self.clean($0.1)) }
        contentType = Self.clean(event.contentType)
        data = event.body
    }

    /// An id comes from a client: what no header may have is left out.
    private static func clean(_ text: String) -> String {
        let isClean = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        return isClean ? text : String(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F })
    }
}

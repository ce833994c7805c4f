// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol
import NIOHTTP1

/// What the headers of SageMaker say: of a container's `/invocations`, and of the runtime's InvokeEndpoint
/// (`/endpoints/NAME/invocations`), which boto3 calls.
struct Invocation: Sendable {
    enum Content: Sendable {
        case json
        case csv
        /// JSON of this length, and tensors behind it, as Triton's container has it.
        case triton(Int)
    }

    /// Whether it came by the runtime's path.
    let isRuntime: Bool
    let content: Content
    let wantsCSV: Bool
    /// The model of a server with several.
    let target: String?
    private let variant: String
    private let attributes: String?

    private static let tritonType = "application/vnd.sagemaker-triton.binary+json"

    init(_ call: RESTCall, isRuntime: Bool) {
        self.isRuntime = isRuntime
        target = call.header("x-amzn-sagemaker-target-model").flatMap { $0.isEmpty ? nil : $0 }
        variant = call.header("x-amzn-sagemaker-target-variant") ?? "AllTraffic"
        attributes = call.header("x-amzn-sagemaker-custom-attributes")
        let type = (call.header("content-type") ?? "").lowercased()
        if type.hasPrefix("text/csv") {
            content = .csv
        } else if type.hasPrefix(Self.tritonType), let size = type.split(separator: "json-header-size=").last,
            let length = Int(size.prefix { $0.isNumber })
        {
            content = .triton(length)
        } else {
            content = .json
        }
        wantsCSV = (call.header("accept") ?? "").lowercased().hasPrefix("text/csv")
    }

    /// Adds what the runtime tells beside the body.
    func complete(_ answer: inout RESTAnswer) {
        if case .triton = content, let length = answer.headerLength {
            answer.contentText = "\(Self.tritonType);json-header-size=\(length)"
        }
        guard isRuntime else { return }
        answer.headers.append(("x-Amzn-Invoked-Production-Variant", variant))
        if let attributes { answer.headers.append(("X-Amzn-SageMaker-Custom-Attributes", attributes)) }
    }

    /// A fault as the runtime's API has it: rest-json of botocore's model of `sagemaker-runtime`.
    static func answer(_ fault: InferenceFault) -> RESTAnswer {
        let (status, type): (Int, String) =
            switch fault.code {
            case .invalid, .notFound, .tooLarge, .unsupported, .unauthenticated: (400, "ValidationError")
            case .runtime: (424, "ModelError")
            case .notReady: (429, "ModelNotReadyException")
            case .tooMany, .deadline, .cancelled: (503, "ServiceUnavailable")
            }
        var body: JSONValue = ["Message": .string(fault.description)]
        if fault.code == .runtime {
            body["OriginalStatusCode"] = 500
            body["OriginalMessage"] = .string(fault.description)
        }
        var answer = RESTAnswer(status: status, json: body)
        answer.headers.append(("x-amzn-ErrorType", type))
        return answer
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import ControllerRuntime
import GatewayRules
import Logging
import NIOCore
import NIOHTTP1

/// Reads what a gateway tells of its requests, as long as it runs.
struct ActivityFollower: Sendable {
    /// Longer than any line that a gateway writes.
    private static let longestLine = 64 << 10

    let http: HTTPClient
    /// Of its admin address, such as `http://127.0.0.1:8081`.
    let gateway: String
    let logger: Logger
    /// Called with each activity, and with nil when the gateway is lost.
    let tell: @Sendable (UpstreamActivity?) async -> Void
    /// Called when it answers.
    let connected: @Sendable () async -> Void

    func run() async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                try await follow()
                backoff.reset()
            } catch {
                logger.debug("activity of gateway \(gateway): \(error)")
            }
            await tell(nil)
            try? await Task.sleep(for: min(.seconds(2), backoff.next()))
        }
    }

    private func follow() async throws {
        let request = HTTPClientRequest(url: gateway + "/apus/v1/activity")
        let response = try await http.execute(request, deadline: .distantFuture)
        guard response.status == .ok else { throw ScalingRefusal("the gateway answers \(response.status.code)") }
        await connected()
        logger.info("following the activity of gateway \(gateway)")
        var line: [UInt8] = []
        for try await var part in response.body {
            while let byte: UInt8 = part.readInteger() {
                guard byte == UInt8(ascii: "\n") else {
                    line.append(byte)
                    guard line.count <= Self.longestLine else { throw ScalingRefusal("a line is too long") }
                    continue
                }
                if let json = try? JSONParser.parse(line), let activity = UpstreamActivity(json: json) {
                    await tell(activity)
                }
                line.removeAll(keepingCapacity: true)
            }
        }
    }
}

/// Why something could not be done.
struct ScalingRefusal: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

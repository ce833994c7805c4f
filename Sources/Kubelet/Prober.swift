// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// The result of asking a probe or a hook once.
package enum ProbeOutcome: Sendable, Equatable {
    case success
    /// Says why.
    case failure(String)
}

/// Runs a command in a container; returns its exit code and the beginning of its output.
package typealias ExecFunction = @Sendable ([String], _ timeout: Duration) async throws -> (code: Int, output: String)

/// Asks probes and runs hooks: HTTP, TCP, exec, sleep.
package struct Prober: Sendable {
    private static let maxBody = 10 << 10
    private let client: HTTPClient

    /// - Parameter client: used for HTTP and HTTPS; must not verify certificates, as upstream's prober does not.
    package init(client: HTTPClient) { self.client = client }

    /// Asks once.
    /// - Parameters:
    ///   - action: what to ask.
    ///   - address: of the pod; used where the action names no host.
    ///   - timeout: after which the answer is a failure.
    ///   - exec: runs a command in the container.
    /// - Returns: success, or what went wrong.
    package func ask(
        _ action: ProbeAction, address: String, timeout: Duration, exec: ExecFunction
    ) async -> ProbeOutcome {
        switch action {
        case .exec(let command):
            do {
                let (code, output) = try await exec(command, timeout)
                return code == 0
                    ? .success : .failure(output.isEmpty ? "command exited with code \(code)" : output)
            } catch {
                return .failure("\(error)")
            }
        case .http(let scheme, let host, let port, let path, let headers):
            return await http(
                "\(scheme)://\(host.isEmpty ? address : host):\(port)\(path)", headers: headers, timeout: timeout)
        case .tcp(let host, let port):
            return await tcp(host.isEmpty ? address : host, port, timeout: timeout)
        case .sleep(let duration):
            return (try? await Task.sleep(for: duration)) == nil ? .failure("cancelled") : .success
        case .unsupported(let message):
            return .failure(message)
        }
    }

    private func http(_ url: String, headers: [[String]], timeout: Duration) async -> ProbeOutcome {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "user-agent", value: "kube-probe/1.36")
        request.headers.add(name: "accept", value: "*/*")
        request.headers.add(name: "connection", value: "close")
        for pair in headers where pair.count == 2 {
            if pair[0].lowercased() == "host" {
                request.headers.replaceOrAdd(name: "host", value: pair[1])
            } else {
                request.headers.replaceOrAdd(name: pair[0], value: pair[1])
            }
        }
        do {
            let response = try await client.execute(request, timeout: .nanoseconds(timeout.nanoseconds))
            var size = 0
            for try await chunk in response.body {
                size += chunk.readableBytes
                if size > Self.maxBody { break }
            }
            let code = response.status.code
            return (200..<400).contains(Int(code))
                ? .success : .failure("HTTP probe failed with statuscode: \(code)")
        } catch let error as HTTPClientError where error == .deadlineExceeded || error == .connectTimeout {
            return .failure("Get \"\(url)\": context deadline exceeded")
        } catch {
            return .failure("Get \"\(url)\": \(Self.describe(error))")
        }
    }

    private func tcp(_ host: String, _ port: Int, timeout: Duration) async -> ProbeOutcome {
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.nanoseconds(timeout.nanoseconds)).connect(host: host, port: port).get()
            try? await channel.close()
            return .success
        } catch {
            return .failure("dial tcp \(host):\(port): \(Self.describe(error))")
        }
    }

    private static func describe(_ error: any Error) -> String {
        let text = "\(error)"
        return text.contains("ECONNREFUSED") || text.contains("Connection refused")
            ? "connect: connection refused" : text
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import Foundation
import YAMLFormat

/// `apus serve graph`.
struct ServeGraphCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "graph", abstract: "The router of an InferenceGraph: steps of inference over HTTP.",
        discussion: """
            POST to any path goes through the graph: Sequence, Splitter, Switch and Ensemble work as KServe's router \
            does. Steps name their service by serviceUrl. GET /readyz answers when it works. Prints 'ready graph \
            HOST:PORT'.

            Headers whose names match one of the expressions in the environment's PROPAGATE_HEADERS (with commas \
            between) are passed on to steps, besides Content-Type.
            """)

    @Option(help: ArgumentHelp("The graph's spec as JSON.", valueName: "json")) var graphJson: String?
    @Option(
        help: ArgumentHelp("File with an InferenceGraph, or its spec, in YAML or JSON.", valueName: "file"))
    var graphFile: String?
    @Option(help: "Address to listen on, HOST:PORT; port 0 takes a free one. (default: 127.0.0.1:8080)")
    var listen: String?
    @OptionGroup var log: LogOptions

    func run() async throws {
        let settings = try Settings()
        let (host, port) = try hostAndPort(
            "listen", settings.value("listen", listen), example: "127.0.0.1:8080", least: 0)
        let graph: JSONValue
        switch (graphJson, graphFile) {
        case (let text?, nil):
            do {
                graph = try JSONParser.parse(text)
            } catch {
                throw ValidationError("--graph-json is not JSON: \(error)")
            }
        case (nil, let file?):
            guard let data = FileManager.default.contents(atPath: absolute(file)),
                let text = String(validating: data, as: UTF8.self)
            else { throw ValidationError("--graph-file \(file) cannot be read: is it there, and a text?") }
            do {
                graph = try YAMLDocuments.parse(text).first ?? .null
            } catch {
                throw ValidationError("--graph-file \(file) is not YAML: \(error)")
            }
        default: throw ValidationError("give the graph by one of --graph-json and --graph-file")
        }
        let propagated = ProcessInfo.processInfo.environment["PROPAGATE_HEADERS"] ?? ""
        let logger = try log.logger(settings)
        try await reporting {
            let role = GraphRole(
                graph: graph, propagated: propagated.split(separator: ",").map(String.init), host: host, port: port,
                logger: logger)
            try await role.run { address in
                print("ready graph \(address)")
                fflush(nil)
            }
        }
    }
}

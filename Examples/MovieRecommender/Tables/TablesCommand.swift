// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ModelKit

/// Puts events into Delta tables.
struct TablesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tables", abstract: "Put the topic's events into Delta tables, exactly once.",
        discussion: """
            Reads on from what the tables say. Of several processes one writes at a time; the others are refused and \
            start anew.
            """)

    @Option(help: "HOST:PORT to listen on; without HOST, POD_IP or else 127.0.0.1.")
    var listen = ListenAddress(port: 7004)

    @Option(help: "Base address of ingest, for the movies.")
    var ingest = ServiceURL(localPort: 7001)

    @OptionGroup var lake: LakeOptions
    @OptionGroup var topic: EventTopicOptions

    @Option(help: "Rows after which a batch is committed.")
    var batchRows = 50_000

    @Option(help: "MiB of events after which a batch is committed.")
    var batchMemory = 8

    @Option(help: "Milliseconds after which a batch is committed.")
    var batchTime = 500

    func validate() throws {
        guard (1...10_000_000).contains(batchRows), (1...1024).contains(batchMemory),
            (1...3_600_000).contains(batchTime)
        else { throw ValidationError("--batch-rows, --batch-memory or --batch-time is out of range") }
    }

    func run() async throws {
        let topic = try topic.topic(client: "tables")
        let logger = ServiceHost.logger("tables")
        let lake = try await lake.open(logger)
        let host = ServiceHost(role: "tables", address: listen)
        let reader = TopicReader(
            topic: topic, tables: EventTables(lake),
            limits: .init(rows: batchRows, bytes: batchMemory << 20, age: .milliseconds(batchTime)), logger: logger,
            counters: host.counters)
        let catalogue = CatalogueTable(
            lake: lake, ingest: ServiceClient(ingest, timeout: .seconds(20)), logger: logger, counters: host.counters)
        try await host.run(host.router(), services: [reader, catalogue])
        await lake.close()
    }
}

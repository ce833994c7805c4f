// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// A movie recommender as five services of their own.
@main
struct MovieRecommender: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "movie-recommender",
        abstract: "A movie recommender as five independent services.",
        discussion: """
            ingest takes in ratings and views, features turns them into data sets, train makes models of those, \
            serve answers with the newest model, and web is what people see.
            """,
        subcommands: [
            IngestCommand.self, FeaturesCommand.self, TrainCommand.self, ServeCommand.self, WebCommand.self,
            BenchALSCommand.self,
        ])
}

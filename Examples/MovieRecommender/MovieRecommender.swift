// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// A movie recommender as six services of their own.
@main
struct MovieRecommender: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "movie-recommender",
        abstract: "A movie recommender as six independent services.",
        discussion: """
            ingest takes in ratings and views, tables puts them into Delta tables, features runs SQL over those, train \
            makes models of data sets, serve answers with the newest model, and web is what people see.
            """,
        subcommands: [
            IngestCommand.self, TablesCommand.self, FeaturesCommand.self, TrainCommand.self,
            ServeCommand.self, WebCommand.self, BenchALSCommand.self,
        ])
}

// SPDX-License-Identifier: Apache-2.0

/// A movie of a MovieLens folder.
package struct Movie: Sendable, Hashable {
    /// MovieLens' `movieId`.
    package var id: Int64
    /// The title, usually with the year: `Toy Story (1995)`.
    package var title: String
    /// Genre names; empty when none are listed.
    package var genres: [String]

    /// A movie.
    package init(id: Int64, title: String, genres: [String]) {
        self.id = id
        self.title = title
        self.genres = genres
    }
}

/// A user of a MovieLens folder that has a `users.csv`.
package struct MovieLensUser: Sendable, Hashable {
    /// MovieLens' `userId`.
    package var id: Int64
    /// Years.
    package var age: Int
    /// `M` or `F`, as the data has it.
    package var gender: String
    /// The occupation's name.
    package var occupation: String

    /// A user.
    package init(id: Int64, age: Int, gender: String, occupation: String) {
        self.id = id
        self.age = age
        self.gender = gender
        self.occupation = occupation
    }
}

/// Why a folder is not a MovieLens data set.
package struct MovieLensError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong, where, and what to do.
    package let description: String
}

/// A MovieLens CSV folder: `ratings.csv` (userId,movieId,rating,timestamp), `movies.csv` (movieId,title,genres) and,
/// where there is one, `users.csv` (userId,age,gender,occupation).
package struct MovieLens: Sendable {
    /// The ratings in the order of the file.
    package let ratings: [Interaction]
    /// The movies in the order of the file.
    package let movies: [Movie]
    /// The users in the order of the file; empty without `users.csv`.
    package let users: [MovieLensUser]

    /// Ratings lie in this range, in stars.
    package static let ratingRange: ClosedRange<Double> = 0.5...5

    /// Reads the folder at `path`. Blocks.
    package init(folder path: String) throws(MovieLensError) {
        ratings = try Self.read(path, "ratings.csv", header: Self.ratingsHeader, row: Self.interaction)
        movies = try Self.read(path, "movies.csv", header: ["movieid", "title", "genres"]) { reader throws(CSVError) in
            let genres = try reader.string(2).split(separator: "|").map(String.init)
            return Movie(
                id: try reader.integer(0), title: try reader.string(1),
                genres: genres == ["(no genres listed)"] ? [] : genres)
        }
        if BinaryFile.exists("\(path)/users.csv") {
            users = try Self.read(path, "users.csv", header: ["userid", "age", "gender", "occupation"]) {
                reader throws(CSVError) in
                MovieLensUser(
                    id: try reader.integer(0), age: Int(try reader.integer(1)), gender: try reader.string(2),
                    occupation: try reader.string(3))
            }
        } else {
            users = []
        }
    }

    private static let ratingsHeader = ["userid", "movieid", "rating", "timestamp"]

    private static func interaction(_ reader: CSVReader) throws(CSVError) -> Interaction {
        let value = try reader.number(2)
        guard ratingRange.contains(value) else {
            throw CSVError(reason: "rating \(value) is outside 0.5 to 5", line: reader.line)
        }
        return Interaction(
            user: try reader.integer(0), item: try reader.integer(1), value: Float(value),
            timestamp: try reader.integer(3))
    }

    /// Reads the text of a `ratings.csv`.
    static func interactions(_ bytes: [UInt8]) throws(CSVError) -> [Interaction] {
        try rows(bytes, header: ratingsHeader, row: interaction)
    }

    private static func rows<Row>(
        _ bytes: [UInt8], header: [String], row: (CSVReader) throws(CSVError) -> Row
    ) throws(CSVError) -> [Row] {
        var reader = CSVReader(bytes)
        guard try reader.next(), try reader.strings().prefix(header.count).map({ $0.lowercased() }) == header else {
            throw CSVError(
                reason: "expected the header \(header.joined(separator: ",")) in lower or mixed case", line: 1)
        }
        var rows: [Row] = []
        while try reader.next() { rows.append(try row(reader)) }
        return rows
    }

    private static func read<Row>(
        _ folder: String, _ name: String, header: [String], row: (CSVReader) throws(CSVError) -> Row
    ) throws(MovieLensError) -> [Row] {
        let path = "\(folder)/\(name)"
        do {
            return try rows(try BinaryFile.read(path, limit: 1 << 32), header: header, row: row)
        } catch let error as CSVError {
            throw MovieLensError(description: "\(path), \(error)")
        } catch {
            throw MovieLensError(
                description: "\(error); a MovieLens folder has ratings.csv and movies.csv (run scripts/fetch-movielens)"
            )
        }
    }
}

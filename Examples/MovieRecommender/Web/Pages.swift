// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The pages' markup.
enum Pages {
    /// The frame of every page.
    static func page(title: String, user: Int64, description: String, query: String, body: HTML) -> HTML {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(title) · Apus movies</title>
        <link rel="stylesheet" href="/style.css">
        </head>
        <body>
        <header>
        <a class="brand" href="/">Apus <span>movies</span></a>
        <form class="search" action="/" method="get" role="search">
        <input type="search" name="q" value="\(query)" placeholder="Search movies" aria-label="Search movies">
        <button>Search</button>
        </form>
        <form class="user" action="/user" method="post">
        <label for="user">User</label>
        <input id="user" name="user" type="number" min="1" value="\(user)" required>
        <button>Switch</button>
        <small>\(description)</small>
        </form>
        </header>
        <main>
        \(body)
        </main>
        <footer><a href="/model">About the model</a></footer>
        </body>
        </html>
        """
    }

    /// The first page.
    static func home(
        recommended: Result<[WebMovie], Unavailable>, rated: Result<[WebMovie], Unavailable>,
        popular: Result<[WebMovie], Unavailable>
    ) -> HTML {
        HTML([
            section("Recommended for you", recommended, empty: "Rate a few movies to get recommendations.") {
                card($0, label: .predicted)
            },
            section("Your latest ratings", rated, empty: "You have not rated any movie yet. Try one below.") {
                card($0, label: .own)
            },
            section("Most rated", popular, empty: "The catalogue is empty.") { card($0, label: .mean) },
        ])
    }

    /// What a search found.
    static func results(_ query: String, _ found: Result<(movies: [WebMovie], total: Int), Unavailable>) -> HTML {
        let count: HTML = if case .success(let found) = found { "<p>\(found.total) found</p>" } else { .empty }
        return HTML([
            count,
            section("Movies matching “\(query)”", found.map(\.movies), empty: "No title has these words.") {
                card($0, label: .mean)
            },
        ])
    }

    /// One movie.
    static func movie(
        _ movie: WebMovie, own: Result<Double?, Unavailable>, prediction: Result<Double?, Unavailable>,
        similar: Result<[WebMovie], Unavailable>, together: Result<[WebMovie]?, Unavailable>
    ) -> HTML {
        var facts: [HTML] = []
        if let mean = movie.mean { facts.append(fact("Average of \(movie.ratings)", stars(mean))) }
        switch own {
        case .success(.some(let stars)): facts.append(fact("Your rating", Self.stars(stars)))
        case .success(.none):
            if case .success(.some(let predicted)) = prediction {
                facts.append(fact("Our guess for you", Self.stars(predicted)))
            }
        case .failure: break
        }
        var others = HTML.empty
        if case .success(nil) = together {
        } else {
            others = section("Who likes this also likes", together.map { $0 ?? [] }, empty: "Too few like it to say.") {
                card($0, label: .likeness)
            }
        }
        let selected: Double? = if case .success(let own) = own { own } else { nil }
        return HTML([
            """
            <article class="detail">
            <h1>\(movie.title)</h1>
            \(tags(movie.genres))
            <dl>\(HTML(facts))</dl>
            \(rateForm(movie.id, from: "movie", selected: selected))
            </article>
            """,
            section("Similar movies", similar, empty: "The model does not know this movie yet.") {
                card($0, label: .likeness)
            },
            others,
        ])
    }

    /// What the model is and how good.
    static func model(_ found: Result<JSONValue, Unavailable>) -> HTML {
        guard case .success(let model) = found else { return notice(for: found) }
        let labels = [
            ("name", "Model"), ("dataset", "Data set"), ("trainedAt", "Trained"), ("feedback", "Feedback"),
            ("users", "Users"), ("items", "Movies"), ("factors", "Factors"), ("iterations", "Iterations"),
            ("lambda", "Lambda"), ("seed", "Seed"),
        ]
        var facts: [HTML] = []
        if let rmse = model["rmse"].double {
            facts.append(fact("RMSE on held-out ratings", TrainingReporter.decimals(rmse, 4)))
        }
        if let recall = model["recallAt10"].double {
            facts.append(fact("Recall@10", TrainingReporter.decimals(recall, 4)))
        }
        for (key, label) in labels where !model[key].isNull {
            facts.append(fact(label, model[key].string ?? model[key].text))
        }
        return "<article class=\"detail\"><h1>The model</h1><dl>\(HTML(facts))</dl></article>"
    }

    /// A message in place of what cannot be shown.
    static func notice(_ message: String) -> HTML { "<p class=\"notice\" role=\"status\">\(message)</p>" }

    /// A message about the part that is missing.
    static func notice<Value>(for result: Result<Value, Unavailable>) -> HTML {
        guard case .failure(let missing) = result else { return .empty }
        return notice("We cannot show \(missing.part) just now. Please try again in a moment.")
    }

    private enum Label {
        case predicted, own, mean, likeness
    }

    private static func section(
        _ title: String, _ movies: Result<[WebMovie], Unavailable>, empty: String, card: (WebMovie) -> HTML
    ) -> HTML {
        let content: HTML =
            switch movies {
            case .success(let movies) where movies.isEmpty: notice(empty)
            case .success(let movies): "<ul class=\"cards\">\(HTML(movies.map(card)))</ul>"
            case .failure: notice(for: movies)
            }
        return "<section><h2>\(title)</h2>\(content)</section>"
    }

    private static func card(_ movie: WebMovie, label: Label) -> HTML {
        let score: HTML =
            switch label {
            case .predicted:
                movie.score.map { "<span class=\"score\" title=\"predicted\">\(stars($0))</span>" } ?? .empty
            case .own: movie.score.map { "<span class=\"score own\" title=\"yours\">\(stars($0))</span>" } ?? .empty
            case .mean: movie.mean.map { "<span class=\"score mean\" title=\"average\">\(stars($0))</span>" } ?? .empty
            case .likeness:
                movie.score.map { "<span class=\"score like\">\(Int(($0 * 100).rounded()))% alike</span>" } ?? .empty
            }
        return """
            <li class="card">
            <h3><a href="/movies/\(movie.id)">\(movie.title)</a></h3>
            \(tags(movie.genres))
            <p class="facts">\(score) <small>\(movie.ratings) \(movie.ratings == 1 ? "rating" : "ratings")</small></p>
            \(rateForm(movie.id, from: "home", selected: label == .own ? movie.score : nil))
            </li>
            """
    }

    private static func rateForm(_ movie: Int, from: String, selected: Double?) -> HTML {
        let buttons = (1...5).map { stars -> HTML in
            let isOn = selected.map { Double(stars) <= $0.rounded() } ?? false
            return """
                <button name="rating" value="\(stars)" class="\(isOn ? "star on" : "star")" \
                aria-label="Rate \(stars) of 5">★</button>
                """
        }
        return """
            <form class="rate" action="/rate" method="post">
            <input type="hidden" name="movie" value="\(movie)"><input type="hidden" name="from" value="\(from)">
            \(HTML(buttons))
            </form>
            """
    }

    private static func tags(_ genres: [String]) -> HTML {
        "<p class=\"tags\">\(HTML(genres.map { "<span>\($0)</span>" }))</p>"
    }

    private static func fact(_ name: String, _ value: String) -> HTML {
        "<div><dt>\(name)</dt><dd>\(value)</dd></div>"
    }

    private static func stars(_ value: Double) -> String { "★ \(TrainingReporter.decimals(value, 1))" }
}

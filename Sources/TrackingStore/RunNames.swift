// SPDX-License-Identifier: Apache-2.0

/// Names of runs that were given none: easy to say and to tell apart, not unique.
enum RunNames {
    private static let first = [
        "amber", "ancient", "autumn", "bold", "breezy", "bright", "brisk", "calm", "cedar", "clear", "clever", "cosmic",
        "crimson", "crisp", "distant", "early", "eager", "fleet", "gentle", "golden", "hidden", "humble", "icy",
        "jolly",
        "keen", "lively", "lucid", "lunar", "mellow", "misty", "modest", "nimble", "noble", "northern", "patient",
        "polar",
        "proud", "quiet", "rapid", "rustic", "scarlet", "serene", "silent", "silver", "solar", "steady", "stellar",
        "sunny", "swift", "tidal", "tranquil", "vivid", "warm", "western", "wild", "wise", "young", "zesty",
    ]
    private static let second = [
        "arch", "aurora", "bay", "beacon", "birch", "brook", "canyon", "cliff", "cloud", "comet", "coral", "crater",
        "creek", "delta", "dune", "ember", "fern", "fjord", "forest", "galaxy", "glacier", "grove", "harbor", "heath",
        "hill", "island", "lagoon", "lake", "maple", "marsh", "meadow", "mesa", "meteor", "moon", "nebula", "oak",
        "ocean", "orbit", "peak", "pebble", "pine", "planet", "prairie", "pulsar", "quartz", "rain", "reef", "ridge",
        "river", "shore", "sky", "spring", "star", "stone", "storm", "summit", "tide", "valley", "wave", "willow",
    ]

    /// Two words and a number.
    static func random() -> String {
        "\(first.randomElement() ?? "plain")-\(second.randomElement() ?? "run")-\(Int.random(in: 100...999))"
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing
import TrackingModel

/// What MLflow 3.17.2's functions of utils/validation.py answer to the same.
@Suite struct RegistryRulesTests {
    private func fault(_ check: () throws(TrackingError) -> Void) -> String? {
        do throws(TrackingError) {
            try check()
            return nil
        } catch {
            #expect(error.code == .invalidParameterValue)
            return error.description
        }
    }

    @Test(arguments: ["a", "a b", "ä", "a.b", "a-b_c", "名前", "v1", " a "])
    func namesOfModels(_ name: String) {
        #expect(fault { () throws(TrackingError) in try RegistryRules.checkModelName(name) } == nil)
    }

    @Test(arguments: [
        ("", "Missing value for required parameter 'name'."), (" ", "Missing value for required parameter 'name'."),
        ("a/b", "Invalid model name 'a/b'. Names cannot contain '/' or ':'."),
        ("a:b", "Invalid model name 'a:b'. Names cannot contain '/' or ':'."),
        (
            "..",
            "Invalid value \"..\" for parameter 'name' supplied: Names may be treated as files in certain cases, and must "
                + "not resolve to other names when treated as such. This name would resolve to '..'"
        ),
    ])
    func namesThatNoModelHas(_ name: String, _ words: String) {
        #expect(fault { () throws(TrackingError) in try RegistryRules.checkModelName(name) } == words)
    }

    @Test(arguments: ["champion", "Champion", "a-b_c", "1", "v", "v1a", "V-1", "ä"])
    func aliases(_ alias: String) {
        #expect(fault { () throws(TrackingError) in try RegistryRules.checkNewAlias(alias) } == nil)
    }

    @Test(arguments: [
        ("", "Registered model alias name cannot be empty."),
        ("latest", "'latest' alias name (case insensitive) is reserved."),
        ("LATEST", "'latest' alias name (case insensitive) is reserved."),
        ("v1", "Version alias name 'v1' is reserved."), ("V123", "Version alias name 'V123' is reserved."),
        (
            "a b",
            "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        ),
        (
            "a.b",
            "Invalid alias name: 'a.b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        ),
        (
            String(repeating: "a", count: 256),
            "'Registered model alias name' exceeds the maximum length of 255 characters"
        ),
    ])
    func aliasesThatAreRefused(_ alias: String, _ words: String) {
        #expect(fault { () throws(TrackingError) in try RegistryRules.checkNewAlias(alias) } == words)
    }

    @Test func reservedAliasesMayBeAskedFor() throws {
        try RegistryRules.checkAlias("latest")
        try RegistryRules.checkAlias("v1")
    }

    @Test(
        arguments: [("1", 1), (" 12 ", 12), ("-3", -3), ("+4", 4), ("99999999999999999999", -1)] as [(String, Int64)])
    func numbersOfVersions(_ text: String, _ number: Int64) throws {
        #expect(try RegistryRules.version(text) == number)
    }

    @Test(arguments: ["", "a", "1.5", "1a", "0x1"])
    func textsThatAreNoVersion(_ text: String) {
        #expect(
            fault { () throws(TrackingError) in _ = try RegistryRules.version(text) }
                == "Parameter 'version' must be an integer, got '\(text)'.")
    }

    @Test func tagsHaveLimits() {
        let long = String(repeating: "x", count: 100_001)
        #expect(fault { () throws(TrackingError) in try RegistryRules.checkTag("k", String(long.dropLast())) } == nil)
        #expect(
            fault { () throws(TrackingError) in try RegistryRules.checkTag("k", long) }
                == "'value' exceeds the maximum length of 100000 characters")
        #expect(
            fault { () throws(TrackingError) in try RegistryRules.checkTag(String(long.prefix(251)), "") }
                == "'key' exceeds the maximum length of 250 characters")
        #expect(
            fault { () throws(TrackingError) in try RegistryRules.checkVersionTag("mlflow.prompt.text", long) }
                == "Prompt text exceeds max length of 100000 characters.")
        #expect(
            fault { () throws(TrackingError) in try RegistryRules.checkTag("a?b", "") }?.hasPrefix(
                "Invalid value \"a?b\" for parameter 'key'") == true)
    }

    @Test func stagesAreReadInAnyCase() throws {
        #expect(try ModelStage("PRODUCTION") == .production)
        #expect(
            throws: TrackingError.invalid(
                "Invalid Model Version stage: x. Value must be one of None, Staging, Production, Archived.")
        ) {
            try ModelStage("x")
        }
    }

    @Test func namesOfLoggedModels() {
        #expect(fault { () throws(TrackingError) in try RegistryRules.checkLoggedModelName("my model-1") } == nil)
        #expect(
            fault { () throws(TrackingError) in try RegistryRules.checkLoggedModelName("a.b") }
                == #"Invalid model name ('a.b') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")"#
        )
    }
}

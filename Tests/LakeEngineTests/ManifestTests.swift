// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import LakeEngine

struct ManifestTests {
    private func toml(_ text: String) throws -> TOMLDocument { try TOMLDocument(text) }

    @Test func whatManifestsUseOfTOML() throws {
        let document = try toml(
            """
            # a comment
            name = "Spark" # after a value
            version = 'v0.3\\n'
            "quoted key" = "tab\\tand \\u00e6"
            numbers.one = 1_000
            numbers.half = 0.5
            flags = [true, false, # in an array
              ]
            inline = { a = 1, b.c = "x" }
            [Driver]
            entrypoint = "Init"
            [Driver.shared]
            linux_amd64 = "/lib/a.so"
            """)
        #expect(document["name"]?.string == "Spark")
        #expect(document["version"]?.string == "v0.3\\n")
        #expect(document["quoted key"]?.string == "tab\tand æ")
        #expect(document["numbers", "one"]?.integer == 1000)
        #expect(document["numbers", "half"] == .float(0.5))
        #expect(document["flags"] == .array([.bool(true), .bool(false)]))
        #expect(document["inline", "b", "c"]?.string == "x")
        #expect(document["Driver", "shared", "linux_amd64"]?.string == "/lib/a.so")
        #expect(document["Driver", "nothing"] == nil)
        #expect(document["name", "nothing"] == nil)
    }

    @Test func whatIsNoTOMLIsRefusedWithItsLine() {
        let cases: [(String, Int)] = [
            ("a", 1), ("a = ", 1), ("\na = 1 b = 2", 2), ("a = 1\na = 2", 2), ("a = 'x", 1), ("a = \"\\q\"", 1),
            ("[a\nb = 1", 1), ("[[a]]", 1), ("a = [1 2]", 1), ("a = { b = 1", 1), ("a = 1979-05-27", 1),
            ("a.b = 1\na = 2", 2),
            ("a = \"\"\"x\"\"\"", 1), ("= 1", 1), ("a = \"\\uD800\"", 1), ("a = [", 1),
            ("a = " + String(repeating: "[", count: 100), 1),
        ]
        for (text, line) in cases {
            let problem = #expect(throws: TOMLDocument.Problem.self, "\(text)") { try TOMLDocument(text) }
            #expect(problem?.line == line, "\(text)")
        }
    }

    @Test func manifestsNameALibraryForThisMachine() throws {
        let text =
            "manifest_version = 1\n[Driver]\nentrypoint = 'Init'\n[Driver.shared]\n\(DriverManifest.platform) = 'lib/x.so'"
        let manifest = try DriverManifest(toml(text), path: "/drivers/x.toml")
        #expect(manifest.library == "/drivers/lib/x.so")
        #expect(manifest.entryPoint == "Init")
        #expect(try DriverManifest(toml("[Driver]\nshared = '/y.so'"), path: "/x.toml").library == "/y.so")
        for text in [
            "", "[Driver]", "[Driver.shared]\nplan9 = 'x'", "manifest_version = 2\n[Driver]\nshared = '/y.so'",
        ] {
            #expect(throws: LakeError.self, "\(text)") { try DriverManifest(toml(text), path: "/x.toml") }
        }
    }

    @Test func profilesFlattenAndReadTheEnvironment() throws {
        let text = """
            profile_version = 1
            driver = "spark"
            [Options]
            uri = "sc://{{ env_var(HOST) }}:{{env_var(PORT)}}/{{ env_var(NOT_SET) }}"
            number = 5
            flag = true
            [Options.spark.sql]
            catalog = "x"
            """
        let profile = try ConnectionProfile(toml(text), path: "p", environment: ["HOST": "h", "PORT": "15002"])
        #expect(profile.driver == "spark")
        #expect(
            profile.options == [
                "uri": "sc://h:15002/", "number": "5", "flag": "true", "spark.sql.catalog": "x",
            ])
        for bad in ["{{ secret(X) }}", "{{ env_var() }}", "{{ env_var(X }}"] {
            #expect(throws: LakeError.self, "\(bad)") {
                try ConnectionProfile.interpolate(bad, environment: [:], place: "p")
            }
        }
        #expect(try ConnectionProfile.interpolate("{{ open", environment: [:], place: "p") == "{{ open")
        for text in ["driver = 'x'\n[Options]", "profile_version = 1\n[Options]", "profile_version = 1\ndriver = 'x'"] {
            #expect(throws: LakeError.self, "\(text)") {
                try ConnectionProfile(toml(text), path: "p", environment: [:])
            }
        }
    }

    @Test func driversAreFoundWhereTheConventionPutsThem() throws {
        let root = FileManager.default.temporaryDirectory.path + "/apus-drivers-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        func write(_ path: String, _ text: String) throws {
            let full = root + "/" + path
            try FileManager.default.createDirectory(
                atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try text.write(toFile: full, atomically: true, encoding: .utf8)
        }
        for (place, name) in [("env", "a"), ("home/.config/adbc/drivers", "b"), ("etc/drivers", "c")] {
            try write("\(place)/\(name).toml", "[Driver]\nshared = '/lib/\(name).so'")
            try write(
                "etc/drivers/\(name).toml",
                name == "c" ? "[Driver]\nshared = '/lib/c.so'" : "[Driver]\nshared = '/wrong'")
        }
        try write("profiles/p.toml", "profile_version = 1\ndriver = 'b'\n[Options]\nuri = 'one'\nkeep = 'k'")
        let places = DriverPlaces(
            environment: ["ADBC_DRIVER_PATH": "\(root)/none:\(root)/env", "ADBC_PROFILE_PATH": "\(root)/profiles"],
            home: root + "/home", system: root + "/etc")
        for name in ["a", "b", "c"] {
            #expect(try ResolvedDriver(.manifest(name), options: [:], places: places).library == "/lib/\(name).so")
        }
        let profile = try ResolvedDriver(.profile("profile://p"), options: ["uri": "two"], places: places)
        #expect(profile.library == "/lib/b.so")
        #expect(profile.options == ["uri": "two", "keep": "k"])
        let error = #expect(throws: LakeError.self) {
            try ResolvedDriver(.manifest("none"), options: [:], places: places)
        }
        #expect(error?.code == .notFound)
        #expect(throws: LakeError.self) { try ResolvedDriver(.profile("none"), options: [:], places: places) }
        #expect(throws: LakeError.self) { try ResolvedDriver(.path("/none.so"), options: [:], places: places) }
        #expect(DriverReference("duckdb") == .duckdb)
        #expect(DriverReference("profile://p") == .profile("profile://p"))
        #expect(DriverReference("/x.so") == .path("/x.so"))
        #expect(DriverReference("spark") == .manifest("spark"))
    }

    @Test func entryPointsFollowTheLibrarysName() {
        let cases = [
            ("/x/libadbc_driver_sqlite.so", "AdbcDriverSqliteInit"),
            ("libadbc_driver_sqlite.so.2.0.0", "AdbcDriverSqliteInit"),
            ("proprietary_engine.so", "AdbcDriverProprietaryEngineInit"),
        ]
        for (path, name) in cases { #expect(ADBCDriver.defaultEntryPoint(path: path) == name) }
    }

    @Test func errorsAreNormalised() {
        let cases: [(UInt8, String, String?, LakeError.Code)] = [
            (9, "[TABLE_OR_VIEW_NOT_FOUND] no such table. SQLSTATE: 42P01", nil, .notFound),
            (9, "[PARSE_SYNTAX_ERROR] at 'SELEC'. SQLSTATE: 42601", nil, .syntax),
            (9, "[DIVIDE_BY_ZERO] SQLSTATE: 22012", nil, .invalidData), (1, "x", "23505", .integrity),
            (9, "[Spark] [PATH_NOT_FOUND] no such path. SQLSTATE: 42K03", nil, .notFound),
            (9, "[Spark] [INVALID_CDC_OPTION.X] SQLSTATE: 42K03", nil, .syntax),
            (9, "[Spark] [TABLE_OR_VIEW_ALREADY_EXISTS] SQLSTATE: 42P07", nil, .alreadyExists),
            (9, "[Spark] [OPERATION_CANCELED] SQLSTATE: HY008", nil, .cancelled),
            (9, "[Spark] [UNABLE_TO_ACQUIRE_MEMORY] SQLSTATE: 53200", nil, .memory),
            (9, "[Spark] [USER_RAISED_EXCEPTION] it's [PATH_NOT_FOUND] SQLSTATE: P0001", nil, .invalidData),
            (9, "[Spark] Failed to commit transaction: 0", nil, .conflict),
            (9, "[Spark] invalid argument: found [A_NOT_FOUND]", nil, .syntax), (9, "[", nil, .internal),
            (11, "x", nil, .cancelled), (12, "x", nil, .timeout), (13, "x", nil, .unauthenticated),
            (200, "x", nil, .unknown),
            (9, "Catalog Error: Table with name t does not exist!", nil, .notFound),
            (9, "Catalog Error: Table with name \"t\" already exists!", nil, .alreadyExists),
            (9, "INTERRUPT Error: Interrupted!", nil, .cancelled), (9, "SQLSTATE: ab", nil, .internal),
        ]
        for (status, message, state, code) in cases {
            let error = ErrorNormaliser.error(status: status, message: message, sqlState: state, vendorCode: nil)
            #expect(error.code == code, "\(message)")
        }
        let spark = ErrorNormaliser.error(
            status: 9, message: "[TABLE_OR_VIEW_NOT_FOUND] x SQLSTATE: 42P01", sqlState: nil, vendorCode: 13)
        #expect(spark.sqlState == "42P01" && spark.vendorCode == 13)
    }
}

// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI
import Testing

/// What authors of definitions are warned of.
@Suite struct DefinitionWarningTests {
    private func definition(_ schemas: String...) throws -> KubeObject {
        let versions = schemas.map { #"{"schema":{"openAPIV3Schema":\#($0)}}"# }.joined(separator: ",")
        return KubeObject(try JSONParser.parse(Array(#"{"spec":{"versions":[\#(versions)]}}"#.utf8)))
    }

    private static let rows: [(schema: String, warnings: [String])] = [
        (#"{"type":"string","format":"date-time"}"#, []),
        (#"{"format":"uuid"}"#, []),
        (#"{"type":"string","format":"gopher"}"#, [#"unrecognized format "gopher""#]),
        (#"{"type":"string","format":"int32"}"#, [#"unrecognized format "int32""#]),
        (#"{"type":"integer","format":"int64"}"#, []),
        (#"{"type":"integer","format":"double"}"#, [#"unrecognized format "double""#]),
        (#"{"type":"number","format":"double"}"#, []),
        (#"{"type":"boolean","format":"uuid"}"#, [#"unrecognized format "uuid""#]),
        (
            #"{"properties":{"b":{"format":"y"},"a":{"items":{"format":"x"}}}}"#,
            [#"unrecognized format "x""#, #"unrecognized format "y""#]
        ),
        (#"{"additionalProperties":{"format":"x"}}"#, [#"unrecognized format "x""#]),
        (#"{"anyOf":[{"format":"x"},{"not":{"format":"x"}}]}"#, [#"unrecognized format "x""#]),
        (#"{"x-kubernetes-list-type":"set","items":{"type":"string"}}"#, []),
        (#"{"x-kubernetes-list-type":"atomic","items":{"type":"object"}}"#, []),
        (
            #"{"properties":{"l":{"x-kubernetes-list-type":"set","items":{"type":"array"}}}}"#,
            [
                #"x-kubernetes-list-type: set for items of type "array" is not supported by server-side apply or "#
                    + "CEL validation rules"
            ]
        ),
    ]

    @Test(arguments: rows.indices) func warnings(_ index: Int) throws {
        let row = Self.rows[index]
        #expect(DefinitionWarnings.warnings(try definition(row.schema), old: nil) == row.warnings)
    }

    @Test func onlyWhatIsNewIsToldOf() throws {
        let old = try definition(#"{"format":"x"}"#)
        let new = try definition(#"{"format":"x"}"#, #"{"format":"z"}"#)
        #expect(DefinitionWarnings.warnings(new, old: old) == [#"unrecognized format "z""#])
        #expect(DefinitionWarnings.warnings(old, old: new).isEmpty)
    }
}

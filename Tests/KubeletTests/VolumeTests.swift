// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI
import Testing

@testable import Kubelet

@Suite struct VolumeTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "kubelet-" + RandomID.uuid()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func file(_ text: String, mode: Int = 0o644) -> VolumeFile {
        VolumeFile(bytes: Array(text.utf8), mode: mode)
    }

    private func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `files appear, change and disappear together`() throws {
        try withDirectory { path in
            try AtomicWriter.write(["a": file("1"), "sub/b": file("2", mode: 0o600)], to: path)
            #expect(read(path + "/a") == "1")
            #expect(read(path + "/sub/b") == "2")
            let mode = try FileManager.default.attributesOfItem(atPath: path + "/..data/sub/b")[.posixPermissions]
            #expect((mode as? NSNumber)?.intValue == 0o600)
            let first = try FileManager.default.destinationOfSymbolicLink(atPath: path + "/..data")
            try AtomicWriter.write(["a": file("1"), "sub/b": file("2", mode: 0o600)], to: path)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path + "/..data") == first)
            try AtomicWriter.write(["a": file("3"), "c": file("4")], to: path)
            #expect(read(path + "/a") == "3")
            #expect(read(path + "/c") == "4")
            #expect(
                try Set(FileManager.default.contentsOfDirectory(atPath: path)).isSuperset(of: ["a", "c", "..data"]))
            #expect(!FileManager.default.fileExists(atPath: path + "/sub"))
            #expect(!FileManager.default.fileExists(atPath: path + "/" + first))
            // What a killed writer left behind is in nobody's way.
            try FileManager.default.createSymbolicLink(atPath: path + "/..data_tmp", withDestinationPath: "..x")
            try FileManager.default.createDirectory(atPath: path + "/..x", withIntermediateDirectories: false)
            try AtomicWriter.write(["a": file("5")], to: path)
            #expect(read(path + "/a") == "5")
            #expect(!FileManager.default.fileExists(atPath: path + "/..x"))
            try AtomicWriter.write([:], to: path)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path).allSatisfy { $0.hasPrefix("..") })
        }
    }

    @Test(arguments: ["../x", "/x", "a/../x", "", "a//b", "..data", "."])
    func `paths that lead out are refused`(name: String) throws {
        try withDirectory { path in
            #expect(throws: VolumeError.self) { try AtomicWriter.write([name: file("x")], to: path) }
        }
    }

    @Test(arguments: ["..", "a/../b", "/etc"])
    func `sub-paths that lead out are refused`(path: String) {
        #expect(throws: VolumeError.self) { try PodDirectory.join("/v", path) }
    }

    private func content(tokens: [String: String] = [:]) -> VolumeContent {
        var config = KubeObject(.configMaps, namespace: "shop", name: "c")
        config["data"] = ["k": "v", "l": "w"]
        config["binaryData"] = ["bin": "AP8="]
        var secret = KubeObject(.secrets, namespace: "shop", name: "s")
        secret["data"] = ["p": "cQ=="]
        let pod = PodHarness.pod(
            ["containers": [["name": "a", "resources": ["limits": ["cpu": "2"]]]]],
            metadata: ["labels": ["y": "2", "x": "1"]])
        let environment = ContainerEnvironment(
            pod: pod, podAddress: "127.80.0.1", hostAddress: "127.0.0.1", nodeName: "n",
            objects: .init(configMaps: ["c": config], secrets: ["s": secret]))
        return VolumeContent(environment: environment, tokens: tokens)
    }

    @Test func `content of volumes`() throws {
        let content = content(tokens: ["token": "jwt"])
        #expect(
            try content.files(of: ["configMap": ["name": "c"]])
                == ["k": file("v"), "l": file("w"), "bin": VolumeFile(bytes: [0, 255], mode: 0o644)])
        #expect(
            try content.files(of: [
                "secret": ["secretName": "s", "defaultMode": 256, "items": [["key": "p", "path": "d/p"]]]
            ]) == ["d/p": file("q", mode: 256)])
        let projected: JSONValue = [
            "projected": [
                "defaultMode": 420,
                "sources": [
                    ["serviceAccountToken": ["path": "token"]],
                    ["configMap": ["name": "c", "items": [["key": "k", "path": "ca.crt"]]]],
                    ["secret": ["name": "s"]],
                    [
                        "downwardAPI": [
                            "items": [
                                ["path": "namespace", "fieldRef": ["fieldPath": "metadata.namespace"]],
                                ["path": "labels", "fieldRef": ["fieldPath": "metadata.labels"]],
                                [
                                    "path": "cpu", "mode": 384,
                                    "resourceFieldRef": ["containerName": "a", "resource": "limits.cpu"],
                                ],
                            ]
                        ]
                    ],
                    ["configMap": ["name": "gone", "optional": true]],
                ],
            ]
        ]
        #expect(
            try content.files(of: projected) == [
                "token": file("jwt"), "ca.crt": file("v"), "p": file("q"), "namespace": file("shop"),
                "labels": file("x=\"1\"\ny=\"2\""), "cpu": file("2", mode: 384),
            ])
    }

    @Test(
        arguments: [
            (["configMap": ["name": "z"]], "configmap \"z\" not found"),
            (["secret": ["secretName": "z"]], "secret \"z\" not found"),
            (
                ["configMap": ["name": "c", "items": [["key": "z", "path": "z"]]]],
                "references non-existent key \"z\" of configmap \"c\""
            ),
        ] as [(JSONValue, String)])
    func `missing content`(volume: JSONValue, message: String) {
        #expect(throws: VolumeError(message)) { try content().files(of: volume) }
    }

    @Test func `host paths`() throws {
        try withDirectory { path in
            #expect(throws: VolumeError.self) { try PodDirectory.prepareHostPath(path, type: "Directory") }
            try PodDirectory.prepareHostPath(path, type: "DirectoryOrCreate")
            try PodDirectory.prepareHostPath(path, type: "Directory")
            #expect(throws: VolumeError.self) { try PodDirectory.prepareHostPath(path, type: "File") }
            try PodDirectory.prepareHostPath(path + "/f", type: "FileOrCreate")
            try PodDirectory.prepareHostPath(path + "/f", type: "File")
            #expect(throws: VolumeError.self) { try PodDirectory.prepareHostPath(path + "/f", type: "Socket") }
            try PodDirectory.prepareHostPath(path + "/none", type: "")
        }
    }
}

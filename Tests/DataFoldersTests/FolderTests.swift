// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Foundation
import Testing

/// A folder that goes with the test.
private final class Scratch {
    let path = NSTemporaryDirectory() + "apus-folders-\(UUID().uuidString)"

    init() throws { try Folder.create(path) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

struct FolderTests {
    @Test func filesAreReplacedAsAWhole() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/file"
        #expect(try Folder.read(path) == nil)
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        try Folder.replace(path, with: bytes)
        #expect(try Folder.read(path) == bytes)
        try Folder.replace(path, with: [])
        #expect(try Folder.read(path) == [])
        #expect(try Folder.names(in: scratch.path) == ["file"])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func tooLargeFilesAreNotRead() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/file"
        try Folder.replace(path, with: [1, 2, 3, 4])
        let error = #expect(throws: FileError.self) { try Folder.read(path, atMost: 3) }
        #expect(error?.path == path)
        #expect(try Folder.read(path, atMost: 4) == [1, 2, 3, 4])
    }

    @Test func foldersBelowFilesAreRefused() throws {
        let scratch = try Scratch()
        try Folder.touch(scratch.path + "/file")
        let error = #expect(throws: FileError.self) { try Folder.create(scratch.path + "/file/below") }
        #expect(error?.isRefused == true)
        #expect(error?.description == "cannot create the folder \(scratch.path)/file: Not a directory")
        try Folder.create(scratch.path + "/a/b/c")
        try Folder.create(scratch.path + "/a/b/c")
        #expect(Folder.isFolder(scratch.path + "/a/b/c"))
    }

    @Test func oneOwnerAtATime() throws {
        let scratch = try Scratch()
        let lock = try FolderLock(scratch.path + "/data")
        let error = #expect(throws: FolderLock.Failure.self) { try FolderLock(scratch.path + "/data") }
        let pid = ProcessInfo.processInfo.processIdentifier
        #expect(
            error?.description
                == "another apus (pid \(pid)) uses \(scratch.path)/data: stop it or use another --data-dir")
        lock.release()
        try FolderLock(scratch.path + "/data").release()
    }
}

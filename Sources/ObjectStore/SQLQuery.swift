// SPDX-License-Identifier: Apache-2.0

/// The statements that are kept prepared.
enum SQLQuery: Int {
    case newest, version, versionsOf, removeVersion, insertVersion, replaceVersion, listVersions, allVersions
    case body, hasFile, insertBody, removeBody, shares, setShares, removeShares
    case segments, insertSegments, removeSegments
    case insertUpload, upload, removeUpload, listUploads, bucketHasUploads, uploadsOfBucket
    case insertPart, part, parts, removeParts
    case insertBucket, removeBucket, setBucket, setDocument, removeDocument, removeDocuments
    case hasVersions, begin, end

    var sql: String {
        switch self {
        case .begin: "BEGIN"
        case .end: "COMMIT"
        case .newest: "SELECT age, data FROM versions WHERE bucket = ?1 AND key = ?2 ORDER BY age LIMIT 1"
        case .version: "SELECT age, data FROM versions WHERE bucket = ?1 AND key = ?2 AND age = ?3"
        case .versionsOf: "SELECT age, data FROM versions WHERE bucket = ?1 AND key = ?2 AND age >= ?3 ORDER BY age"
        case .removeVersion: "DELETE FROM versions WHERE bucket = ?1 AND key = ?2 AND age = ?3"
        case .insertVersion: "INSERT INTO versions (bucket, key, age, data) VALUES (?1, ?2, ?3, ?4)"
        case .replaceVersion: "UPDATE versions SET data = ?4 WHERE bucket = ?1 AND key = ?2 AND age = ?3"
        case .listVersions:
            "SELECT key, age, data FROM versions WHERE bucket = ?1 AND (key, age) > (?2, ?3) ORDER BY key, age"
        case .allVersions: "SELECT bucket, key, age, data FROM versions"
        case .hasVersions: "SELECT 1 FROM versions WHERE bucket = ?1 LIMIT 1"
        case .body: "SELECT size, crc, data FROM bodies WHERE id = ?1"
        case .hasFile: "SELECT 1 FROM bodies WHERE id = ?1 AND crc IS NULL"
        case .insertBody: "INSERT INTO bodies (id, size, crc, data) VALUES (?1, ?2, ?3, ?4)"
        case .removeBody: "DELETE FROM bodies WHERE id = ?1"
        case .shares: "SELECT count FROM shares WHERE body = ?1"
        case .setShares: "INSERT OR REPLACE INTO shares (body, count) VALUES (?1, ?2)"
        case .removeShares: "DELETE FROM shares WHERE body = ?1"
        case .segments: "SELECT data FROM segments WHERE id = ?1"
        case .insertSegments: "INSERT INTO segments (id, data) VALUES (?1, ?2)"
        case .removeSegments: "DELETE FROM segments WHERE id = ?1"
        case .insertUpload: "INSERT INTO uploads (bucket, key, id, data) VALUES (?1, ?2, ?3, ?4)"
        case .upload: "SELECT data FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3"
        case .removeUpload: "DELETE FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3"
        case .listUploads:
            "SELECT key, id, data FROM uploads WHERE bucket = ?1 AND (key, id) > (?2, ?3) ORDER BY key, id"
        case .bucketHasUploads: "SELECT 1 FROM uploads WHERE bucket = ?1 LIMIT 1"
        case .uploadsOfBucket: "SELECT key, id FROM uploads WHERE bucket = ?1 LIMIT 100"
        case .insertPart: "INSERT OR REPLACE INTO parts (upload, number, data) VALUES (?1, ?2, ?3)"
        case .part: "SELECT data FROM parts WHERE upload = ?1 AND number = ?2"
        case .parts: "SELECT number, data FROM parts WHERE upload = ?1 AND number > ?2 ORDER BY number"
        case .removeParts: "DELETE FROM parts WHERE upload = ?1"
        case .insertBucket: "INSERT INTO buckets (id, name, data) VALUES (?1, ?2, ?3)"
        case .removeBucket: "DELETE FROM buckets WHERE id = ?1"
        case .setBucket: "UPDATE buckets SET data = ?2 WHERE id = ?1"
        case .setDocument: "INSERT OR REPLACE INTO documents (bucket, kind, data) VALUES (?1, ?2, ?3)"
        case .removeDocument: "DELETE FROM documents WHERE bucket = ?1 AND kind = ?2"
        case .removeDocuments: "DELETE FROM documents WHERE bucket = ?1"
        }
    }
}

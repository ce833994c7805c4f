// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a Bucket declares (group s3.services.k8s.aws, kind Bucket, in ACK's field names).
struct BucketDeclaration: Equatable {
    /// What becomes of a bucket that is there before its object is.
    enum Adoption: String {
        /// It becomes the object's, and the object's spec says what it is like.
        case adopt
        /// It becomes the object's, and is made what the spec says; made where it is not there.
        case adoptOrCreate = "adopt-or-create"
    }

    /// What becomes of the bucket when its object goes.
    enum DeletionPolicy: String, Sendable {
        case delete, retain
    }

    static let adoptionAnnotation = "services.k8s.aws/adoption-policy"
    static let adoptionFieldsAnnotation = "services.k8s.aws/adoption-fields"
    static let adoptedAnnotation = "services.k8s.aws/adopted"
    static let readOnlyAnnotation = "services.k8s.aws/read-only"
    static let deletionAnnotation = "services.k8s.aws/deletion-policy"
    /// Of a namespace: for its buckets.
    static let namespaceDeletionAnnotation = "s3.services.k8s.aws/deletion-policy"
    /// Fields beside the documents.
    private static let fields: Set<String> = ["name", "createBucketConfiguration"]

    /// The bucket's name.
    var name: String
    /// Where it is to be made; nil for the region of the operator.
    var location: String?
    /// Nil where a bucket that is there already is not taken.
    var adoption: Adoption?
    /// The bucket is looked at and never changed.
    var isReadOnly: Bool
    /// The documents that are wanted; those that are not there are not to be.
    var documents: [BucketDocument: [UInt8]] = [:]

    /// - Throws: ``Refusal`` naming the field or the annotation that cannot be used.
    init(_ object: KubeObject) throws(Refusal) {
        isReadOnly = object.annotations[Self.readOnlyAnnotation] == "true"
        adoption = try Self.annotation(Self.adoptionAnnotation, of: object)
        _ = try Self.deletionPolicy(object)
        guard let name = Self.name(object) else {
            throw Refusal("InvalidSpec", "spec.name is needed: the bucket's name")
        }
        self.name = name
        for field in object.spec.members.keys.sorted()
        where !Self.fields.contains(field) && BucketDocument(rawValue: field) == nil {
            throw Refusal(
                "NotSupported",
                "spec.\(field) is not supported: leave it out (there are name, createBucketConfiguration, "
                    + BucketDocument.allCases.map(\.rawValue).joined(separator: ", ") + ")")
        }
        let configuration = object.spec["createBucketConfiguration"]
        for field in configuration.members.keys.sorted() where field != "locationConstraint" {
            throw Refusal("NotSupported", "spec.createBucketConfiguration.\(field) is not supported: leave it out")
        }
        location = configuration["locationConstraint"].string.flatMap { $0.isEmpty ? nil : $0 }
        for document in BucketDocument.allCases { documents[document] = try document.bytes(object.spec) }
    }

    /// The name of an object's bucket; nil where it says none.
    static func name(_ object: KubeObject) -> String? {
        if let name = object.spec["name"].string, !name.isEmpty { return name }
        let fields = object.annotations[adoptionFieldsAnnotation].flatMap { try? JSONParser.parse(Array($0.utf8)) }
        return fields?["name"].string.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What an object itself says of its bucket's end; nil where it says nothing.
    static func deletionPolicy(_ object: KubeObject) throws(Refusal) -> DeletionPolicy? {
        try annotation(deletionAnnotation, of: object)
    }

    private static func annotation<Value: RawRepresentable<String>>(
        _ name: String, of object: KubeObject
    ) throws(Refusal) -> Value? {
        guard let text = object.annotations[name] else { return nil }
        guard let value = Value(rawValue: text) else {
            throw Refusal("InvalidSpec", "the annotation \(name) cannot be '\(text.prefix(64))'")
        }
        return value
    }
}

// SPDX-License-Identifier: Apache-2.0

/// A `ModelInferRequest` as clients of PyPI write it, in base64.
enum ClientMessages {
    /// tritonclient 2.73: X FP32 [2, 2] and S BYTES [2] raw, output Y with classes, priority and timeout.
    static let triton =
        "CgFtEgEyGgNpZDciDgoIcHJpb3JpdHkSAigFIg8KB3RpbWVvdXQSBBDAhD0iBwoBcBICCAEiDgoBZBIJIQAAAAAAAP"
        + "g/Kg0KAVgSBEZQMzIaAgICKg0KAVMSBUJZVEVTGgECMhkKAVkSFAoOY2xhc3NpZmljYXRpb24SAhADOhAAAIA/AAAA"
        + "QAAAQEAAAIBAOgsBAAAAYQIAAADDqQ=="
    /// kserve 0.21: X FP32, I INT8, T BYTES, B BOOL in typed contents.
    static let kserve =
        "CgFtGgJrMSIHCgFuEgIQAyohCgFYEgRGUDMyGgICAioSMhAAAIA/AAAAQAAAQEAAAIBAKhwKAUkSBElOVDgaAQMqDh"
        + "IM////////////AQB/KhYKAVQSBUJZVEVTGgECKgdCAWFCAsOpKhIKAUISBEJPT0waAQIqBAoCAQA="
}

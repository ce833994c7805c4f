// SPDX-License-Identifier: Apache-2.0

extension PartitionLog {
    func compactIfDue() {}
}

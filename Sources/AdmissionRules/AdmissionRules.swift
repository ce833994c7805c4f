// SPDX-License-Identifier: Apache-2.0

/// Admission decisions as values: quota, limit ranges, pod security.
package enum AdmissionRules {}

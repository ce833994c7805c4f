// SPDX-License-Identifier: Apache-2.0

/// Access decisions as values: RBAC rules, audit policies.
package enum AccessControl {}

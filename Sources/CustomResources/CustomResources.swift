// SPDX-License-Identifier: Apache-2.0

/// Custom resources: structural schemas, pruning, defaults, validation, publishing.
package enum CustomResources {}

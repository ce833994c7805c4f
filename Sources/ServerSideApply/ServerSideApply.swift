// SPDX-License-Identifier: Apache-2.0

/// Server-side apply: who manages which fields of an object.
package enum ServerSideApply {}

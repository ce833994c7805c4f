// SPDX-License-Identifier: Apache-2.0

/// The Common Expression Language: what CRD rules and admission policies are written in.
package enum CEL {}

// SPDX-License-Identifier: Apache-2.0
import EventCoordination

/// A partition as coordinators name it; the log has a type of the same name.
typealias GroupPartition = PartitionName

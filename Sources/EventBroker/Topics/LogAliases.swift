// SPDX-License-Identifier: Apache-2.0
import EventLog

/// A partition as the log names it; coordinators have a type of the same name.
typealias LogPartition = PartitionName

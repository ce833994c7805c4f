// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

/// Runs as a container's shim, or as the helper that executes a probe in a container, and returns the exit status.
///
/// Call it before anything else of the process runs when the first argument is `shim`: it closes inherited file
/// descriptors, forks, and uses system calls only.
///   shim --spec FILE                starts and outlives the container that FILE describes
///   shim --spec FILE exec ARGV...   replaces itself with ARGV in the container's environment
int apus_shim_main(int argc, char **argv);

/// Starts `argv` (an absolute path first) in a session of its own with standard input from /dev/null, output and error
/// to the given descriptors, `lock_fd` (or -1) as descriptor 3, and no other descriptor. Returns 0 or an errno value.
int apus_spawn(char *const argv[], int output_fd, int error_fd, int lock_fd, pid_t *pid);

/// A descriptor (close-on-exec) that becomes readable when the process ends; -1 and errno on failure.
int apus_pidfd_open(pid_t pid);

/// Opens a pipe, both ends close-on-exec, the reading end (the first) not blocking. Returns 0, or -1 and errno.
int apus_pipe(int ends[2]);

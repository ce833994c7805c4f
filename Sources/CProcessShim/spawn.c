// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/CProcessShim.h"

int apus_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int apus_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

int apus_spawn(char *const argv[], int output_fd, int error_fd, int lock_fd, pid_t *pid) {
    // Above the numbers that are assigned below, so that none is overwritten before it is used.
    int sources[3] = {output_fd, error_fd, lock_fd}, copies[3] = {-1, -1, -1}, error = 0;
    for (int index = 0; index < 3 && error == 0; index++) {
        if (sources[index] < 0) continue;
        copies[index] = fcntl(sources[index], F_DUPFD_CLOEXEC, 16);
        if (copies[index] < 0) error = errno;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (error == 0) error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    for (int index = 0; index < 3 && error == 0; index++) {
        if (copies[index] >= 0) error = posix_spawn_file_actions_adddup2(&actions, copies[index], index + 1);
    }
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, lock_fd >= 0 ? 4 : 3);
    if (error == 0) error = posix_spawn(pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    for (int index = 0; index < 3; index++) {
        if (copies[index] >= 0) close(copies[index]);
    }
    return error;
}

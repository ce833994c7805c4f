// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { SHIM_MAX_CGROUPS = 16, SHIM_MAX_GROUPS = 64, SHIM_MAX_RLIMITS = 16, SHIM_MAX_MESSAGE = 1024 };
enum { SHIM_MAX_SPEC_BYTES = 4 << 20, SHIM_LOG_LINE_BYTES = 16384 };

/// What a container is, as read from its specification file. Strings point into `bytes`.
struct shim_spec {
    char *bytes;
    char **argv;
    char **envp;
    size_t argc, envc;
    const char *cwd;
    const char *log_path;
    const char *oom_path;
    int64_t log_max_bytes;
    int log_files;
    int64_t user, group;
    gid_t groups[SHIM_MAX_GROUPS];
    size_t group_count;
    mode_t mask;
    bool has_oom_score_adj;
    int oom_score_adj;
    const char *cgroups[SHIM_MAX_CGROUPS];
    size_t cgroup_count;
    struct {
        int resource;
        struct rlimit limit;
    } rlimits[SHIM_MAX_RLIMITS];
    size_t rlimit_count;
};

/// One of the container's two output streams: the read end of its pipe and the line that is not complete yet.
struct shim_stream {
    int fd;
    const char *name;
    size_t length;
    char pending[SHIM_LOG_LINE_BYTES];
};

/// The log file in the CRI format, rotated by size.
struct shim_log {
    int fd;
    const char *path;
    int files;
    int64_t max_bytes, bytes;
    uint64_t dropped, dropped_unreported;
    int drop_errno;
    size_t length;
    char buffer[65536];
};

/// Reads FILE into `spec`; on failure returns false with a sentence in `message`.
bool shim_spec_read(const char *path, struct shim_spec *spec, char *message);

/// Prepares this (forked) process as the container's and executes `argv`; returns only on failure, with `message`.
void shim_become(const struct shim_spec *spec, char *const argv[], int oom_score_adj, char *message);

bool shim_log_open(struct shim_log *log, const struct shim_spec *spec, char *message);
/// Takes what a read of the stream gave and writes the complete lines.
void shim_log_append(struct shim_log *log, struct shim_stream *stream, const char *bytes, size_t count);
/// Writes the line that has no end yet.
void shim_log_finish(struct shim_log *log, struct shim_stream *stream);

/// The process's start time in clock ticks since boot (field 22 of /proc/PID/stat), 0 when it does not exist.
uint64_t shim_start_time(pid_t pid);
int64_t shim_now(void);
/// The error's text as Go programs, and so Kubernetes users, know it: lower case.
const char *shim_error_text(int error);
bool shim_write_all(int fd, const char *bytes, size_t count);

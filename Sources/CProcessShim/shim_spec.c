// SPDX-License-Identifier: Apache-2.0
// The specification file: the line "apus-shim-spec 1", then records "KEY LENGTH\nBYTES\n" up to "end 0\n\n".
// Unknown keys are skipped: the node agent keeps there what only it reads.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim.h"

static const char magic[] = "apus-shim-spec 1\n";

static bool fail(char *message, const char *path, const char *what) {
    snprintf(message, SHIM_MAX_MESSAGE, "cannot read the container's specification %s: %s", path, what);
    return false;
}

static bool parse_integer(const char *text, int64_t low, int64_t high, int64_t *value) {
    char *end = NULL;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || parsed < low || parsed > high) return false;
    *value = parsed;
    return true;
}

/// Takes the value of one key; false when it is not valid.
static bool take(struct shim_spec *spec, const char *key, char *value) {
    int64_t number = 0;
    if (strcmp(key, "arg") == 0) {
        spec->argv[spec->argc++] = value;
    } else if (strcmp(key, "env") == 0) {
        spec->envp[spec->envc++] = value;
    } else if (strcmp(key, "cwd") == 0) {
        spec->cwd = value;
    } else if (strcmp(key, "log") == 0) {
        spec->log_path = value;
    } else if (strcmp(key, "oom-events") == 0) {
        spec->oom_path = value;
    } else if (strcmp(key, "log-max-bytes") == 0) {
        return parse_integer(value, 1, INT64_MAX, &spec->log_max_bytes);
    } else if (strcmp(key, "log-files") == 0) {
        if (!parse_integer(value, 1, 100, &number)) return false;
        spec->log_files = (int)number;
    } else if (strcmp(key, "user") == 0) {
        return parse_integer(value, 0, UINT32_MAX - 1, &spec->user);
    } else if (strcmp(key, "group") == 0) {
        return parse_integer(value, 0, UINT32_MAX - 1, &spec->group);
    } else if (strcmp(key, "supplemental-group") == 0) {
        if (spec->group_count == SHIM_MAX_GROUPS || !parse_integer(value, 0, UINT32_MAX - 1, &number)) return false;
        spec->groups[spec->group_count++] = (gid_t)number;
    } else if (strcmp(key, "umask") == 0) {
        if (!parse_integer(value, 0, 0777, &number)) return false;
        spec->mask = (mode_t)number;
    } else if (strcmp(key, "oom-score-adj") == 0) {
        if (!parse_integer(value, -1000, 1000, &number)) return false;
        spec->has_oom_score_adj = true;
        spec->oom_score_adj = (int)number;
    } else if (strcmp(key, "cgroup") == 0) {
        if (spec->cgroup_count == SHIM_MAX_CGROUPS) return false;
        spec->cgroups[spec->cgroup_count++] = value;
    } else if (strcmp(key, "rlimit") == 0) {
        unsigned long long soft = 0, hard = 0;
        int resource = 0;
        if (spec->rlimit_count == SHIM_MAX_RLIMITS) return false;
        if (sscanf(value, "%d %llu %llu", &resource, &soft, &hard) != 3) return false;
        spec->rlimits[spec->rlimit_count].resource = resource;
        spec->rlimits[spec->rlimit_count].limit.rlim_cur = soft;
        spec->rlimits[spec->rlimit_count++].limit.rlim_max = hard;
    }
    return true;
}

static bool parse(struct shim_spec *spec, size_t size) {
    char *at = spec->bytes + sizeof magic - 1, *end = spec->bytes + size;
    if (size < sizeof magic - 1 || memcmp(spec->bytes, magic, sizeof magic - 1) != 0) return false;
    while (at < end) {
        char *line_end = memchr(at, '\n', (size_t)(end - at));
        char *space = memchr(at, ' ', (size_t)(end - at));
        if (!line_end || !space || space > line_end) return false;
        *line_end = *space = '\0';
        const char *key = at;
        int64_t length = 0;
        if (!parse_integer(space + 1, 0, end - line_end - 2, &length)) return false;
        char *value = line_end + 1;
        if (value[length] != '\n' || memchr(value, '\0', (size_t)length)) return false;
        value[length] = '\0';
        if (strcmp(key, "end") == 0) return spec->argc > 0 && spec->log_path != NULL;
        if (!take(spec, key, value)) return false;
        at = value + length + 1;
    }
    return false;
}

bool shim_spec_read(const char *path, struct shim_spec *spec, char *message) {
    memset(spec, 0, sizeof *spec);
    spec->user = spec->group = -1;
    spec->mask = 022;
    spec->log_max_bytes = 10 << 20;
    spec->log_files = 2;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) return fail(message, path, shim_error_text(errno));
    if (status.st_size > SHIM_MAX_SPEC_BYTES) return fail(message, path, "it is larger than 4 MiB");
    size_t size = (size_t)status.st_size, got = 0, lines = 0;
    spec->bytes = malloc(size + 1);
    if (!spec->bytes) return fail(message, path, "out of memory");
    while (got < size) {
        ssize_t count = read(fd, spec->bytes + got, size - got);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return fail(message, path, count < 0 ? shim_error_text(errno) : "it shrank");
        got += (size_t)count;
    }
    close(fd);
    for (size_t index = 0; index < size; index++) lines += spec->bytes[index] == '\n';
    // Every record takes two lines at least, so each array holds any mix of records and its NULL end.
    spec->argv = calloc(lines / 2 + 2, sizeof *spec->argv);
    spec->envp = calloc(lines / 2 + 2, sizeof *spec->envp);
    if (!spec->argv || !spec->envp) return fail(message, path, "out of memory");
    if (!parse(spec, size)) return fail(message, path, "it is damaged or of another version");
    return true;
}

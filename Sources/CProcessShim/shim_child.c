// SPDX-License-Identifier: Apache-2.0
// Between fork and exec: what turns a copy of the shim into the container's main process.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

static void explain(char *message, const char *what, const char *subject) {
    snprintf(message, SHIM_MAX_MESSAGE, "%s %s: %s", what, subject, shim_error_text(errno));
}

static bool write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool written = shim_write_all(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return written;
}

static bool join_cgroups(const struct shim_spec *spec, char *message) {
    char path[4096];
    for (size_t index = 0; index < spec->cgroup_count; index++) {
        snprintf(path, sizeof path, "%s/cgroup.procs", spec->cgroups[index]);
        if (!write_file(path, "0")) {
            explain(message, "cannot join the cgroup", spec->cgroups[index]);
            return false;
        }
    }
    return true;
}

static bool set_identity(const struct shim_spec *spec, char *message) {
    char number[32];
    if (spec->group_count > 0 || (spec->user > 0 && geteuid() == 0)) {
        if (setgroups(spec->group_count, spec->groups) != 0) {
            explain(message, "cannot set", "the supplemental groups");
            return false;
        }
    }
    if (spec->group >= 0 && spec->group != getegid() && setgid((gid_t)spec->group) != 0) {
        snprintf(number, sizeof number, "%lld", (long long)spec->group);
        explain(message, "cannot run as group", number);
        return false;
    }
    if (spec->user >= 0 && spec->user != geteuid() && setuid((uid_t)spec->user) != 0) {
        snprintf(number, sizeof number, "%lld", (long long)spec->user);
        explain(message, "cannot run as user", number);
        return false;
    }
    return true;
}

static void reset_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void shim_become(const struct shim_spec *spec, char *const argv[], int oom_score_adj, char *message) {
    char number[32];
    pid_t parent = getppid();
    snprintf(number, sizeof number, "%d", spec->has_oom_score_adj ? spec->oom_score_adj : oom_score_adj);
    if (!write_file("/proc/self/oom_score_adj", number) && spec->has_oom_score_adj && errno != EACCES) {
        explain(message, "cannot set oom_score_adj to", number);
        return;
    }
    if (!join_cgroups(spec, message)) return;
    for (size_t index = 0; index < spec->rlimit_count; index++) {
        if (setrlimit(spec->rlimits[index].resource, &spec->rlimits[index].limit) != 0) {
            explain(message, "cannot set", "a resource limit");
            return;
        }
    }
    if (!set_identity(spec, message)) return;
    // After the change of user, which clears it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(137);
    umask(spec->mask);
    if (chdir(spec->cwd ? spec->cwd : "/") != 0) {
        explain(message, "cannot change to the working directory", spec->cwd ? spec->cwd : "/");
        return;
    }
    reset_signals();
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    environ = spec->envp;
    execvp(argv[0], argv);
    const char *reason = shim_error_text(errno);
    if (errno != ENOENT) {
        snprintf(message, SHIM_MAX_MESSAGE, "exec: \"%.400s\": %s", argv[0], reason);
    } else if (strchr(argv[0], '/')) {
        snprintf(message, SHIM_MAX_MESSAGE, "exec: \"%.400s\": stat %.400s: %s", argv[0], argv[0], reason);
    } else {
        snprintf(message, SHIM_MAX_MESSAGE, "exec: \"%.400s\": executable file not found in $PATH", argv[0]);
    }
}

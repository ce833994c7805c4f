// SPDX-License-Identifier: Apache-2.0
// One process between the node agent and one container, so that the agent can die and come back while the container
// runs. It starts the container, writes its log, and leaves in the specification's directory:
//   state  "shim PID TICKS", then "container PID TICKS" and "started NS", or "error TEXT"
//   exit   "code N", "signal N", "started NS", "finished NS", "oom 0|1", "dropped N", whole or not there
// Descriptor 3 is a lock that the agent took: it is held for as long as this process lives.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/CProcessShim.h"
#include "shim.h"

enum { LOCK_FD = 3, DRAIN_MILLISECONDS = 5000, TICK_MILLISECONDS = 50 };

static struct shim_spec spec;
static struct shim_log container_log;
static struct shim_stream streams[2] = {{.fd = -1, .name = "stdout"}, {.fd = -1, .name = "stderr"}};
static int directory = -1;
static pid_t container;
static int64_t started, finished;
static int container_status;
static bool container_ended, no_children;
static int own_oom_score_adj;

static bool replace_file(const char *name, const char *text, bool durable) {
    char temporary[32];
    snprintf(temporary, sizeof temporary, "%s.tmp", name);
    int fd = openat(directory, temporary, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    size_t count = strlen(text);
    // In place, then cut: the exit file's blocks are taken at the start, so that a full disk cannot lose it.
    bool written = pwrite(fd, text, count, 0) == (ssize_t)count && ftruncate(fd, (off_t)count) == 0;
    if (written && durable) written = fsync(fd) == 0;
    close(fd);
    return written && renameat(directory, temporary, directory, name) == 0;
}

static void reserve_exit_file(void) {
    char blank[512];
    memset(blank, '\n', sizeof blank);
    int fd = openat(directory, "exit.tmp", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    shim_write_all(fd, blank, sizeof blank);
    close(fd);
}

/// Tells the agent that waits, if one still does, and whoever reads the state later.
static void report(const char *text) {
    shim_write_all(STDOUT_FILENO, text, strlen(text));
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        close(null);
    }
}

static int start_failed(const char *message) {
    char text[SHIM_MAX_MESSAGE + 16];
    snprintf(text, sizeof text, "error %s\n", message);
    for (char *at = text; *at && at[1]; at++) {
        if (*at == '\n') *at = ' ';
    }
    if (directory >= 0) replace_file("state", text, false);
    unlinkat(directory, "exit.tmp", 0);
    report(text);
    return 1;
}

/// The shim is worth more than what it starts: the kernel should end it last.
static void protect_from_oom(void) {
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    char text[16] = {0};
    if (read(fd, text, sizeof text - 1) > 0) own_oom_score_adj = atoi(text);
    if (pwrite(fd, "-999", 4, 0) < 0) errno = 0;
    close(fd);
}

/// Forks and waits until the container's program runs; false with a message when it does not.
static bool start_container(char *message) {
    int outputs[2][2], failure[2];
    if (pipe2(outputs[0], O_CLOEXEC) || pipe2(outputs[1], O_CLOEXEC) || pipe2(failure, O_CLOEXEC)) {
        snprintf(message, SHIM_MAX_MESSAGE, "cannot open a pipe: %s", shim_error_text(errno));
        return false;
    }
    started = shim_now();
    container = fork();
    if (container < 0) {
        snprintf(message, SHIM_MAX_MESSAGE, "cannot fork: %s", shim_error_text(errno));
        return false;
    }
    if (container == 0) {
        setsid();
        if (dup2(outputs[0][1], STDOUT_FILENO) >= 0 && dup2(outputs[1][1], STDERR_FILENO) >= 0) {
            shim_become(&spec, spec.argv, own_oom_score_adj, message);
        } else {
            snprintf(message, SHIM_MAX_MESSAGE, "cannot redirect the output: %s", shim_error_text(errno));
        }
        shim_write_all(failure[1], message, strlen(message));
        _exit(127);
    }
    close(outputs[0][1]);
    close(outputs[1][1]);
    close(failure[1]);
    size_t length = 0;
    while (length < SHIM_MAX_MESSAGE - 1) {
        ssize_t count = read(failure[0], message + length, SHIM_MAX_MESSAGE - 1 - length);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        length += (size_t)count;
    }
    close(failure[0]);
    message[length] = '\0';
    for (int index = 0; index < 2; index++) {
        streams[index].fd = outputs[index][0];
        fcntl(streams[index].fd, F_SETFL, O_NONBLOCK);
    }
    if (length == 0) return true;
    waitpid(container, NULL, 0);
    return false;
}

/// Only before the container's process is waited for. -1 would mean every process, 0 this one's group.
static void kill_group(void) {
    if (container > 1) kill(-container, SIGKILL);
}

/// Kills everything that was the container's: orphans of it became the shim's children.
static void kill_children(void) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    // A number that the buffer's end cuts would name another process; the rest is seen in the next round.
    while (count > 0 && text[count - 1] != ' ') count--;
    if (count <= 0) return;
    text[count] = '\0';
    for (char *at = text, *end = NULL;; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at) break;
        if (pid > 1) kill((pid_t)pid, SIGKILL);
    }
}

static void reap(void) {
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
            if (errno == EINTR) continue;
            no_children = errno == ECHILD;
            return;
        }
        if (info.si_pid == 0) return;
        if (info.si_pid == container && !container_ended) {
            // Its number cannot be another's before it is waited for, so the group is still the container's.
            finished = shim_now();
            container_ended = true;
            kill_group();
            waitpid(container, &container_status, 0);
        } else {
            waitpid(info.si_pid, NULL, 0);
        }
    }
}

static bool oom_killed(void) {
    if (!spec.oom_path) return false;
    char text[1024];
    int fd = open(spec.oom_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    if (count <= 0) return false;
    text[count] = '\0';
    const char *at = strstr(text, "oom_kill ");
    return at && strtoull(at + 9, NULL, 10) > 0;
}

static void read_stream(struct shim_stream *stream) {
    static char bytes[32768];
    ssize_t count = read(stream->fd, bytes, sizeof bytes);
    if (count > 0) {
        shim_log_append(&container_log, stream, bytes, (size_t)count);
    } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
        close(stream->fd);
        stream->fd = -1;
    }
}

/// Moves output and collects the dead until the container and all of its processes are gone and their output is read.
static void supervise(int signals) {
    int64_t deadline = 0;
    int rounds = 0;
    for (;;) {
        reap();
        if (container_ended) {
            if (deadline == 0) deadline = finished + (int64_t)DRAIN_MILLISECONDS * 1000000;
            kill_children();
            bool drained = no_children && streams[0].fd < 0 && streams[1].fd < 0;
            // Rounds too: while this process was held up, nothing was read and nobody had the time.
            bool is_over = ++rounds > DRAIN_MILLISECONDS / TICK_MILLISECONDS && shim_now() > deadline;
            if (drained || is_over) return;
        }
        struct pollfd polled[3] = {
            {.fd = signals, .events = POLLIN},
            {.fd = streams[0].fd, .events = POLLIN},
            {.fd = streams[1].fd, .events = POLLIN},
        };
        if (poll(polled, 3, container_ended ? TICK_MILLISECONDS : -1) < 0) continue;
        if (polled[0].revents) {
            struct signalfd_siginfo info;
            if (read(signals, &info, sizeof info) < 0) continue;
        }
        for (int index = 0; index < 2; index++) {
            if (polled[index + 1].revents) read_stream(&streams[index]);
        }
    }
}

static void write_exit(void) {
    char text[512];
    int code = WIFSIGNALED(container_status) ? 128 + WTERMSIG(container_status) : WEXITSTATUS(container_status);
    snprintf(
        text, sizeof text, "code %d\nsignal %d\nstarted %lld\nfinished %lld\noom %d\ndropped %llu\n", code,
        WIFSIGNALED(container_status) ? WTERMSIG(container_status) : 0, (long long)started, (long long)finished,
        oom_killed() && code != 0, (unsigned long long)container_log.dropped);
    struct timespec pause = {.tv_nsec = 100000000};
    for (int attempt = 0; attempt < 100 && !replace_file("exit", text, true); attempt++) {
        if (errno == ENOENT) return;
        nanosleep(&pause, NULL);
    }
}

static int run(void) {
    char message[SHIM_MAX_MESSAGE] = "", text[256];
    sigset_t blocked;
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigset_t child_only;
    sigemptyset(&child_only);
    sigaddset(&child_only, SIGCHLD);
    int signals = signalfd(-1, &child_only, SFD_CLOEXEC | SFD_NONBLOCK);
    prctl(PR_SET_NAME, "apus-shim");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    umask(022);
    protect_from_oom();
    int count = snprintf(
        text, sizeof text, "shim %d %llu\n", getpid(), (unsigned long long)shim_start_time(getpid()));
    if (signals < 0 || !replace_file("state", text, false)) {
        snprintf(message, sizeof message, "cannot write the container's state: %s", shim_error_text(errno));
        return start_failed(message);
    }
    reserve_exit_file();
    if (!shim_log_open(&container_log, &spec, message) || !start_container(message)) return start_failed(message);
    snprintf(
        text + count, sizeof text - (size_t)count, "container %d %llu\nstarted %lld\n", container,
        (unsigned long long)shim_start_time(container), (long long)started);
    if (!replace_file("state", text, false)) {
        snprintf(message, sizeof message, "cannot write the container's state: %s", shim_error_text(errno));
        kill_group();
        return start_failed(message);
    }
    report(text);
    supervise(signals);
    for (int index = 0; index < 2; index++) shim_log_finish(&container_log, &streams[index]);
    write_exit();
    return 0;
}

static bool open_directory(const char *path, char *message) {
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash) *slash = '\0';
    directory = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        snprintf(message, SHIM_MAX_MESSAGE, "cannot open %.800s: %s", parent, shim_error_text(errno));
    }
    return directory >= 0;
}

int apus_shim_main(int argc, char **argv) {
    char message[SHIM_MAX_MESSAGE] = "";
    int at = argc > 1 && strcmp(argv[1], "shim") == 0 ? 2 : 1;
    if (argc < at + 2 || strcmp(argv[at], "--spec") != 0) {
        fprintf(stderr, "usage: shim --spec FILE [exec COMMAND...]; the node agent runs this, nobody else needs to\n");
        return 64;
    }
    const char *path = argv[at + 1];
    bool executes = argc > at + 3 && strcmp(argv[at + 2], "exec") == 0;
    syscall(SYS_close_range, executes ? LOCK_FD : LOCK_FD + 1, ~0U, 0);
    if (executes) {
        if (shim_spec_read(path, &spec, message)) shim_become(&spec, argv + at + 3, 0, message);
        fprintf(stderr, "%s\n", message);
        return errno == ENOENT ? 127 : 126;
    }
    fcntl(LOCK_FD, F_SETFD, FD_CLOEXEC);
    if (getsid(0) != getpid()) setsid();
    if (!open_directory(path, message) || !shim_spec_read(path, &spec, message)) return start_failed(message);
    if (chdir("/") != 0) return start_failed("cannot change to /");
    return run();
}

#ifdef APUS_SHIM_STANDALONE
int main(int argc, char **argv) { return apus_shim_main(argc, argv); }
#endif

// SPDX-License-Identifier: Apache-2.0
// The container's log, one record a line: 2026-01-02T03:04:05.123456789Z stdout F text
// F ends a line, P is a part of one longer than 16 KiB. A full disk costs records, never the container's progress.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim.h"

static bool open_file(struct shim_log *log) {
    int fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) return false;
    struct stat status;
    log->bytes = fstat(fd, &status) == 0 ? status.st_size : 0;
    if (log->fd >= 0) close(log->fd);
    log->fd = fd;
    return true;
}

bool shim_log_open(struct shim_log *log, const struct shim_spec *spec, char *message) {
    log->fd = -1;
    log->path = spec->log_path;
    log->files = spec->log_files;
    log->max_bytes = spec->log_max_bytes;
    if (open_file(log)) return true;
    snprintf(message, SHIM_MAX_MESSAGE, "cannot open the log file %.800s: %s", log->path, shim_error_text(errno));
    return false;
}

/// PATH.1 is the newest of the older files. When a rename fails the file goes on growing: better long than lost.
static void rotate(struct shim_log *log) {
    char from[4096], to[4096];
    for (int index = log->files - 1; index >= 1; index--) {
        snprintf(to, sizeof to, "%s.%d", log->path, index);
        if (index == 1) {
            snprintf(from, sizeof from, "%s", log->path);
        } else {
            snprintf(from, sizeof from, "%s.%d", log->path, index - 1);
        }
        if (rename(from, to) != 0 && errno != ENOENT) break;
    }
    if (log->files == 1) unlink(log->path);
    open_file(log);
}

static uint64_t count_lines(const char *bytes, size_t count) {
    uint64_t lines = 0;
    for (const char *at = bytes, *end = bytes + count; (at = memchr(at, '\n', (size_t)(end - at))); at++) lines++;
    return lines;
}

static void flush(struct shim_log *log) {
    if (log->length == 0) return;
    if (shim_write_all(log->fd, log->buffer, log->length)) {
        log->bytes += (int64_t)log->length;
    } else {
        log->drop_errno = errno;
        uint64_t lines = count_lines(log->buffer, log->length);
        log->dropped += lines;
        log->dropped_unreported += lines;
        // What came through of the last record would join the next one.
        if (ftruncate(log->fd, log->bytes) != 0) open_file(log);
    }
    log->length = 0;
}

/// 2026-01-02T03:04:05.123456789Z, from the days of the proleptic Gregorian calendar.
static int format_time(char *text, size_t size, int64_t now) {
    int64_t seconds = now / 1000000000, days = seconds / 86400, rest = seconds % 86400;
    int64_t shifted = days + 719468, era = shifted / 146097, day_of_era = shifted % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_index = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * month_index + 2) / 5 + 1;
    int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    return snprintf(
        text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", (int)year, (int)month, (int)day, (int)(rest / 3600),
        (int)(rest / 60 % 60), (int)(rest % 60), (int)(now % 1000000000));
}

static void put(
    struct shim_log *log, const char *time, const char *stream, char tag, const char *first, size_t first_count,
    const char *second, size_t second_count) {
    char header[64];
    int header_count = snprintf(header, sizeof header, "%s %s %c ", time, stream, tag);
    size_t total = (size_t)header_count + first_count + second_count + 1;
    if (log->length + total > sizeof log->buffer) flush(log);
    int64_t size = log->bytes + (int64_t)log->length;
    if (size > 0 && size + (int64_t)total > log->max_bytes) {
        flush(log);
        rotate(log);
    }
    char *at = log->buffer + log->length;
    memcpy(at, header, (size_t)header_count);
    at += header_count;
    memcpy(at, first, first_count);
    memcpy(at + first_count, second, second_count);
    at[first_count + second_count] = '\n';
    log->length += total;
}

static void report_dropped(struct shim_log *log, const char *time) {
    if (log->dropped_unreported == 0 || log->drop_errno == 0) return;
    char text[128];
    int count = snprintf(
        text, sizeof text, "apus: %llu log lines were dropped: %s", (unsigned long long)log->dropped_unreported,
        shim_error_text(log->drop_errno));
    uint64_t dropped = log->dropped;
    put(log, time, "stderr", 'F', text, (size_t)count, "", 0);
    flush(log);
    if (log->dropped == dropped) {
        log->dropped_unreported = 0;
    } else {
        log->dropped = dropped;
        log->dropped_unreported--;
    }
}

void shim_log_append(struct shim_log *log, struct shim_stream *stream, const char *bytes, size_t count) {
    char time[64];
    format_time(time, sizeof time, shim_now());
    report_dropped(log, time);
    while (count > 0) {
        const char *newline = memchr(bytes, '\n', count);
        size_t part = newline ? (size_t)(newline - bytes) : count;
        size_t room = sizeof stream->pending - stream->length;
        if (part > room) {
            put(log, time, stream->name, 'P', stream->pending, stream->length, bytes, room);
            stream->length = 0;
            bytes += room;
            count -= room;
            continue;
        }
        if (newline) {
            put(log, time, stream->name, 'F', stream->pending, stream->length, bytes, part);
            stream->length = 0;
            part++;
        } else {
            memcpy(stream->pending + stream->length, bytes, part);
            stream->length += part;
        }
        bytes += part;
        count -= part;
    }
    flush(log);
}

void shim_log_finish(struct shim_log *log, struct shim_stream *stream) {
    if (stream->length > 0) shim_log_append(log, stream, "\n", 1);
}

#pragma once
#include <stdint.h>

/// A disk that remembers everything that is written to it, in its order: one file, served by FUSE.

enum { RECORDED_WRITE = 1, RECORDED_FLUSH = 2 };

/// Before each entry of the log; the bytes that were written follow it.
struct recorded_write {
    uint32_t kind, count;
    uint64_t offset;
};

/// Serves a disk with the content of the file `base` at the file `place` until it is unmounted; `base` stays as it is. What is written, and
/// each flush, is appended to `log` before it is answered. Says "ready" on standard output. Returns an errno, or 0. Needs root.
int recording_disk(const char *base, const char *log, const char *place);

/// Gives this process, and those it begins, mounts of their own: nobody else sees or holds them, and they go with the last of these processes.
/// Returns an errno, or 0. Needs root.
int own_mounts(void);

// Counts the system calls of a program that change files below some directories, and at the Nth kills the program before the call, or lets
// the call fail. Loaded with LD_PRELOAD by `Tools/torture`; no part of the product.
//
//   SHIM_ROOTS  directories, separated by colons; only what is below them counts
//   SHIM_STATE  a file of 16 bytes, shared by all processes of a run: calls counted, calls that were made to fail (two 64-bit numbers)
//   SHIM_AT     N: the call that is struck; 0 or nothing: none, they are only counted
//   SHIM_DO     kill (SIGKILL before the call), short (half of a write is done), or the number of an errno
//   SHIM_ON     1: every call from the Nth on
//   SHIM_LIE    CALL:PART:HOW, a bug that is planted: every CALL on a path that contains PART is said to be done, and is not (skip), is done for half of
//               the bytes (half), or with a bit flipped (flip)
//   SHIM_LOST   1: only fsync, fdatasync and syncfs are counted. One that is made to fail takes with it what was written to its file since it was synced:
//               as a kernel does that could not write pages back, says so once, and takes them for clean from then on
//   SHIM_LOG    a file that gets a line for every call: number, call, path
//
// What is written through a shared map is not seen: LMDB is used without MDB_WRITEMAP, its lock file is no data.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t *state;
static uint64_t own[2], at;
static const char *roots;
static char lie_call[32], lie_part[256];
static int lie;
enum { DONE, FAILED, SHORT, SKIPPED, HALVED, FLIPPED };
static int strike_error, is_kill, is_short, is_on, is_lost, log_descriptor = -1;

// With the run's variables: at the start of the program, and of each run of a server (`server.c`).
__attribute__((constructor)) void shim_begin(void) {
    const char *path = getenv("SHIM_STATE"), *what = getenv("SHIM_DO"), *number = getenv("SHIM_AT"), *on = getenv("SHIM_ON");
    roots = getenv("SHIM_ROOTS");
    state = (_Atomic uint64_t *)own;
    if (path) {
        int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
        if (descriptor >= 0) {
            void *map = mmap(0, 16, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
            if (map != MAP_FAILED) state = map;
            syscall(SYS_close, descriptor);
        }
    }
    at = number ? strtoull(number, 0, 10) : 0;
    is_on = on && *on == '1';
    const char *lost = getenv("SHIM_LOST");
    is_lost = lost && *lost == '1';
    is_kill = what && !strcmp(what, "kill");
    is_short = what && !strcmp(what, "short");
    strike_error = what && !is_kill && !is_short ? atoi(what) : 0;
    const char *planted = getenv("SHIM_LIE");
    char how[16] = "";
    lie = planted && sscanf(planted, "%31[^:]:%255[^:]:%15s", lie_call, lie_part, how) == 3;
    if (lie) lie = !strcmp(how, "skip") ? SKIPPED : !strcmp(how, "half") ? HALVED : FLIPPED;
    const char *log = getenv("SHIM_LOG");
    if (log) log_descriptor = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_below(const char *path) {
    if (!roots) return 0;
    for (const char *root = roots; *root;) {
        size_t length = strcspn(root, ":");
        if (length && !strncmp(path, root, length) && (path[length] == '/' || !path[length])) return 1;
        root += length + (root[length] == ':');
    }
    return 0;
}

static int is_path_of(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return path[0] == '/';
}

static void resolve(int directory, const char *name, char *path) {
    path[0] = 0;
    if (name[0] != '/') {
        if (directory == AT_FDCWD) { if (!getcwd(path, PATH_MAX)) path[0] = 0; }
        else if (!is_path_of(directory, path)) path[0] = 0;
        strncat(path, "/", PATH_MAX - 1 - strlen(path));
    }
    strncat(path, name, PATH_MAX - 1 - strlen(path));
}

// DONE: let it be done; FAILED: errno is set.
static int strike(const char *call, const char *path, int is_write) {
    if (!is_below(path) || (is_lost && strcmp(call, "fsync") && strcmp(call, "fdatasync") && strcmp(call, "syncfs"))) return 0;
    uint64_t number = atomic_fetch_add(&state[0], 1) + 1;
    if (log_descriptor >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%llu %s %s\n", (unsigned long long)number, call, path);
        syscall(SYS_write, log_descriptor, line, length);
    }
    if (lie && !strcmp(call, lie_call) && strstr(path, lie_part)) {
        atomic_fetch_add(&state[1], 1);
        return lie;
    }
    if (!at || (is_on ? number < at : number != at)) return 0;
    if (is_short && !is_write) return 0;
    atomic_fetch_add(&state[1], 1);
    if (is_kill) { syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); for (;;) pause(); }
    if (is_short) return 2;
    errno = strike_error;
    return 1;
}

static int strike_descriptor(const char *call, int descriptor, int is_write) {
    if (!roots) return 0;
    char path[PATH_MAX];
    int saved = errno;
    if (!is_path_of(descriptor, path)) { errno = saved; return 0; }
    errno = saved;
    return strike(call, path, is_write);
}

static int strike_path(const char *call, int directory, const char *name) {
    if (!roots) return 0;
    char path[PATH_MAX];
    resolve(directory, name, path);
    return strike(call, path, 0);
}

static int open_at(int directory, const char *name, int flags, mode_t mode) {
    if (flags & (O_CREAT | O_TRUNC) && strike_path("open", directory, name) == FAILED) return -1;
    return (int)syscall(SYS_openat, directory, name, flags, mode);
}

#define MODE(flags) mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *name, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, name, flags, mode); }
int openat(int directory, const char *name, int flags, ...) { MODE(flags) return open_at(directory, name, flags, mode); }
int openat64(int directory, const char *name, int flags, ...) { MODE(flags) return open_at(directory, name, flags, mode); }
int creat(const char *name, mode_t mode) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

// What stood where something was written that no call has synced yet; the newest first.
static struct unsynced {
    struct unsynced *next;
    dev_t device;
    ino_t inode;
    off_t offset, size;
    size_t count;
    char bytes[];
} *unsynced;
static pthread_mutex_t unsynced_lock = PTHREAD_MUTEX_INITIALIZER;

// Before `count` bytes at `offset` are changed; at a negative one: where the file stands.
static void keep(int descriptor, off_t offset, size_t count) {
    struct stat about;
    char path[PATH_MAX];
    int saved = errno;
    if (is_lost && roots && !fstat(descriptor, &about) && S_ISREG(about.st_mode) && is_path_of(descriptor, path) && is_below(path)) {
        int flags = fcntl(descriptor, F_GETFL);
        if (offset < 0) offset = flags & O_APPEND ? about.st_size : (off_t)syscall(SYS_lseek, descriptor, 0, SEEK_CUR);
        struct unsynced *entry = malloc(sizeof *entry + count);
        *entry = (struct unsynced){0, about.st_dev, about.st_ino, offset, about.st_size, 0};
        int reader = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
        ssize_t done = reader < 0 ? -1 : (ssize_t)syscall(SYS_pread64, reader, entry->bytes, count, offset);
        if (reader >= 0) syscall(SYS_close, reader);
        entry->count = done > 0 ? (size_t)done : 0;
        if (flags & O_DSYNC) {
            free(entry);
        } else {
            pthread_mutex_lock(&unsynced_lock);
            entry->next = unsynced;
            unsynced = entry;
            pthread_mutex_unlock(&unsynced_lock);
        }
    }
    errno = saved;
}

// After a sync of the file, or of all of its file system: nothing of it can be lost any more. `is_failed`: it is lost.
static void settle(int descriptor, int is_whole_system, int is_failed) {
    struct stat about;
    char path[PATH_MAX];
    int saved = errno, writer = -1;
    if (!is_lost || fstat(descriptor, &about)) { errno = saved; return; }
    pthread_mutex_lock(&unsynced_lock);
    if (is_failed && !is_whole_system && is_path_of(descriptor, path)) writer = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    for (struct unsynced **place = &unsynced; *place;) {
        struct unsynced *entry = *place;
        if (entry->device != about.st_dev || (!is_whole_system && entry->inode != about.st_ino)) { place = &entry->next; continue; }
        if (writer >= 0) {
            syscall(SYS_pwrite64, writer, entry->bytes, entry->count, entry->offset);
            syscall(SYS_ftruncate, writer, entry->size);
        }
        *place = entry->next;
        free(entry);
    }
    pthread_mutex_unlock(&unsynced_lock);
    if (writer >= 0) syscall(SYS_close, writer);
    errno = saved;
}

static size_t sum(const struct iovec *parts, int count) {
    size_t size = 0;
    for (int index = 0; index < count; index++) size += parts[index].iov_len;
    return size;
}

static size_t half(size_t count) { return count > 1 ? count / 2 : count; }

// What is written in the place of what should be: `how` is one of the above, FAILED excepted.
static ssize_t put(int how, int descriptor, const struct iovec *parts, int count, off_t offset) {
    size_t size = sum(parts, count);
    if (how == SKIPPED) {
        if (offset < 0) syscall(SYS_lseek, descriptor, (off_t)size, SEEK_CUR);
        return (ssize_t)size;
    }
    char *bytes = malloc(size ? size : 1), *end = bytes;
    for (int index = 0; index < count; index++) {
        memcpy(end, parts[index].iov_base, parts[index].iov_len);
        end += parts[index].iov_len;
    }
    size_t written = how == FLIPPED ? size : half(size);
    if (how == FLIPPED && size) bytes[size / 2] ^= 4;
    ssize_t done = offset < 0 ? syscall(SYS_write, descriptor, bytes, written) : syscall(SYS_pwrite64, descriptor, bytes, written, offset);
    if (how == HALVED && done >= 0) {
        if (offset < 0) syscall(SYS_lseek, descriptor, (off_t)(size - written), SEEK_CUR);
        done = (ssize_t)size;
    }
    free(bytes);
    return done;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    int how = strike_descriptor("write", descriptor, 1);
    keep(descriptor, -1, count);
    struct iovec part = {(void *)bytes, count};
    return how == FAILED ? -1 : how ? put(how, descriptor, &part, 1, -1) : syscall(SYS_write, descriptor, bytes, count);
}
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    int how = strike_descriptor("pwrite", descriptor, 1);
    keep(descriptor, offset, count);
    struct iovec part = {(void *)bytes, count};
    return how == FAILED ? -1 : how ? put(how, descriptor, &part, 1, offset) : syscall(SYS_pwrite64, descriptor, bytes, count, offset);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) { return pwrite(descriptor, bytes, count, offset); }
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    int how = strike_descriptor("writev", descriptor, 1);
    keep(descriptor, -1, sum(parts, count));
    return how == FAILED ? -1 : how ? put(how, descriptor, parts, count, -1) : syscall(SYS_writev, descriptor, parts, count);
}
ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    int how = strike_descriptor("pwritev", descriptor, 1);
    keep(descriptor, offset, sum(parts, count));
    return how == FAILED ? -1 : how ? put(how, descriptor, parts, count, offset) : syscall(SYS_pwritev, descriptor, parts, count, offset, 0);
}
ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off_t offset) { return pwritev(descriptor, parts, count, offset); }

#define ON_DESCRIPTOR(call, number, parameters, ...) int call parameters { int how = strike_descriptor(#call, descriptor, 0); return how == FAILED ? -1 : how ? 0 : (int)syscall(number, __VA_ARGS__); }

static int sync_descriptor(const char *call, long number, int descriptor) {
    int how = strike_descriptor(call, descriptor, 0), code = how == FAILED ? -1 : how ? 0 : (int)syscall(number, descriptor);
    settle(descriptor, number == SYS_syncfs, code != 0);
    return code;
}
int fsync(int descriptor) { return sync_descriptor("fsync", SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return sync_descriptor("fdatasync", SYS_fdatasync, descriptor); }
int syncfs(int descriptor) { return sync_descriptor("syncfs", SYS_syncfs, descriptor); }

int ftruncate(int descriptor, off_t size) {
    int how = strike_descriptor("ftruncate", descriptor, 0);
    struct stat about;
    if (!how && is_lost && !fstat(descriptor, &about)) keep(descriptor, size, size < about.st_size ? (size_t)(about.st_size - size) : 0);
    return how == FAILED ? -1 : how ? 0 : (int)syscall(SYS_ftruncate, descriptor, size);
}
int ftruncate64(int descriptor, off_t size) { return ftruncate(descriptor, size); }
ON_DESCRIPTOR(fallocate, SYS_fallocate, (int descriptor, int mode, off_t offset, off_t size), descriptor, mode, offset, size)
ON_DESCRIPTOR(sync_file_range, SYS_sync_file_range, (int descriptor, off_t offset, off_t size, unsigned flags), descriptor, offset, size, flags)
ON_DESCRIPTOR(fchmod, SYS_fchmod, (int descriptor, mode_t mode), descriptor, mode)
ON_DESCRIPTOR(futimens, SYS_utimensat, (int descriptor, const struct timespec times[2]), descriptor, (char *)0, times, 0)

int posix_fallocate(int descriptor, off_t offset, off_t size) {
    int how = strike_descriptor("posix_fallocate", descriptor, 0);
    if (how) return how == FAILED ? errno : 0;
    return syscall(SYS_fallocate, descriptor, 0, offset, size) ? errno : 0;
}

int renameat2(int from, const char *name, int to, const char *other, unsigned flags) {
    int how = strike_path("rename", to, other);
    if (how) return how == FAILED ? -1 : 0;
    return (int)syscall(SYS_renameat2, from, name, to, other, flags);
}
int renameat(int from, const char *name, int to, const char *other) { return renameat2(from, name, to, other, 0); }
int rename(const char *name, const char *other) { return renameat2(AT_FDCWD, name, AT_FDCWD, other, 0); }
int linkat(int from, const char *name, int to, const char *other, int flags) {
    int how = strike_path("link", to, other);
    if (how) return how == FAILED ? -1 : 0;
    return (int)syscall(SYS_linkat, from, name, to, other, flags);
}
int link(const char *name, const char *other) { return linkat(AT_FDCWD, name, AT_FDCWD, other, 0); }
int unlinkat(int directory, const char *name, int flags) {
    int how = strike_path("unlink", directory, name);
    if (how) return how == FAILED ? -1 : 0;
    return (int)syscall(SYS_unlinkat, directory, name, flags);
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) { int code = unlinkat(AT_FDCWD, name, 0); return code && errno == EISDIR ? rmdir(name) : code; }
int mkdirat(int directory, const char *name, mode_t mode) {
    int how = strike_path("mkdir", directory, name);
    if (how) return how == FAILED ? -1 : 0;
    return (int)syscall(SYS_mkdirat, directory, name, mode);
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
int utimensat(int directory, const char *name, const struct timespec times[2], int flags) {
    int how = strike_path("utimensat", directory, name);
    if (how) return how == FAILED ? -1 : 0;
    return (int)syscall(SYS_utimensat, directory, name, times, flags);
}

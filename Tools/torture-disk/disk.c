// See RecordingDisk.h.
#define _GNU_SOURCE
#include "RecordingDisk.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST = 1 << 20, ROOM = MOST + 4096 };

static int fuse;

static void answer(uint64_t unique, int error, const void *bytes, size_t count) {
    struct fuse_out_header head = {.len = (uint32_t)(sizeof head + (error ? 0 : count)), .error = -error, .unique = unique};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, error ? 0 : count}};
    while (writev(fuse, parts, 2) < 0 && errno == EINTR) {}
}

static int record(int log, uint32_t kind, uint64_t offset, const void *bytes, uint32_t count) {
    struct recorded_write head = {kind, count, offset};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, count}};
    return writev(log, parts, 2) == (ssize_t)(sizeof head + count) ? 0 : -1;
}

int recording_disk(const char *base, const char *log_path, const char *place) {
    int image = open(base, O_RDONLY | O_CLOEXEC), log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    struct stat about;
    if (image < 0 || log < 0 || fstat(image, &about)) return errno;
    size_t size = (size_t)about.st_size;
    // What is written stays in this process.
    char *disk = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, image, 0);
    char *request = malloc(ROOM);
    if (disk == MAP_FAILED || !request) return ENOMEM;
    fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0) return errno;
    char options[128];
    snprintf(options, sizeof options, "fd=%d,rootmode=100600,user_id=0,group_id=0", fuse);
    if (mount("recording-disk", place, "fuse", MS_NOSUID | MS_NODEV, options)) return errno;
    struct fuse_attr attributes = {
        .ino = 1, .size = size, .blocks = size / 512, .mode = S_IFREG | 0600, .nlink = 1, .blksize = 4096};
    if (write(1, "ready\n", 6) != 6) return errno;
    for (;;) {
        ssize_t count = read(fuse, request, ROOM);
        if (count < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) continue;
        if (count < 0) return errno == ENODEV ? 0 : errno;
        struct fuse_in_header *head = (void *)request;
        void *body = head + 1;
        switch (head->opcode) {
        case FUSE_INIT: {
            struct fuse_init_in *in = body;
            struct fuse_init_out out = {
                .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_readahead = in->max_readahead,
                .flags = FUSE_BIG_WRITES | FUSE_MAX_PAGES, .max_write = MOST, .max_pages = MOST / 4096,
                .max_background = 16, .congestion_threshold = 12};
            answer(head->unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_GETATTR: case FUSE_SETATTR: {
            struct fuse_attr_out out = {.attr_valid = 1 << 20, .attr = attributes};
            answer(head->unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_OPEN: {
            struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE};
            answer(head->unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_READ: {
            struct fuse_read_in *in = body;
            size_t most = in->offset < size ? size - in->offset : 0;
            answer(head->unique, 0, disk + in->offset, in->size < most ? in->size : most);
            break;
        }
        case FUSE_WRITE: {
            struct fuse_write_in *in = body;
            struct fuse_write_out out = {.size = in->size};
            if (in->offset + in->size > size) { answer(head->unique, ENOSPC, 0, 0); break; }
            if (record(log, RECORDED_WRITE, in->offset, in + 1, in->size)) { answer(head->unique, EIO, 0, 0); break; }
            memcpy(disk + in->offset, in + 1, in->size);
            answer(head->unique, 0, &out, sizeof out);
            break;
        }
        case FUSE_FSYNC:
            answer(head->unique, record(log, RECORDED_FLUSH, 0, 0, 0) ? EIO : 0, 0, 0);
            break;
        case FUSE_FLUSH: case FUSE_RELEASE: answer(head->unique, 0, 0, 0); break;
        case FUSE_FORGET: case FUSE_BATCH_FORGET: case FUSE_INTERRUPT: break;
        case FUSE_DESTROY: answer(head->unique, 0, 0, 0); return 0;
        default: answer(head->unique, ENOSYS, 0, 0);
        }
    }
}

int own_mounts(void) {
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0)) return errno;
    return 0;
}

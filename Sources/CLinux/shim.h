/* What glibc offers only under _GNU_SOURCE, which the module map of Glibc does not set. Declarations only. */
#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H
#include <linux/stat.h>
#include <stddef.h>
#include <malloc.h>
#include <sys/vfs.h>

long getdents64(int descriptor, void *buffer, size_t length);
int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags);
int syncfs(int descriptor);
int statx(int directory, const char *path, int flags, unsigned int mask, struct statx *found);
int eventfd(unsigned int initial, int flags);
void *memmem(const void *haystack, size_t length, const void *needle, size_t needle_length);

/* The same numbers on x86-64 and AArch64. */
enum {
    CLINUX_O_NOATIME = 01000000,
    CLINUX_O_PATH = 010000000,
    CLINUX_RENAME_NOREPLACE = 1,
    CLINUX_RENAME_EXCHANGE = 2,
    CLINUX_EFD_CLOEXEC = 02000000,
    CLINUX_EFD_NONBLOCK = 04000,
    CLINUX_STATX_BTIME = 0x800,
};
#endif

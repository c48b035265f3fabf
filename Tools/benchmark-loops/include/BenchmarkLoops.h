/// The twins in C that our own engine is measured against: LMDB as a C programmer would use it, nothing more.
#pragma once
#include <stdint.h>

/// What a loop did. `code` is 0 or what LMDB returned; times are nanoseconds.
typedef struct {
    int code;
    uint64_t count, bytes, check;
    uint64_t wall, cpu;
} bl_result;

/// Appends `count` records of 200 to 400 bytes (300 on average; the same in every run) with 64-bit big-endian keys 1, 2, …
/// to the table `events` of the environment in the directory `path`, which is made if it is not there.
/// `group` records a transaction; `durable` 0 opens with MDB_NOSYNC and flushes once at the end.
bl_result bl_append(const char *path, uint64_t count, uint64_t group, int durable);

/// The ways to scan.
enum { bl_scan_touch = 0, bl_scan_value = 1, bl_scan_value_prefetching = 2 };

/// Reads the whole table once with a cursor. `touch` reads the key and the value's first byte; `value` folds every byte
/// with CRC-32C; `prefetching` does the same and asks for each new page before it reads it.
bl_result bl_scan(const char *path, int way);

/// CRC-32C of `count` bytes, as the scans compute it.
uint32_t bl_crc32c(const void *bytes, uint64_t count);

/// The bytes of the record `number`, written to `buffer` (at least 400); returns how many.
uint64_t bl_record(uint64_t number, uint8_t *buffer);

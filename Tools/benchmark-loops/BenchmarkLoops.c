#include "BenchmarkLoops.h"

#include <errno.h>
#include <lmdb.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static uint64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t mix(uint64_t x) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

// The first 64 bytes differ from record to record, the rest is a constant: making it must not be what is measured.
uint64_t bl_record(uint64_t number, uint8_t *buffer) {
    uint64_t random = mix(number);
    uint64_t size = 200 + random % 201;
    for (int i = 0; i < 8; i++) {
        memcpy(buffer + 8 * i, &random, 8);
        random = random * 6364136223846793005u + number;
    }
    memset(buffer + 64, 0x5A, size - 64);
    return size;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
#endif
uint32_t bl_crc32c(const void *bytes, uint64_t count) {
    const unsigned char *p = bytes;
    uint64_t c = 0xFFFFFFFFu;
#if defined(__x86_64__)
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        c = __builtin_ia32_crc32di(c, v);
    }
    for (; count; p++, count--) c = __builtin_ia32_crc32qi((uint32_t)c, *p);
#else
    for (; count; p++, count--) {
        c ^= *p;
        for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
    }
#endif
    return ~(uint32_t)c;
}

static void prefetch_page(const void *address) {
    const char *page = (const char *)((uintptr_t)address & ~(uintptr_t)4095);
#pragma clang loop unroll(disable)
    for (int i = 0; i < 4096; i += 64) {
        __builtin_prefetch(page + i);
        __builtin_prefetch(page + 4096 + i);
    }
}

static int open_environment(const char *path, unsigned flags, MDB_env **environment) {
    if (mkdir(path, 0700) != 0 && errno != EEXIST) return errno;
    int code = mdb_env_create(environment);
    if (code) return code;
    mdb_env_set_mapsize(*environment, (size_t)1 << 40);
    mdb_env_set_maxdbs(*environment, 4);
    code = mdb_env_open(*environment, path, MDB_NOTLS | flags, 0600);
    if (code) mdb_env_close(*environment);
    return code;
}

bl_result bl_append(const char *path, uint64_t count, uint64_t group, int durable) {
    bl_result result = {0};
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi table;
    if ((result.code = open_environment(path, durable ? 0 : MDB_NOSYNC, &environment))) return result;
    if (!(result.code = mdb_txn_begin(environment, NULL, 0, &transaction))) {
        result.code = mdb_dbi_open(transaction, "events", MDB_CREATE, &table);
        if (result.code) mdb_txn_abort(transaction); else result.code = mdb_txn_commit(transaction);
    }
    uint8_t record[400];
    uint64_t wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID), number = 1;
    while (!result.code && number <= count) {
        MDB_cursor *cursor;
        if ((result.code = mdb_txn_begin(environment, NULL, 0, &transaction))) break;
        result.code = mdb_cursor_open(transaction, table, &cursor);
        for (uint64_t i = 0; !result.code && i < group && number <= count; i++, number++) {
            uint64_t name = __builtin_bswap64(number), size = bl_record(number, record);
            MDB_val key = {8, &name}, value = {size, NULL};
            result.code = mdb_cursor_put(cursor, &key, &value, MDB_APPEND | MDB_RESERVE);
            if (!result.code) memcpy(value.mv_data, record, size);
            result.count++;
            result.bytes += size;
        }
        mdb_cursor_close(cursor);
        if (result.code) mdb_txn_abort(transaction); else result.code = mdb_txn_commit(transaction);
    }
    if (!result.code && !durable) result.code = mdb_env_sync(environment, 1);
    result.wall = now(CLOCK_MONOTONIC) - wall;
    result.cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    mdb_env_close(environment);
    return result;
}

bl_result bl_scan(const char *path, int way) {
    bl_result result = {0};
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_cursor *cursor;
    MDB_dbi table;
    if ((result.code = open_environment(path, MDB_RDONLY, &environment))) return result;
    if ((result.code = mdb_txn_begin(environment, NULL, MDB_RDONLY, &transaction))) goto close;
    if ((result.code = mdb_dbi_open(transaction, "events", 0, &table))) goto abort;
    if ((result.code = mdb_cursor_open(transaction, table, &cursor))) goto abort;
    uint64_t wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    MDB_val key, value;
    uintptr_t page = 0;
    while (!(result.code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        uint64_t name;
        memcpy(&name, key.mv_data, 8);
        result.count++;
        result.bytes += value.mv_size;
        result.check += __builtin_bswap64(name);
        if (way == bl_scan_touch) {
            result.check += *(const uint8_t *)value.mv_data;
        } else {
            if (way == bl_scan_value_prefetching && page != (uintptr_t)value.mv_data >> 12) {
                page = (uintptr_t)value.mv_data >> 12;
                prefetch_page(value.mv_data);
            }
            result.check += bl_crc32c(value.mv_data, value.mv_size);
        }
    }
    if (result.code == MDB_NOTFOUND) result.code = 0;
    result.wall = now(CLOCK_MONOTONIC) - wall;
    result.cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    mdb_cursor_close(cursor);
abort:
    mdb_txn_abort(transaction);
close:
    mdb_env_close(environment);
    return result;
}

#include "CKernelsSHA256.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static const uint32_t initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/// The 64 rounds on vectors: sixteen of them on loaded words, then words made from words.
#define ROUND(i, w)                                                                                                    \
    do {                                                                                                               \
        V t1 = ADD(ADD(ADD(h, XOR3(ROR(e, 6), ROR(e, 11), ROR(e, 25))), ADD(CH(e, f, g), SET(constants[i]))), (w));    \
        V t2 = ADD(XOR3(ROR(a, 2), ROR(a, 13), ROR(a, 22)), MAJ(a, b, c));                                             \
        h = g;                                                                                                         \
        g = f;                                                                                                         \
        f = e;                                                                                                         \
        e = ADD(d, t1);                                                                                                \
        d = c;                                                                                                         \
        c = b;                                                                                                         \
        b = a;                                                                                                         \
        a = ADD(t1, t2);                                                                                               \
    } while (0)

#define SCHEDULE(i)                                                                                                    \
    (w[(i) & 15] = ADD(                                                                                                \
         ADD(w[(i) & 15], w[((i) + 9) & 15]),                                                                          \
         ADD(XOR3(ROR(w[((i) + 1) & 15], 7), ROR(w[((i) + 1) & 15], 18), SHR(w[((i) + 1) & 15], 3)),                   \
             XOR3(ROR(w[((i) + 14) & 15], 17), ROR(w[((i) + 14) & 15], 19), SHR(w[((i) + 14) & 15], 10)))))

#define ALL_ROUNDS                                                                                                     \
    do {                                                                                                               \
        V a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];                              \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i++) ROUND(i, w[i]);                                \
        for (int i = 16; i < 64; i += 16) {                                                                            \
            _Pragma("clang loop unroll(full)") for (int j = 0; j < 16; j++) ROUND(i + j, SCHEDULE(j));                 \
        }                                                                                                              \
        s[0] = ADD(s[0], a);                                                                                           \
        s[1] = ADD(s[1], b);                                                                                           \
        s[2] = ADD(s[2], c);                                                                                           \
        s[3] = ADD(s[3], d);                                                                                           \
        s[4] = ADD(s[4], e);                                                                                           \
        s[5] = ADD(s[5], f);                                                                                           \
        s[6] = ADD(s[6], g);                                                                                           \
        s[7] = ADD(s[7], h);                                                                                           \
    } while (0)

// MARK: AVX-512, 16 lanes

#define V __m512i
#define ADD(x, y) _mm512_add_epi32(x, y)
#define ROR(x, n) _mm512_ror_epi32(x, n)
#define SHR(x, n) _mm512_srli_epi32(x, n)
#define XOR3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define CH(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xCA)
#define MAJ(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xE8)
#define SET(x) _mm512_set1_epi32((int)(x))

/// Rows of 16 words become columns.
__attribute__((target("avx512f,avx512bw"), always_inline)) static inline void transpose16(__m512i w[16]) {
    __m512i t[16], u[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(w[i], w[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(w[i], w[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    // u[4r + c] holds, of rows 4r ... 4r+3, the columns c, c+4, c+8, c+12 in its quarters.
    for (int c = 0; c < 4; c++) {
        __m512i low = _mm512_shuffle_i32x4(u[c], u[4 + c], 0x88), high = _mm512_shuffle_i32x4(u[c], u[4 + c], 0xDD);
        __m512i low2 = _mm512_shuffle_i32x4(u[8 + c], u[12 + c], 0x88);
        __m512i high2 = _mm512_shuffle_i32x4(u[8 + c], u[12 + c], 0xDD);
        w[c] = _mm512_shuffle_i32x4(low, low2, 0x88);
        w[8 + c] = _mm512_shuffle_i32x4(low, low2, 0xDD);
        w[4 + c] = _mm512_shuffle_i32x4(high, high2, 0x88);
        w[12 + c] = _mm512_shuffle_i32x4(high, high2, 0xDD);
    }
}

__attribute__((target("avx512f,avx512bw"))) static void
blocks16(uint32_t *state, const uint8_t **data, const size_t *advance, size_t count) {
    const __m512i swap = _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    __m512i s[8], w[16];
    for (int i = 0; i < 8; i++) {
        s[i] = _mm512_loadu_si512(state + 16 * i);
    }
    while (count--) {
        for (int i = 0; i < 16; i++) {
            w[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(data[i]), swap);
            data[i] += advance[i];
        }
        transpose16(w);
        ALL_ROUNDS;
    }
    for (int i = 0; i < 8; i++) {
        _mm512_storeu_si512(state + 16 * i, s[i]);
    }
}

#undef V
#undef ADD
#undef ROR
#undef SHR
#undef XOR3
#undef CH
#undef MAJ
#undef SET

// MARK: AVX2, 8 lanes

#define V __m256i
#define ADD(x, y) _mm256_add_epi32(x, y)
#define ROR(x, n) _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))
#define SHR(x, n) _mm256_srli_epi32(x, n)
#define XOR3(x, y, z) _mm256_xor_si256(_mm256_xor_si256(x, y), z)
#define CH(x, y, z) _mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z)))
#define MAJ(x, y, z) _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
#define SET(x) _mm256_set1_epi32((int)(x))

__attribute__((target("avx2"), always_inline)) static inline void transpose8(__m256i w[8]) {
    __m256i t[8], u[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_epi32(w[i], w[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(w[i], w[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        u[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        u[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int c = 0; c < 4; c++) {
        w[c] = _mm256_permute2x128_si256(u[c], u[4 + c], 0x20);
        w[4 + c] = _mm256_permute2x128_si256(u[c], u[4 + c], 0x31);
    }
}

__attribute__((target("avx2"))) static void
blocks8(uint32_t *state, const uint8_t **data, const size_t *advance, size_t count) {
    const __m256i swap = _mm256_setr_epi8(
        3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
    __m256i s[8], w[16];
    for (int i = 0; i < 8; i++) {
        s[i] = _mm256_loadu_si256((const __m256i *)(state + 8 * i));
    }
    while (count--) {
        for (int i = 0; i < 8; i++) {
            w[i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)data[i]), swap);
            w[8 + i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(data[i] + 32)), swap);
            data[i] += advance[i];
        }
        transpose8(w);
        transpose8(w + 8);
        ALL_ROUNDS;
    }
    for (int i = 0; i < 8; i++) {
        _mm256_storeu_si256((__m256i *)(state + 8 * i), s[i]);
    }
}

// MARK: Lanes

int ck_sha256_lanes(void) {
    unsigned a, b, c, d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1)) {
        return 0;
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
        return 16;
    }
    return __builtin_cpu_supports("avx2") ? 8 : 0;
}

/// One message on its way through a lane.
struct lane {
    const uint8_t *data;
    /// Blocks left in the message itself; then those of its padding.
    size_t blocks, tail_blocks;
    size_t message;
    uint8_t tail[128];
    int used;
};

static void begin(struct lane *lane, const uint8_t *data, size_t length, size_t message) {
    size_t rest = length % 64;
    lane->data = data;
    lane->blocks = length / 64;
    lane->message = message;
    lane->used = 1;
    memset(lane->tail, 0, sizeof lane->tail);
    if (rest) {
        memcpy(lane->tail, data + (length - rest), rest);
    }
    lane->tail[rest] = 0x80;
    lane->tail_blocks = rest < 56 ? 1 : 2;
    uint64_t bits = (uint64_t)length * 8;
    for (int i = 0; i < 8; i++) {
        lane->tail[lane->tail_blocks * 64 - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
    }
}

void ck_sha256_many(const void *const *messages, const size_t *lengths, size_t count, void *digests) {
    static const uint8_t nothing[64];
    const int width = ck_sha256_lanes();
    struct lane lanes[16];
    uint32_t state[8 * 16];
    const uint8_t *data[16];
    size_t advance[16], next = 0;
    memset(lanes, 0, sizeof lanes);
    for (;;) {
        size_t steps = SIZE_MAX;
        int active = 0;
        for (int i = 0; i < width; i++) {
            struct lane *lane = &lanes[i];
            if (lane->used && lane->blocks == 0 && lane->tail_blocks) {
                // The message is through; its padding comes.
                lane->data = lane->tail;
                lane->blocks = lane->tail_blocks;
                lane->tail_blocks = 0;
            } else if (lane->used && lane->blocks == 0) {
                uint8_t *digest = (uint8_t *)digests + 32 * lane->message;
                for (int word = 0; word < 8; word++) {
                    uint32_t v = state[width * word + i];
                    digest[4 * word] = (uint8_t)(v >> 24);
                    digest[4 * word + 1] = (uint8_t)(v >> 16);
                    digest[4 * word + 2] = (uint8_t)(v >> 8);
                    digest[4 * word + 3] = (uint8_t)v;
                }
                lane->used = 0;
            }
            if (!lane->used && next < count) {
                begin(lane, messages[next], lengths[next], next);
                next++;
                for (int word = 0; word < 8; word++) {
                    state[width * word + i] = initial[word];
                }
                if (lane->blocks == 0) {
                    lane->data = lane->tail;
                    lane->blocks = lane->tail_blocks;
                    lane->tail_blocks = 0;
                }
            }
            data[i] = lane->used ? lane->data : nothing;
            advance[i] = lane->used ? 64 : 0;
            if (lane->used) {
                active++;
                steps = lane->blocks < steps ? lane->blocks : steps;
            }
        }
        if (!active) {
            return;
        }
        if (width == 16) {
            blocks16(state, data, advance, steps);
        } else {
            blocks8(state, data, advance, steps);
        }
        for (int i = 0; i < width; i++) {
            if (lanes[i].used) {
                lanes[i].data = data[i];
                lanes[i].blocks -= steps;
            }
        }
    }
}

#else

int ck_sha256_lanes(void) { return 0; }

void ck_sha256_many(const void *const *messages, const size_t *lengths, size_t count, void *digests) {
    (void)messages, (void)lengths, (void)count, (void)digests;
}

#endif

#include "CKernelsBase64.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 0 ... 63, or one of these.
enum { INVALID = 0xFF, PAD = 0xFE, LINE_FEED = 0xFD, RETURN = 0xFC };
static uint8_t value_of[256];

__attribute__((constructor)) static void fill_tables(void) {
    memset(value_of, INVALID, sizeof value_of);
    for (int i = 0; i < 64; i++) {
        value_of[(unsigned char)alphabet[i]] = (uint8_t)i;
    }
    value_of['='] = PAD;
    value_of['\n'] = LINE_FEED;
    value_of['\r'] = RETURN;
}

// MARK: Decoding

/// Decodes whole groups of four; returns the number of characters decoded, less than `count` at the first wrong one.
static size_t decode_portable(const uint8_t *src, size_t count, uint8_t *dst) {
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint8_t a = value_of[src[i]], b = value_of[src[i + 1]], c = value_of[src[i + 2]], d = value_of[src[i + 3]];
        if ((a | b | c | d) & 0xC0) {
            break;
        }
        uint32_t v = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;
        dst[0] = (uint8_t)(v >> 16);
        dst[1] = (uint8_t)(v >> 8);
        dst[2] = (uint8_t)v;
        dst += 3;
    }
    return i;
}

#if defined(__x86_64__)
/// 32 characters at a time: classified by their two halves, shifted to their value, and packed by two multiplications.
__attribute__((target("avx2"))) static size_t decode_avx2(const uint8_t *src, size_t count, uint8_t *dst) {
    const __m256i low_mask = _mm256_setr_epi8(
        0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A,
        0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A);
    const __m256i high_mask = _mm256_setr_epi8(
        0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
        0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    const __m256i shift = _mm256_setr_epi8(
        0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i pack = _mm256_setr_epi8(
        2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,
        2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i nibble = _mm256_set1_epi8(0x0F), slash = _mm256_set1_epi8('/');
    size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m256i in = _mm256_loadu_si256((const __m256i *)(src + i));
        __m256i high = _mm256_and_si256(_mm256_srli_epi32(in, 4), nibble);
        __m256i low = _mm256_and_si256(in, nibble);
        __m256i wrong = _mm256_and_si256(_mm256_shuffle_epi8(low_mask, low), _mm256_shuffle_epi8(high_mask, high));
        // Characters above 127 have a high half of 8 or more, which every low half refuses.
        if (!_mm256_testz_si256(wrong, wrong)) {
            break;
        }
        __m256i is_slash = _mm256_cmpeq_epi8(in, slash);
        __m256i values = _mm256_add_epi8(in, _mm256_shuffle_epi8(shift, _mm256_add_epi8(is_slash, high)));
        __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
        __m256i words = _mm256_shuffle_epi8(_mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000)), pack);
        _mm_storeu_si128((__m128i *)dst, _mm256_castsi256_si128(words));
        _mm_storeu_si128((__m128i *)(dst + 12), _mm256_extracti128_si256(words, 1));
        dst += 24;
    }
    return i + decode_portable(src + i, count - i, dst);
}
#endif

static inline size_t decode_groups(const uint8_t *src, size_t count, uint8_t *dst, int avx2) {
#if defined(__x86_64__)
    if (avx2) {
        return decode_avx2(src, count, dst);
    }
#endif
    (void)avx2;
    return decode_portable(src, count, dst);
}

static inline int has_avx2(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") != 0;
#else
    return 0;
#endif
}

/// Whether a line ending of this kind is at `p`.
static inline int is_eol(const uint8_t *p, size_t count, int crlf) {
    return crlf ? count >= 2 && p[0] == '\r' && p[1] == '\n' : count >= 1 && p[0] == '\n';
}

/// The last line of a run, if there is one: at most `longest` characters (0: any number), groups of four, padding only as it must be.
static size_t last_line(const uint8_t *src, size_t count, size_t longest, uint8_t *dst, size_t *decoded, int avx2) {
    size_t limit = longest && longest < count ? longest : count;
    size_t chars = decode_groups(src, limit & ~(size_t)3, dst, avx2);
    *decoded = chars / 4 * 3;
    if (chars + 4 <= limit && src[chars + 3] == '=') {
        uint8_t a = value_of[src[chars]], b = value_of[src[chars + 1]], c = value_of[src[chars + 2]];
        dst += *decoded;
        if (a < 64 && b < 64 && c < 64 && (c & 3) == 0) {
            dst[0] = (uint8_t)(a << 2 | b >> 4);
            dst[1] = (uint8_t)(b << 4 | c >> 2);
            *decoded += 2;
            chars += 4;
        } else if (a < 64 && b < 64 && (b & 15) == 0 && c == PAD) {
            dst[0] = (uint8_t)(a << 2 | b >> 4);
            *decoded += 1;
            chars += 4;
        }
    }
    return chars;
}

ck_base64_step ck_base64_decode_run(
    const void *bytes, size_t count, size_t line_length, int crlf, int last, void *output) {
    const uint8_t *src = bytes;
    uint8_t *dst = output;
    const int avx2 = has_avx2();
    ck_base64_step step = {0, 0, 0, 0};
    size_t at = 0;

    if (line_length == 0) {
        // Whole groups only, and while more may come none that could be the last: padding is seen together with its group.
        size_t chars = decode_groups(src, count & ~(size_t)3, dst, avx2);
        step.consumed = chars;
        step.decoded = chars / 4 * 3;
        if (!last && count - chars < 8) {
            return step;
        }
        size_t more = 0;
        step.consumed += last_line(src + chars, count - chars, 4, dst + step.decoded, &more, avx2);
        step.decoded += more;
        step.ended = 1;
        size_t rest = count - step.consumed;
        if (is_eol(src + step.consumed, rest, crlf)) {
            step.final_eol = 1;
            step.consumed += crlf ? 2 : 1;
        }
        return step;
    }

    const size_t eol = crlf ? 2 : 1, per_line = line_length / 4 * 3;
    while (count - at >= line_length + eol && is_eol(src + at + line_length, eol, crlf)) {
        if (decode_groups(src + at, line_length, dst, avx2) != line_length) {
            break;
        }
        dst += per_line;
        step.decoded += per_line;
        at += line_length + eol;
    }
    step.consumed = at;
    if (!last && count - at < line_length + 2) {
        return step;
    }
    step.ended = 1;
    // Whole lines end with a line ending; a run is never empty.
    step.final_eol = 1;
    size_t more = 0, chars = last_line(src + at, count - at, line_length, dst, &more, avx2);
    size_t rest = count - at - chars;
    // Only a line that ends here is the last one; the beginning of a line of text is not.
    if (chars > 0 && (rest == 0 || src[at + chars] == '\n' || src[at + chars] == '\r')) {
        step.final_eol = (uint8_t)is_eol(src + at + chars, rest, crlf);
        step.consumed += chars + (step.final_eol ? eol : 0);
        step.decoded += more;
    }
    return step;
}

// MARK: Finding

enum { STRIDE = 1024, WINDOW = 48 };

/// Whether `bytes` can stand in the middle of a run.
static int plausible(const uint8_t *p, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (value_of[p[i]] == INVALID) {
            return 0;
        }
    }
    return 1;
}

/// Whether the group of four that ends at `end`, and ends with padding, leaves no bits over.
static int is_canonical(const uint8_t *end) {
    return end[-2] == '=' ? (value_of[end[-3]] & 15) == 0 : (value_of[end[-2]] & 3) == 0;
}

enum outcome { NO, YES, MORE };

/// Whether a run begins at the line at `at`. When not, `*next` is the beginning of the next line where one may.
static enum outcome confirm(
    const uint8_t *p, size_t count, size_t at, int last, ck_base64_run *run, size_t *next) {
    size_t length = 0, available = count - at;
    const uint8_t *line = p + at;
    while (length < available && length <= CK_BASE64_LONGEST_LINE && value_of[line[length]] < 64) {
        length++;
    }
    run->start = at;
    if (length > CK_BASE64_LONGEST_LINE) {
        // The kind of line ending matters only at the very end, and decides itself there.
        run->line_length = 0;
        run->crlf = 0;
        return YES;
    }
    size_t padded = length;
    while (padded < available && padded < length + 2 && line[padded] == '=') {
        padded++;
    }
    if (padded + 2 > available && !last) {
        return MORE;
    }
    size_t rest = available - padded;
    int crlf = is_eol(line + padded, rest, 1);
    int ended = rest == 0 || crlf || line[padded] == '\n';
    *next = at + padded;
    if (padded == 0 || padded % 4 != 0 || !ended) {
        return NO;
    }
    run->line_length = padded;
    run->crlf = (uint8_t)crlf;
    size_t need = CK_BASE64_SHORTEST_RUN / 3 * 4 + 4, seen = padded, eol = crlf ? 2 : 1, here = at + padded;
    if (padded != length) {
        return seen >= need && is_canonical(line + padded) ? YES : NO;
    }
    // Further lines of that length, the last one perhaps shorter.
    while (seen < need) {
        if (rest == 0 || !is_eol(p + here, count - here, crlf)) {
            break;
        }
        here += eol;
        *next = here;
        size_t chars = 0, left = count - here;
        while (chars < left && chars <= length && value_of[p[here + chars]] < 64) {
            chars++;
        }
        size_t with_padding = chars;
        while (with_padding < left && with_padding < chars + 2 && p[here + with_padding] == '=') {
            with_padding++;
        }
        if (!last && left < length + 4 && seen + with_padding < need) {
            return MORE;
        }
        if (with_padding > length || with_padding == 0 || with_padding % 4 != 0) {
            break;
        }
        seen += with_padding;
        here += with_padding;
        rest = count - here;
        if (with_padding != length || with_padding != chars) {
            break;
        }
    }
    return seen >= need ? YES : NO;
}

/// The beginning of the first line at or after `at` (which may be in the middle of a line), or `count`.
static size_t line_after(const uint8_t *p, size_t count, size_t at) {
    const uint8_t *found = at < count ? memchr(p + at, '\n', count - at) : NULL;
    return found ? (size_t)(found - p) + 1 : count;
}

ck_base64_run ck_base64_find(const void *bytes, size_t count, size_t from, int last) {
    const uint8_t *p = bytes;
    ck_base64_run run = {count, 0, 0, 0};
    // Lines before `examined` are known to begin no run; it is the beginning of a line itself.
    size_t examined = from;
    int tail = 0;
    for (size_t at = from; !tail; at += STRIDE) {
        // A run is long enough to cover one of these positions with its window. Where more may follow, the end is one too.
        if (at + WINDOW >= count && !last) {
            at = count;
            tail = 1;
        } else if (at >= count) {
            break;
        } else if (!plausible(p + at, count - at < WINDOW ? count - at : WINDOW)) {
            continue;
        }
        size_t start = at;
        while (start > examined && value_of[p[start - 1]] != INVALID) {
            start--;
        }
        size_t line = start == examined ? examined : line_after(p, count, start - 1);
        while (line < count && line <= at) {
            size_t next = line;
            enum outcome outcome = confirm(p, count, line, last, &run, &next);
            if (outcome != NO) {
                run.found = outcome == YES;
                return run;
            }
            // `next` is where the lines that fit ended. One that did not fit may begin a run itself.
            line = next > line && p[next - 1] == '\n' ? next : line_after(p, count, next);
        }
        examined = line > examined ? line : examined;
        if (line > at + STRIDE) {
            at = line - STRIDE;
        }
    }
    run.start = count;
    run.line_length = 0;
    run.found = 0;
    return run;
}

// MARK: Encoding

static uint8_t *encode_portable(const uint8_t *src, size_t count, uint8_t *dst) {
    for (; count >= 3; count -= 3, src += 3) {
        uint32_t v = (uint32_t)src[0] << 16 | (uint32_t)src[1] << 8 | src[2];
        dst[0] = (uint8_t)alphabet[v >> 18];
        dst[1] = (uint8_t)alphabet[v >> 12 & 63];
        dst[2] = (uint8_t)alphabet[v >> 6 & 63];
        dst[3] = (uint8_t)alphabet[v & 63];
        dst += 4;
    }
    if (count) {
        uint32_t v = (uint32_t)src[0] << 16 | (count == 2 ? (uint32_t)src[1] << 8 : 0);
        dst[0] = (uint8_t)alphabet[v >> 18];
        dst[1] = (uint8_t)alphabet[v >> 12 & 63];
        dst[2] = count == 2 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
        dst[3] = '=';
        dst += 4;
    }
    return dst;
}

#if defined(__x86_64__)
/// 24 bytes at a time; reads 28, so the last ones are left to the portable loop.
__attribute__((target("avx2"))) static uint8_t *encode_avx2(const uint8_t *src, size_t count, uint8_t *dst) {
    const __m256i spread = _mm256_setr_epi8(
        1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,
        1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    const __m256i offsets = _mm256_setr_epi8(
        71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0,
        71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
    for (; count >= 28; count -= 24, src += 24, dst += 32) {
        __m256i in = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)src)),
            _mm_loadu_si128((const __m128i *)(src + 12)), 1);
        in = _mm256_shuffle_epi8(in, spread);
        __m256i first = _mm256_mulhi_epu16(
            _mm256_and_si256(in, _mm256_set1_epi32(0x0FC0FC00)), _mm256_set1_epi32(0x04000040));
        __m256i second = _mm256_mullo_epi16(
            _mm256_and_si256(in, _mm256_set1_epi32(0x003F03F0)), _mm256_set1_epi32(0x01000010));
        __m256i values = _mm256_or_si256(first, second);
        // Class of each value: 0 for a-z, 1 ... 12 for digits and signs, 13 for A-Z.
        __m256i class = _mm256_subs_epu8(values, _mm256_set1_epi8(51));
        __m256i upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), values);
        class = _mm256_or_si256(class, _mm256_and_si256(upper, _mm256_set1_epi8(13)));
        __m256i text = _mm256_add_epi8(values, _mm256_shuffle_epi8(offsets, class));
        _mm256_storeu_si256((__m256i *)dst, text);
    }
    return encode_portable(src, count, dst);
}
#endif

size_t ck_base64_encode(
    const void *bytes, size_t count, size_t line_length, int crlf, size_t *column, void *output) {
    const uint8_t *src = bytes;
    uint8_t *dst = output;
    const int avx2 = has_avx2();
    while (count > 0) {
        if (line_length && *column == line_length) {
            if (crlf) {
                *dst++ = '\r';
            }
            *dst++ = '\n';
            *column = 0;
        }
        size_t take = count;
        if (line_length) {
            size_t room = (line_length - *column) / 4 * 3;
            take = room < count ? room : count;
        }
        uint8_t *begin = dst;
#if defined(__x86_64__)
        dst = avx2 ? encode_avx2(src, take, dst) : encode_portable(src, take, dst);
#else
        (void)avx2;
        dst = encode_portable(src, take, dst);
#endif
        *column += (size_t)(dst - begin);
        src += take;
        count -= take;
    }
    return (size_t)(dst - (uint8_t *)output);
}

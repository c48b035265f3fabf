/// Base64 (RFC 4648 section 4) at memory speed: finding whole lines of it in a message, decoding them, encoding them again.
///
/// Strict: only the 64 characters, only canonical padding. What these accept, ``ck_base64_encode`` gives back exactly.
/// No function writes beyond `CK_BASE64_SLACK` bytes behind its result.
#ifndef YESTERMAIL_CKERNELS_BASE64_H
#define YESTERMAIL_CKERNELS_BASE64_H

#include <stddef.h>
#include <stdint.h>

/// Bytes that must be writable behind the last byte of any output.
#define CK_BASE64_SLACK 64
/// A run is taken when it decodes to at least this.
#define CK_BASE64_SHORTEST_RUN 2048
/// Lines of more characters are a run of one line, without line breaks.
#define CK_BASE64_LONGEST_LINE 65532
/// A search that is not at the end of its input holds back at most about this many bytes.
#define CK_BASE64_HOLD_BACK 72000

/// What a search found.
typedef struct {
    /// Where the run begins; without a run: up to where the bytes are certainly no beginning of one.
    size_t start;
    /// Characters in a line; 0: one line without breaks.
    size_t line_length;
    /// 1: lines end with CRLF, 0: LF.
    uint8_t crlf;
    uint8_t found;
} ck_base64_run;

/// Finds the first run in `bytes[from ..< count]`; `from` is the beginning of a line. `last`: nothing follows `count`.
ck_base64_run ck_base64_find(const void *bytes, size_t count, size_t from, int last);

/// What a step of decoding did.
typedef struct {
    size_t consumed;
    size_t decoded;
    /// 1: the run ends here, 0: it needs more input.
    uint8_t ended;
    /// When ended: 1: a line ending followed the last character and was consumed.
    uint8_t final_eol;
} ck_base64_step;

/// Decodes the run at `bytes` as far as whole lines go; `output` has room for `count` / 4 * 3 + `CK_BASE64_SLACK`.
ck_base64_step ck_base64_decode_run(
    const void *bytes, size_t count, size_t line_length, int crlf, int last, void *output);

/// Encodes `count` bytes, breaking lines before the character that would be too many; `*column` is the number of characters in
/// the line so far and is kept for the next call. Pads when `count` % 3 != 0, so only the last call may have such a count.
/// Returns the number of characters written.
size_t ck_base64_encode(
    const void *bytes, size_t count, size_t line_length, int crlf, size_t *column, void *output);

#endif

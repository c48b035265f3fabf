/// SHA-256 (FIPS 180-4) of many messages at once: one message in each lane of a vector register.
///
/// For processors without SHA instructions, where one message after the other is five to nine times slower.
#ifndef YESTERMAIL_CKERNELS_SHA256_H
#define YESTERMAIL_CKERNELS_SHA256_H

#include <stddef.h>
#include <stdint.h>

/// Messages hashed side by side here: 16 (AVX-512), 8 (AVX2), or 0: hash them one by one, which is faster (SHA
/// instructions) or all there is.
int ck_sha256_lanes(void);

/// Digests of `count` messages into `digests`, 32 bytes each. Call only when ``ck_sha256_lanes`` is not 0. Best with the longest first.
void ck_sha256_many(const void *const *messages, const size_t *lengths, size_t count, void *digests);

#endif

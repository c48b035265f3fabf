/// The few loops that need an instruction, or a layout of the loop, that Swift cannot name.
///
/// Specs/Decisions/0004-c-kernels.md says which and why. Nothing here allocates, fails or keeps state.
#ifndef YESTERMAIL_CKERNELS_H
#define YESTERMAIL_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "CKernelsBase64.h"
#include "CKernelsSHA256.h"

/// CRC32C (Castagnoli, RFC 3720 appendix B.4) of `count` bytes, continued from `crc` (0 to begin).
uint32_t ck_crc32c(uint32_t crc, const void *bytes, size_t count);

/// Asks the processor to load the 4 KiB page that holds `address`, and the next one, in ascending order.
///
/// LMDB fills a page from its end downwards, so an ascending scan walks each page backwards and defeats the
/// hardware's own prefetcher.
void ck_prefetch_page(const void *address);

#endif

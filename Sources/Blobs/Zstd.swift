internal import CZstd

/// One compressor and one decompressor, used again for each frame. Not for two threads at once.
@safe final class Zstd {
    private let compressor: OpaquePointer
    private let decompressor: OpaquePointer
    private var level: Int32 = .min

    init() {
        guard let compressor = unsafe ZSTD_createCCtx(), let decompressor = unsafe ZSTD_createDCtx() else {
            fatalError("no memory for zstd")
        }
        unsafe self.compressor = compressor
        unsafe self.decompressor = decompressor
        // Without the checksum three of four single-bit errors decode to wrong bytes without an error.
        unsafe _ = ZSTD_CCtx_setParameter(compressor, ZSTD_c_checksumFlag, 1)
        unsafe _ = ZSTD_CCtx_setParameter(compressor, ZSTD_c_contentSizeFlag, 1)
        unsafe _ = ZSTD_DCtx_setParameter(decompressor, ZSTD_d_windowLogMax, PackFormat.windowLog)
    }

    deinit {
        unsafe ZSTD_freeCCtx(compressor)
        unsafe ZSTD_freeDCtx(decompressor)
    }

    /// Appends the zstd frame of `bytes` to `output`; returns its length, or nil when zstd refuses.
    func compress(_ bytes: RawSpan, level: Int32, into output: ByteBuffer) -> Int? {
        if level != self.level {
            unsafe _ = ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, level)
            self.level = level
        }
        let before = output.count
        var failed = false
        unsafe output.appendTail(ZSTD_compressBound(bytes.byteCount)) { room in
            let code = unsafe bytes.withUnsafeBytes {
                unsafe ZSTD_compress2(compressor, room.baseAddress, room.count, $0.baseAddress, $0.count)
            }
            failed = ZSTD_isError(code) != 0
            return failed ? 0 : code
        }
        return failed ? nil : output.count - before
    }

    /// Replaces `output` by what `bytes` decode to: exactly `length` bytes, or false.
    func decompress(_ bytes: RawSpan, length: Int, into output: ByteBuffer) -> Bool {
        output.removeAll()
        var done = 0
        unsafe output.appendTail(length) { room in
            done = unsafe bytes.withUnsafeBytes {
                unsafe ZSTD_decompressDCtx(decompressor, room.baseAddress, length, $0.baseAddress, $0.count)
            }
            return ZSTD_isError(done) != 0 ? 0 : min(done, length)
        }
        return ZSTD_isError(done) == 0 && done == length
    }

    /// Replaces `output` by what can be decoded of damaged `bytes`, at most `length` bytes: the blocks before the damage. What it
    /// gives may be wrong; who takes it hashes it.
    func decompress(asFarAsPossible bytes: RawSpan, length: Int, into output: ByteBuffer) {
        output.removeAll()
        unsafe _ = ZSTD_DCtx_reset(decompressor, ZSTD_reset_session_only)
        unsafe bytes.withUnsafeBytes { source in
            unsafe output.appendTail(length) { room in
                var (fed, done) = (0, 0)
                // In small pieces: an error takes back what the same call has decoded.
                while fed < source.count, done < length {
                    var input = unsafe ZSTD_inBuffer(
                        src: source.baseAddress, size: min(source.count, fed + 1_024), pos: fed)
                    var target = unsafe ZSTD_outBuffer(dst: room.baseAddress, size: length, pos: done)
                    let code = unsafe ZSTD_decompressStream(decompressor, &target, &input)
                    if ZSTD_isError(code) != 0 { break }
                    let (read, written) = unsafe (input.pos, target.pos)
                    if read == fed && written == done { break }
                    (fed, done) = (read, written)
                }
                return done
            }
        }
    }

    /// Replaces `output` by the first `length` bytes (or more) of what `bytes` decode to, without the rest: reading one message
    /// need not decode its neighbours behind it. zstd's checksum is not reached; the caller verifies what it takes.
    func decompress(prefix length: Int, of bytes: RawSpan, into output: ByteBuffer) -> Bool {
        output.removeAll()
        var failed = false
        unsafe _ = ZSTD_DCtx_reset(decompressor, ZSTD_reset_session_only)
        unsafe bytes.withUnsafeBytes { source in
            var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
            unsafe output.appendTail(length) { room in
                var target = unsafe ZSTD_outBuffer(dst: room.baseAddress, size: length, pos: 0)
                while unsafe target.pos < length {
                    let before = unsafe (input.pos, target.pos)
                    let code = unsafe ZSTD_decompressStream(decompressor, &target, &input)
                    failed = ZSTD_isError(code) != 0
                    let stuck = unsafe before.0 == input.pos && before.1 == target.pos
                    if failed || stuck || code == 0 { break }
                }
                return unsafe target.pos
            }
        }
        return !failed && output.count == length
    }
}

import CZstd

/// How well zstd packs mail: each message alone, and frames of neighbouring messages.
struct Ratio {
    private(set) var raw = 0, alone = 0, solid = 0
    private var frame: [UInt8] = []
    private let level: Int32
    private let frameSize: Int

    init(level: Int32 = 3, frameSize: Int = 256 << 10) { (self.level, self.frameSize) = (level, frameSize) }

    mutating func add(_ message: [UInt8]) {
        raw += message.count
        alone += packedSize(message)
        frame += message
        if frame.count >= frameSize { finish() }
    }

    /// Packs what is left.
    mutating func finish() {
        if !frame.isEmpty { solid += packedSize(frame) }
        frame.removeAll(keepingCapacity: true)
    }

    /// In per cent of the raw size.
    var alonePercent: String { percent(alone) }
    var solidPercent: String { percent(solid) }

    private func percent(_ size: Int) -> String { raw == 0 ? "-" : Figure.fixed(100 * Double(size) / Double(raw), 1) }

    private func packedSize(_ bytes: [UInt8]) -> Int {
        var target = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
        return ZSTD_compress(&target, target.count, bytes, bytes.count, level)
    }
}

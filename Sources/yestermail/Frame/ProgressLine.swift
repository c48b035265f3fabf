internal import Events
internal import Glibc
internal import Presentation

/// How far something has come, on standard error: one line redrawn every 100 ms on a terminal, a line every 30 seconds
/// elsewhere, nothing with `--quiet`.
final class ProgressLine {
    private let label: String
    private let unit: String
    private let isSilent: Bool
    private let began: Int64
    private var shown: Int64
    private var isDrawn = false

    init(_ label: String, unit: String, options: GlobalOptions) {
        self.label = TerminalText.safe(label)
        self.unit = unit
        isSilent = options.quiet || (options.json && !StandardError.isTerminal)
        began = ProgressLine.now()
        shown = began
    }

    /// Microseconds of a clock that never steps.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }

    /// `done` of `total` things (0: not known) and so many bytes.
    func update(_ done: Int, of total: Int, bytes: UInt64 = 0) {
        guard !isSilent else { return }
        let now = ProgressLine.now()
        guard now - shown >= (StandardError.isTerminal ? 100_000 : 30_000_000) else { return }
        shown = now
        let text = ProgressLine.text(label, unit, done, total, bytes, elapsed: now - began)
        if StandardError.isTerminal {
            StandardError.write("\r\(text)\u{1B}[K")
            isDrawn = true
        } else {
            StandardError.write("yestermail: \(text)\n")
        }
    }

    static func text(
        _ label: String, _ unit: String, _ done: Int, _ total: Int, _ bytes: UInt64, elapsed: Int64
    ) -> String {
        var text = "\(label)  \(Quantity.count(done))"
        if total > 0 {
            text += "/\(Quantity.count(total)) \(unit), \(min(100, done * 100 / total)) %"
        } else {
            text += " \(unit)"
        }
        guard elapsed > 0 else { return text }
        if bytes > 0 {
            let rate = Double(bytes) * 1_000_000 / Double(elapsed)
            text += ", \(Quantity.bytes(bytes)), \(Quantity.bytes(UInt64(rate)))/s"
        } else {
            text += ", \(Quantity.count(Int(Double(done) * 1_000_000 / Double(elapsed))))/s"
        }
        // Too early a guess is a wrong one.
        if elapsed > 5_000_000, done > 0, total > done {
            let left = Double(elapsed) / Double(done) * Double(total - done)
            text += ", \(Quantity.duration(microseconds: Int64(left) / 1_000_000 * 1_000_000)) left"
        }
        return text
    }

    /// Takes the line away.
    func finish() {
        if isDrawn { StandardError.write("\r\u{1B}[K") }
        isDrawn = false
    }

    deinit { finish() }
}

internal import Glibc

/// What a harness has done: cases, findings, and how fast.
public final class Report {
    public let name: String
    public let seed: UInt64
    public private(set) var cases = 0
    public private(set) var findings: [String] = []
    /// Other things that were counted, by name.
    public private(set) var counts: [String: Int] = [:]
    private let begin = Report.now()
    private var told = Report.now()
    private let isLoud: Bool
    private let mostFindings: Int

    init(_ name: String, _ tools: World.Tools, seed: UInt64, isLoud: Bool) {
        (self.name, self.seed, self.isLoud, mostFindings) = (name, seed, isLoud, tools.mostFindings)
        if isLoud { say("\(name): seed \(seed)") }
    }

    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Enough was found.
    var isFull: Bool { findings.count >= mostFindings }

    func count(_ name: String, _ number: Int = 1) { counts[name, default: 0] += number }

    /// More was found at a case that is counted already.
    func add(_ place: String, _ found: [String]) {
        for text in found {
            findings.append("\(place): \(text)")
            if isLoud { say("FINDING \(name) seed \(seed), \(place): \(text)") }
        }
    }

    /// One case ended, with what was found.
    func end(_ place: String, _ found: [String]) {
        cases += 1
        add(place, found)
        if isLoud, Report.now() - told > 30 {
            told = Report.now()
            say("  \(cases) cases, \(findings.count) findings, \(Int(Double(cases) / (told - begin))) a second")
        }
    }

    public var summary: String {
        let seconds = Report.now() - begin
        let rest = counts.sorted { $0.key < $1.key }.map { ", \($0.key) \($0.value)" }.joined()
        return
            "\(name): seed \(seed), \(cases) cases, \(findings.count) findings, \(Int(seconds)) s, \(Int((Double(cases) / seconds * 10).rounded()) / 10)/s\(rest)"
    }

    func say(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = line.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
    }
}

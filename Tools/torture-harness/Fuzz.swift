public import FuzzTargets
internal import Glibc
public import SystemPackage
internal import TestKit

/// F1: every decoder is given what a damaged disk, a hostile server or a stranger might give it. Real input is changed, in some thousand ways a
/// second; the checksums in it are put right half of the time, so that what lies behind them is tried too. A child process does it:
/// a trap, a signal, or five seconds of work without an answer is a finding, and its input is kept.
public enum Fuzz {
    private static let batch = 20_000
    private static let largest = 1 << 16

    public static func run(
        _ tools: World.Tools, _ target: FuzzTarget, cases: Int, seed: UInt64, isLoud: Bool = true
    ) -> Report {
        let report = Report("F1 fuzzed \(target.rawValue)", tools, seed: seed, isLoud: isLoud)
        let seeds = FuzzSeeds.of(target, tools)
        guard !seeds.isEmpty else {
            report.end("the seeds", ["there are none"])
            return report
        }
        let scratch = Scratch("fuzz", isVolatile: true)
        // Which case it is at, how long its input is, and the input.
        let shared = SharedBytes(16 + largest)
        var first = 0
        while first < cases, !report.isFull {
            let end = min(cases, first + batch)
            shared.bytes.storeBytes(of: UInt64(first), as: UInt64.self)
            let status = Forked.run {
                quiet()
                for number in first..<end {
                    var generator = SeededGenerator(seed: seed &+ UInt64(number) &* 0x9E37_79B9_7F4A_7C15)
                    let bytes = changed(seeds, target, &generator)
                    shared.bytes.storeBytes(of: UInt64(number), as: UInt64.self)
                    shared.bytes.storeBytes(of: UInt64(bytes.count), toByteOffset: 8, as: UInt64.self)
                    UnsafeMutableRawBufferPointer(rebasing: shared.bytes[16...]).copyBytes(from: bytes)
                    if number & 0xFF == 0 { limit() }
                    target.run(bytes, file: scratch.appending("input").string)
                }
                return 0
            }
            guard status == 0 else {
                let number = Int(shared.bytes.load(as: UInt64.self))
                let count = Int(shared.bytes.load(fromByteOffset: 8, as: UInt64.self))
                let input = FilePath("fuzz-\(target.rawValue)-\(seed)-\(number)")
                if isLoud { Tree.write(input, Array(shared.bytes[16..<16 + count])) }
                for _ in first..<number { report.end("", []) }
                let isLate = [128 + SIGPROF, 128 + SIGALRM].contains(status)
                let what = isLate ? "no end within 5 s of work or 10 minutes" : "ends with \(status)"
                report.end("case \(number)", ["\(what); its input of \(count) bytes is in \(input)"])
                first = number + 1
                continue
            }
            for _ in first..<end { report.end("", []) }
            first = end
        }
        return report
    }

    /// Writes the seeds as files, for a fuzzer that takes a directory of them.
    public static func writeSeeds(_ tools: World.Tools, _ target: FuzzTarget, into directory: FilePath) {
        Tree.makeDirectory(directory)
        for (number, bytes) in FuzzSeeds.of(target, tools).enumerated() {
            Tree.write(directory.appending("seed-\(number)"), bytes)
        }
    }

    /// Five seconds of the processor's time, for what else the machine does is no fault of a decoder; ten minutes of any time, for one that waits.
    private static func limit() {
        var work = itimerval(it_interval: timeval(), it_value: timeval(tv_sec: 5, tv_usec: 0))
        setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &work, nil)
        alarm(600)
    }

    /// The stack of a trap is of no interest here; there may be thousands.
    private static func quiet() {
        let null = open("/dev/null", O_WRONLY | O_CLOEXEC)
        dup2(null, 2)
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS] { signal(number, SIG_DFL) }
    }

    private static let numbers: [[UInt8]] = [
        [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0x80, 0, 0, 0], [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0x7F],
        [UInt8](repeating: 0xFF, count: 8), [0x80, 0, 0, 0, 0, 0, 0, 0], [0xFF], [0x80], [0], [0x7F],
        Array("18446744073709551616".utf8), Array("9223372036854775807".utf8), Array("-1".utf8),
        Array("{4294967295}\r\n".utf8),
        Array("=?utf-8?B?".utf8), Array("=?x?Q?=".utf8), Array("\r\n".utf8), Array("\n\n".utf8), Array("\nFrom ".utf8),
        Array("\0".utf8),
        Array("((((((((".utf8), Array("\"".utf8), Array("\\".utf8), Array(":2,".utf8), Array("&AAA-".utf8),
        Array("\u{2028}".utf8),
    ]

    private static func changed(
        _ seeds: [[UInt8]], _ target: FuzzTarget, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = generator.element(seeds)
        for _ in 0..<generator.number(1..<generator.element([2, 4, 12])) { change(&bytes, seeds, &generator) }
        if bytes.count > largest { bytes.removeLast(bytes.count - largest) }
        if generator.chance(50) { target.withChecksums(&bytes) }
        return bytes
    }

    private static func change(_ bytes: inout [UInt8], _ seeds: [[UInt8]], _ generator: inout SeededGenerator) {
        guard !bytes.isEmpty else {
            bytes = generator.bytes(generator.number(1..<40))
            return
        }
        let place = generator.number(0..<bytes.count)
        func some(_ most: Int, _ generator: inout SeededGenerator) -> Range<Int> {
            place..<min(bytes.count, place + generator.number(1..<most))
        }
        switch generator.number(0..<9) {
        case 0: bytes[place] ^= 1 << UInt8(generator.number(0..<8))
        case 1: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
        case 2:
            let number = generator.element(numbers)
            bytes.replaceSubrange(place..<min(bytes.count, place + number.count), with: number)
        case 3: bytes.insert(contentsOf: generator.element(numbers), at: place)
        case 4: bytes.removeSubrange(some(32, &generator))
        case 5:
            let part = Array(bytes[some(64, &generator)])
            for _ in 0..<generator.element([1, 2, 30]) { bytes.insert(contentsOf: part, at: place) }
        case 6:
            let other = generator.element(seeds)
            guard !other.isEmpty else { return }
            let from = generator.number(0..<other.count)
            bytes.replaceSubrange(
                some(200, &generator), with: other[from..<min(other.count, from + generator.number(1..<200))])
        case 7: bytes.removeLast(bytes.count - place)
        default: bytes[place] = bytes[place] &+ UInt8(generator.element([1, 255, 16, 128]))
        }
    }
}

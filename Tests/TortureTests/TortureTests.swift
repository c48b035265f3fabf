import Glibc
import SystemPackage
import TestKit
import Testing
import Torture

/// The harnesses of `Tools/torture` at the size that is for every day, each as the command itself. Every finding names its seed and its case.
///
/// With a release build of program and harness beside the sources (`Tools/test` makes one where it finds the program), the sizes are
/// those of `Specs/Reliability.md`; with debug builds a tenth.
@Suite(.serialized)
struct TortureTests {
    /// `YESTERMAIL_TORTURE` times as many cases.
    private static let factor = getenv("YESTERMAIL_TORTURE").flatMap { Int(String(cString: $0)) } ?? 1
    private static let isRoot = geteuid() == 0
    private static let scratch = Scratch("torture")

    private struct Tools {
        var harness: String
        var program: String
        var shim: String
        var isFast: Bool
    }

    private static let tools: Tools = {
        let shim = scratch.appending("shim.so")
        let sources = ["shim.c", "server.c"].map { TestData.package.appending("Tools/torture-shim/\($0)").string }
        let status = Tree.run("/usr/bin/cc", ["-O2", "-shared", "-fPIC", "-o", shim.string] + sources)
        let release = TestData.package.appending(".build/release")
        let named = getenv("YESTERMAIL_BINARY").map { String(cString: $0) }
        let isFast =
            named == release.appending("yestermail").string && Tree.exists(release.appending("yestermail-torture"))
        let debug = TestData.package.appending(".build/debug")
        return Tools(
            harness: (isFast ? release : debug).appending("yestermail-torture").string,
            program: named ?? debug.appending("yestermail").string, shim: status == 0 ? shim.string : "", isFast: isFast
        )
    }()

    private static var hasShim: Bool { !tools.shim.isEmpty }

    /// Runs a harness; `size` is told what a release build does.
    private func torture(
        _ arguments: [String], _ option: String? = nil, _ size: Int = 1, least: Int = 1, isStride: Bool = false
    ) {
        let factor = Self.factor * (Self.tools.isFast ? 10 : 1)
        let number = isStride ? max(1, size * 10 / factor) : max(least, size * factor / 10)
        let seed = SeededGenerator.announced("torture").seed
        let output = Self.scratch.appending("output")
        let command =
            [Self.tools.harness] + arguments
            + (option.map { [$0, "\(number)"] } ?? [])
            + ["--seed", "\(seed)", "--program", Self.tools.program, "--shim", Self.tools.shim]
        let status = Tree.run("/bin/sh", ["-c", "exec \"$@\" >\(output.string) 2>&1", "sh"] + command)
        let lines = String(decoding: Tree.read(output) ?? [], as: UTF8.self).split(separator: "\n")
        for line in lines.suffix(1) { print(line.prefix(300)) }
        let findings = lines.filter { $0.hasPrefix("FINDING") }.prefix(5).map { String($0.prefix(600)) }
        #expect(status == 0, "\(arguments) --seed \(seed): \(status) \(findings) \(lines.suffix(2))")
    }

    @Test("Killed at random moments under load, nothing acknowledged is lost")
    func kills() { torture(["kills"], "--count", 300) }

    @Test(
        "Killed before any system call of a day that writes, the next run goes on as if nothing had been",
        .enabled(if: hasShim, "the shim cannot be built: no C compiler"))
    func calls() { torture(["calls"], "--every", 20, isStride: true) }

    @Test(
        "When any system call that writes fails, the program says so, and nothing is lost",
        .enabled(if: hasShim, "the shim cannot be built: no C compiler"))
    func errors() { torture(["calls", "--what", "errors"], "--every", 20, isStride: true) }

    @Test("A flipped bit in any file is found and named, gives no wrong answer, and is healed")
    func bits() { torture(["all-bits", "--sample", "400"], "--count", 20_000) }

    @Test("What a person asks of a vault with a flipped bit is answered as before, or refused")
    func bitsOutside() { torture(["bits"], "--count", 40) }

    @Test("A file that is zeroed, cut off, emptied, lost or older gives no wrong answer, is named, and is healed")
    func files() { torture(["files"], "--count", 200) }

    @Test(
        "On disks that get full at different moments the program ends with 13, and goes on when there is space",
        .enabled(if: isRoot, "a tmpfs cannot be mounted here: needs root"))
    func disk() { torture(["disk"], "--count", 10) }

    @Test(
        "On a file system that is mounted to be read only, questions are answered, and what writes is refused",
        .enabled(if: isRoot, "a tmpfs cannot be mounted here: needs root"))
    func readOnly() { torture(["read-only"]) }

    @Test(
        "After a power cut nothing acknowledged is lost",
        .enabled(if: isRoot && PowerCut.isPossible("ext4"), "needs root, a loop device and mkfs.ext4"))
    func power() { torture(["power"], "--count", 30) }

    @Test(
        "Whatever a disk has of its last writes after a power cut, nothing acknowledged is lost",
        .enabled(if: BlockReplay.obstacle("ext4") == nil, "needs root, /dev/fuse, a loop device and mkfs.ext4"))
    func blocks() { torture(["blocks"], "--count", 50) }

    @Test(
        "What was lost when a sync failed is not acknowledged by a later one",
        .enabled(if: hasShim, "the shim cannot be built: no C compiler"))
    func syncs() { torture(["calls", "--what", "syncs"], "--every", 8, isStride: true) }

    @Test("At any point in time projections, fold, restore, and what is captured of it again, agree")
    func points() { torture(["points"], "--count", 200) }

    @Test(
        "Bugs that are planted as system calls that lie are caught, every one",
        .enabled(if: hasShim, "the shim cannot be built: no C compiler"))
    func planted() { torture(["planted"], "--count", 10, least: 3) }

    @Test("Days of a mailbox and its vault, from seeds: every point in time stays what it was")
    func simulation() { torture(["simulate"], "--count", 500) }

    @Test("Whatever bytes a decoder is given, it comes to an end")
    func fuzz() { torture(["fuzz"], "--count", 200_000) }
}

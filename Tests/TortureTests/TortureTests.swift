import Glibc
import SystemPackage
import TestKit
import Testing
import Torture

/// The harnesses of `Tools/torture` at the size that is for every day. Every finding names its seed and its case.
@Suite(.serialized)
struct TortureTests {
    /// `YESTERMAIL_TORTURE` times as many cases.
    private static let factor = getenv("YESTERMAIL_TORTURE").flatMap { Int(String(cString: $0)) } ?? 1
    private static let isRoot = geteuid() == 0

    /// The programs beside the test bundle, and the shim, which is built once.
    private static let tools: World.Tools = {
        let own = (try? FilePath("/proc/self/exe").link()) ?? TestData.package.appending(".build/debug/x")
        var products = own.removingLastComponent()
        if !Tree.exists(products.appending("yestermail")) { products = TestData.package.appending(".build/debug") }
        let shim = Shared.scratch.appending("shim.so")
        let source = TestData.package.appending("Tools/torture-shim/shim.c")
        let status = Tree.run("/usr/bin/cc", ["-O2", "-shared", "-fPIC", "-o", shim.string, source.string])
        return World.Tools(
            program: products.appending("yestermail").string, worker: products.appending("yestermail-torture").string,
            shim: status == 0 ? shim.string : "")
    }()

    private enum Shared { static let scratch = Scratch("torture") }

    private var seed: UInt64 { SeededGenerator.announced("torture").seed }

    private func expectNothing(_ report: Report, atLeast cases: Int) {
        print(report.summary)
        #expect(report.findings == [], "seed \(report.seed)")
        #expect(report.cases >= cases, "\(report.summary)")
    }

    @Test("Killed at random moments under load, nothing acknowledged is lost")
    func kills() {
        expectNothing(KillLoad.run(Self.tools, count: 60 * Self.factor, seed: seed, isLoud: false), atLeast: 55)
    }

    @Test("Killed before any system call of a day that writes, the next run goes on as if nothing had been")
    func calls() throws {
        try #require(!Self.tools.shim.isEmpty, "the shim cannot be built: no C compiler")
        expectNothing(
            CallSweep.run(Self.tools, .kills, stride: max(1, 100 / Self.factor), seed: seed, isLoud: false), atLeast: 4)
    }

    @Test("When any system call that writes fails, the program says so, and nothing is lost")
    func errors() throws {
        try #require(!Self.tools.shim.isEmpty, "the shim cannot be built: no C compiler")
        expectNothing(
            CallSweep.run(Self.tools, .errors, stride: max(1, 700 / Self.factor), seed: seed, isLoud: false),
            atLeast: 3)
    }

    @Test("A flipped bit in any file gives no wrong answer, is named, and is healed")
    func bits() {
        expectNothing(Damage.run(Self.tools, .bits, count: 30 * Self.factor, seed: seed, isLoud: false), atLeast: 25)
    }

    @Test("A file that is zeroed, cut off, emptied, lost or older gives no wrong answer, is named, and is healed")
    func files() {
        expectNothing(Damage.run(Self.tools, .files, count: 25 * Self.factor, seed: seed, isLoud: false), atLeast: 8)
    }

    @Test(
        "On disks that get full at different moments the program ends with 13, and goes on when there is space",
        .enabled(if: isRoot, "a tmpfs cannot be mounted here: needs root"))
    func disk() {
        expectNothing(FullDisk.run(Self.tools, count: 4 * Self.factor, seed: seed, isLoud: false), atLeast: 4)
    }

    @Test(
        "After a power cut nothing acknowledged is lost",
        .enabled(if: isRoot && PowerCut.isPossible("ext4"), "needs root, a loop device and mkfs.ext4"))
    func power() {
        expectNothing(
            PowerCut.run(Self.tools, system: "ext4", count: 4 * Self.factor, seed: seed, isLoud: false), atLeast: 4)
    }

    @Test("At any point in time projections, fold, restore, and what is captured of it again, agree")
    func points() {
        expectNothing(TimePoints.run(Self.tools, count: 10 * Self.factor, seed: seed, isLoud: false), atLeast: 10)
    }
}

extension FilePath {
    /// What a symbolic link names.
    fileprivate func link() throws -> FilePath {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = withPlatformString { readlink($0, &buffer, buffer.count - 1) }
        guard count > 0 else { throw Errno(rawValue: errno) }
        return FilePath(String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}

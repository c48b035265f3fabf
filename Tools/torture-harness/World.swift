internal import Glibc
internal import Synthesis
public import SystemPackage
public import TestKit

/// A mailbox, its vault, and where it is restored to: everything a case needs, in one directory that can be put back.
public final class World {
    public let scratch: FilePath
    public let program: Program
    /// The worker: the torture command itself, for what the command line has no verb for.
    let worker: Program
    let shim: Shim
    public private(set) var mail: MaildirFixture
    private let owner: Scratch

    var place: FilePath { scratch.appending("world") }
    var vault: FilePath { program.vault }
    var out: FilePath { place.appending("out") }
    var source: FilePath { place.appending("Mail") }

    /// `isApart`: the vault is on a disk of its own, outside of what is kept and put back.
    public init(_ tools: Tools, _ name: String, isApart: Bool = false) {
        owner = Scratch("torture-\(name)", isVolatile: true)
        scratch = owner.path
        let place = scratch.appending("world")
        Tree.makeDirectory(place)
        mail = MaildirFixture(place.appending("Mail"))
        let vault = isApart ? scratch.appending("disk/vault") : place.appending("vault")
        program = Program(tools.program, vault: vault, scratch: scratch, library: tools.shim)
        worker = Program(tools.worker, vault: vault, scratch: scratch, library: tools.shim)
        shim = Shim(library: tools.shim, roots: [place], state: scratch.appending("shim"))
    }

    /// The executables of a run.
    public struct Tools: Sendable {
        public var program: String
        public var worker: String
        public var shim: String

        /// A harness ends when it has so many findings.
        public var mostFindings: Int

        public init(program: String, worker: String, shim: String, mostFindings: Int = 20) {
            (self.program, self.worker, self.shim, self.mostFindings) = (program, worker, shim, mostFindings)
        }
    }

    /// What has been set aside by the time something is done.
    private var setAside: [[UInt8]] = []

    func keep(_ name: String) {
        setAside = Tree.names(vault.appending("quarantine"))
        Tree.remove(scratch.appending(name))
        Tree.copy(place, to: scratch.appending(name), linking: "cur")
    }

    func putBack(_ name: String) {
        Tree.remove(place)
        Tree.copy(scratch.appending(name), to: place, linking: "cur")
    }

    /// The leaf hash of every transaction of the journal, with the end of its line; nil when it cannot be read. A purge changes what is in
    /// a transaction, and not this.
    func journal() -> [Substring]? {
        let answer = program.run("log", "dump")
        return answer.status == 0 ? answer.text.split(separator: "\n").map { $0.suffix(67) } : nil
    }

    var hasVault: Bool { Tree.exists(vault.appending("FORMAT")) }
    var hasAccount: Bool { program.run("ls", "--json").says("anna@example.org") }

    func restored() -> [String] {
        Tree.remove(out)
        let answer = program.run("restore", "account", "anna", "--to", "maildir:\(out)")
        guard answer.status == 0 else { return ["restore: \(answer.brief)"] }
        return differences()
    }

    func differences() -> [String] {
        MailboxContent(readingMaildir: out.string)
            .differences(from: MailboxContent(readingMaildir: source.string)).prefix(3).map { "restored: \($0)" }
    }

    /// What must hold after anything that is no damage: the vault opens, is sound, has what it had, and comes up to its source.
    ///
    /// `mayRepair`: it begins with damage. `maySetAside`: it is no finding when something was made anew. `all`: nothing else than this may
    /// be in the journal.
    func holds(
        _ before: [Substring], mayRepair: Bool = false, maySetAside: Bool = false, within all: [Substring]? = nil
    ) -> [String] {
        var check = program.run("check", "--read-data", "--json")
        if check.status != 0, mayRepair {
            let repair = program.run("check", "--repair", "--json")
            if repair.status != 0 { return ["check --repair: \(repair.brief)"] }
            check = program.run("check", "--read-data", "--json")
        }
        guard check.status == 0 else { return ["check: \(check.brief)"] }
        var found: [String] = []
        // Projections that were being made when it was killed are made anew: they are worth no finding.
        let new = Tree.names(vault.appending("quarantine")).filter {
            !setAside.contains($0) && !$0.starts(with: Array("projections".utf8))
        }
        if !new.isEmpty, !mayRepair, !maySetAside {
            found.append("something was set aside: \(check.error.prefix(300))")
        }
        guard let now = journal() else { return found + ["log dump fails"] }
        if !now.starts(with: before) {
            found.append("the journal of \(before.count) is not the beginning of the one of \(now.count)")
        }
        if let all, !all.starts(with: now) {
            found.append("the journal of \(now.count) is not the beginning of the \(all.count) that were written")
        }
        guard hasAccount else { return found }
        let scan = program.run("scan", "--json")
        if scan.status != 0 { found.append("scan: \(scan.brief)") }
        found += restored()
        let after = program.run("check", "--json")
        if after.status != 0 || !after.says("\"ok\":true") { found.append("check after the scan: \(after.brief)") }
        if !found.isEmpty { return found }
        let again = program.run("scan", "--json")
        if !again.says("\"created\":0,\"moved\":0,\"changed\":0,\"deleted\":0") {
            found.append("a second scan has news: \(again.brief)")
        }
        return found
    }
}

/// Counts the writing system calls of a run, and strikes one.
struct Shim {
    let library: String
    let roots: [FilePath]
    let state: FilePath

    enum Blow: CustomStringConvertible {
        case kill
        case error(Int32, always: Bool)
        case short
        /// A sync fails, and takes with it what was written to its file since the last one.
        case lostSync

        var description: String {
            switch self {
            case .kill: "killed"
            case .short: "short write"
            case .lostSync: "sync that loses"
            case .error(let number, let always): "\(String(cString: strerror(number)))\(always ? " from then on" : "")"
            }
        }
    }

    /// The environment in which call `at` is struck; 0: none.
    func environment(_ at: Int, _ blow: Blow = .kill) -> [String: String] {
        Tree.write(state, [UInt8](repeating: 0, count: 16))
        var all = [
            "LD_PRELOAD": library, "SHIM_ROOTS": roots.map(\.string).joined(separator: ":"), "SHIM_STATE": state.string,
            "SHIM_AT": "\(at)",
        ]
        switch blow {
        case .kill: all["SHIM_DO"] = "kill"
        case .short: all["SHIM_DO"] = "short"
        case .lostSync:
            all["SHIM_DO"] = "\(EIO)"
            all["SHIM_LOST"] = "1"
        case .error(let number, let always):
            all["SHIM_DO"] = "\(number)"
            if always { all["SHIM_ON"] = "1" }
        }
        return all
    }

    /// Calls counted and struck since ``environment(_:_:)``.
    var counted: (calls: Int, struck: Int) {
        let bytes = Tree.read(state) ?? []
        func number(_ at: Int) -> Int { bytes[at..<at + 8].reversed().reduce(0) { $0 << 8 | Int($1) } }
        return bytes.count == 16 ? (number(0), number(8)) : (0, 0)
    }
}

internal import Glibc
internal import Synchronization

/// LMDB reads through a memory map: a page that cannot be read, or that makes no sense, ends the process by a signal. So the
/// signal is heeded: the vault is marked as suspect, which makes whoever opens it next verify and heal it first, and a command that
/// has said nothing yet begins anew and is that next one (`Specs/Decisions/0011-damage-and-repair.md`).
enum Relaunch {
    private static let variable = "YESTERMAIL_BEGUN_ANEW"
    /// What the handler needs; set once, before it is installed.
    nonisolated(unsafe) private static var mark: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) private static var place: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) private static var environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    private static let mayBegin = Atomic<Bool>(false)
    private static let hasSpoken = Atomic<Bool>(false)

    /// From now on faults are heeded; a command that only reads may begin anew.
    static func arm(vault: String, mayBeginAnew: Bool) {
        guard mark == nil else { return }
        mark = strdup(vault + "/state/suspect")
        place = strdup(vault)
        let isSecond = getenv(variable) != nil
        mayBegin.store(mayBeginAnew && !isSecond, ordering: .relaxed)
        _ = hasSpoken.load(ordering: .relaxed)
        setenv(variable, "1", 1)
        var count = 0
        while environ[count] != nil { count += 1 }
        let copy = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: count + 1)
        for index in 0..<count { copy[index] = environ[index].flatMap { strdup($0) } }
        copy[count] = nil
        environment = copy
        if !isSecond { unsetenv(variable) }
        for number in [SIGBUS, SIGSEGV, SIGABRT] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { Relaunch.received($0) }
            action.sa_flags = Int32(bitPattern: UInt32(SA_NODEFER)) | Int32(bitPattern: UInt32(SA_RESETHAND))
            sigaction(number, &action, nil)
        }
    }

    /// Of a command that writes, when doing it again does no harm.
    static func allow() {
        if getenv(variable) == nil { mayBegin.store(true, ordering: .relaxed) }
    }

    /// Something went to standard output: to begin anew would say it twice.
    static func spoken() { hasSpoken.store(true, ordering: .relaxed) }

    /// Marks the vault as suspect and begins anew, where that may be; otherwise returns.
    static func afterDamage() {
        guard let mark else { return }
        touch(mark)
        begin()
    }

    /// Whoever opens the vault next verifies it first.
    static func markSuspect() { if let mark { touch(mark) } }

    /// Only what is safe in a signal handler.
    private static func received(_ number: Int32) {
        // The first use of a page of LMDB's lock file wants a block: where there is none, nothing is damaged.
        if number == SIGBUS, isFull {
            let text: StaticString =
                "yestermail: there is no space left on the file system of the vault\n  Free some, then run it again\n"
            _ = write(2, text.utf8Start, text.utf8CodeUnitCount)
            _exit(13)
        }
        if let mark { touch(mark) }
        begin()
        let text: StaticString =
            "yestermail: a page of the vault's database cannot be read; run the command again: the vault verifies and heals itself first\n"
        _ = write(2, text.utf8Start, text.utf8CodeUnitCount)
        _exit(11)
    }

    private static var isFull: Bool {
        var found = statvfs()
        return place.map { statvfs($0, &found) == 0 && found.f_bavail == 0 } ?? false
    }

    private static func touch(_ path: UnsafeMutablePointer<CChar>) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if descriptor >= 0 { close(descriptor) }
    }

    private static func begin() {
        guard mayBegin.load(ordering: .relaxed), !hasSpoken.load(ordering: .relaxed), let environment else { return }
        var none = sigset_t()
        sigemptyset(&none)
        sigprocmask(SIG_SETMASK, &none, nil)
        execve("/proc/self/exe", CommandLine.unsafeArgv, environment)
    }
}

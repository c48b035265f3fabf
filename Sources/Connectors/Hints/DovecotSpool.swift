internal import Glibc
internal import Maildir

/// The spool of `Integrations/dovecot/yestermail-hook.lua`, read as it grows.
final class DovecotSpool: HintReader {
    private let path: String
    private let waker: Waker
    private let inotify: Int32
    private var file: Int32 = -1
    private var watch: Int32 = -1
    private var offset: off_t = 0
    /// The beginning of a line whose end has not come.
    private var rest: [UInt8] = []

    /// A spool this long is emptied.
    private static let longestSpool: off_t = 16 << 20
    private static let longestLine = 16 << 10
    /// A spool that is not there is looked for this often.
    private static let absenceMilliseconds = 1_000

    init(_ path: String) throws {
        self.path = path
        waker = try Waker()
        inotify = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard inotify >= 0 else {
            throw SourceFailure.unavailable("no inotify: \(String(cString: strerror(errno)))")
        }
        guard reopen() else {
            throw SourceFailure.unavailable("the spool \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        // What was told before is of the time before: whoever begins to watch looks everywhere first.
        offset = lseek(file, 0, SEEK_END)
    }

    deinit {
        if file >= 0 { close(file) }
        close(inotify)
    }

    var wake: @Sendable () -> Void {
        let waker = waker
        return { waker.wake() }
    }

    func next(timeoutMilliseconds: Int?) throws -> [UserHint] {
        var found = read()
        guard found.isEmpty else { return found }
        let wait = file >= 0 ? timeoutMilliseconds : min(timeoutMilliseconds ?? .max, DovecotSpool.absenceMilliseconds)
        _ = waker.wait(for: inotify, milliseconds: wait)
        var events = [UInt8](repeating: 0, count: 4_096)
        while Glibc.read(inotify, &events, events.count) > 0 {}
        found = read()
        return found
    }

    /// Opens what stands at the path now, from its beginning.
    private func reopen() -> Bool {
        if file >= 0 { close(file) }
        if watch >= 0 { inotify_rm_watch(inotify, watch) }
        (offset, rest, watch) = (0, [], -1)
        file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return false }
        watch = inotify_add_watch(
            inotify, path, UInt32(IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF))
        return true
    }

    private func read() -> [UserHint] {
        var hints: Set<UserHint> = []
        if file < 0 {
            guard reopen() else { return [] }
            hints.insert(.everything)
        }
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = pread(file, &piece, piece.count, offset)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            offset += off_t(count)
            for line in lines(piece[..<count]) { hints.insert(DovecotSpool.hint(line) ?? .everything) }
        }
        if hasChanged() {
            // Rotated, or cut: what came in between may have been missed.
            if !reopen() { file = -1 }
            hints.insert(.everything)
        } else if offset > DovecotSpool.longestSpool, truncate(path, 0) == 0 {
            (offset, rest) = (0, [])
            hints.insert(.everything)
        }
        return hints.contains(.everything) ? [.everything] : Array(hints)
    }

    private func hasChanged() -> Bool {
        var (named, opened) = (stat(), stat())
        guard stat(path, &named) == 0, fstat(file, &opened) == 0 else { return true }
        return named.st_ino != opened.st_ino || named.st_dev != opened.st_dev || opened.st_size < offset
    }

    private func lines(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        let all = rest + bytes
        guard let end = all.lastIndex(of: 0x0A) else {
            rest = all
            // No hook of ours writes such a line: it is passed over.
            if rest.count > DovecotSpool.longestLine { rest = [0] }
            return []
        }
        rest = Array(all[(end + 1)...])
        return all[..<end].split(separator: 0x0A)
    }

    /// What a line says; nil when it is no line of ours.
    static func hint(_ line: ArraySlice<UInt8>) -> UserHint? {
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard line.count <= longestLine, words.count >= 2, words[0].count == 1, let user = decoded(words[1]) else {
            return nil
        }
        switch (words[0].first, words.count) {
        case (UInt8(ascii: "f"), 2): return UserHint(user: user, hint: .folders)
        case (UInt8(ascii: "m"), 3):
            // Dovecot's own spelling is UTF-8; over IMAP the same mailbox is spelled otherwise.
            guard let name = decoded(words[2]), let wire = ModifiedUTF7.encode(name) else { return nil }
            return UserHint(user: user, hint: .folder(wire))
        default: return nil
        }
    }

    private static func decoded(_ word: ArraySlice<UInt8>) -> [UInt8]? { percentDecoded(word) }
}

/// RFC 3986, 2.1; nil where a percent sign is not followed by two digits, and for nothing.
func percentDecoded(_ text: some Collection<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var iterator = text.makeIterator()
    func digit(_ byte: UInt8?) -> UInt8? {
        switch byte {
        case .some(let byte) where (48...57).contains(byte): byte - 48
        case .some(let byte) where (97...102).contains(byte | 0x20): (byte | 0x20) - 87
        default: nil
        }
    }
    while let byte = iterator.next() {
        guard byte == UInt8(ascii: "%") else {
            result.append(byte)
            continue
        }
        guard let high = digit(iterator.next()), let low = digit(iterator.next()) else { return nil }
        result.append(high << 4 | low)
    }
    return result.isEmpty ? nil : result
}

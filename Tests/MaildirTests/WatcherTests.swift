import Glibc
import Maildir
import Testing

@Suite struct WatcherTests {
    /// Reads changes until `isDone` says so of all of them; fails after five seconds without.
    private func changes(
        of watcher: MaildirWatcher, until isDone: ([MaildirChange.Kind]) -> Bool
    ) throws -> [MaildirChange.Kind] {
        var all: [MaildirChange.Kind] = []
        while !isDone(all) {
            let batch = try watcher.next(timeoutMilliseconds: 5_000)
            if batch.isEmpty {
                Issue.record("nothing more after \(all)")
                break
            }
            all += batch.map(\.kind)
        }
        return all
    }

    private func entry(
        _ folder: String, _ place: MaildirPlace, _ name: String, _ change: MaildirChange.EntryChange
    ) -> MaildirChange.Kind {
        .entry(rawName: bytes(folder), place, name: bytes(name), change)
    }

    @Test func `a delivery, a flag, a move to another folder and a deletion are seen`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.makeFolder(".A")
        let watcher = try MaildirWatcher()
        let root = try watcher.add(Maildir(path: directory.path))
        #expect(watcher.watchCount == 6)
        directory.write("tmp/1", "x")
        directory.move("tmp/1", "new/1")
        directory.move("new/1", "cur/1:2,")
        directory.move("cur/1:2,", "cur/1:2,S")
        directory.move("cur/1:2,S", ".A/cur/1:2,S")
        directory.remove(".A/cur/1:2,S")
        var all: [MaildirChange] = []
        while !all.contains(where: { $0.kind == entry(".A", .cur, "1:2,S", .disappeared) }) {
            let batch = try watcher.next(timeoutMilliseconds: 5_000)
            try #require(!batch.isEmpty)
            all += batch
        }
        #expect(all.allSatisfy { $0.root == root })
        var moves: [(String, UInt32)] = []
        for case .entry(let folder, let place, let name, let change) in all.map(\.kind) {
            if case .movedFrom(let cookie) = change {
                moves.append(("-\(text(folder))/\(place)/\(text(name))", cookie))
            }
            if case .movedTo(let cookie) = change { moves.append(("+\(text(folder))/\(place)/\(text(name))", cookie)) }
        }
        #expect(
            moves.map(\.0) == [
                "+/new/1", "-/new/1", "+/cur/1:2,", "-/cur/1:2,", "+/cur/1:2,S", "-/cur/1:2,S", "+.A/cur/1:2,S",
            ])
        #expect(moves[1].1 == moves[2].1 && moves[3].1 == moves[4].1 && moves[5].1 == moves[6].1)
    }

    @Test func `a new folder is watched before it is told`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        let watcher = try MaildirWatcher()
        _ = try watcher.add(Maildir(path: directory.path))
        directory.makeFolder(".N")
        let told = try changes(of: watcher) { $0.contains(.folderTouched(rawName: bytes(".N"), .cur)) }
        #expect(told.contains(.foldersChanged))
        directory.write(".N/cur/1:2,", "x")
        let after = try changes(of: watcher) { $0.contains(entry(".N", .cur, "1:2,", .appeared)) }
        #expect(!after.isEmpty)
    }

    @Test func `a renamed folder is followed under its new name, a removed one is forgotten`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.makeFolder(".Old")
        let watcher = try MaildirWatcher()
        _ = try watcher.add(Maildir(path: directory.path))
        directory.move(".Old", ".New")
        let renamed = try changes(of: watcher) { $0.contains(.folderTouched(rawName: bytes(".New"), .cur)) }
        #expect(renamed.contains(.foldersChanged))
        directory.write(".New/cur/1:2,", "x")
        _ = try changes(of: watcher) { $0.contains(entry(".New", .cur, "1:2,", .appeared)) }
        #expect(watcher.watchCount == 6)
        directory.remove(".New")
        _ = try changes(of: watcher) { $0.contains(.foldersChanged) }
        while try !watcher.next(timeoutMilliseconds: 0).isEmpty {}
        #expect(watcher.watchCount == 3)
    }

    @Test func `keywords and subscriptions are told when their files are replaced`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        directory.makeFolder(".A")
        let watcher = try MaildirWatcher()
        _ = try watcher.add(Maildir(path: directory.path))
        directory.write(".A/dovecot-keywords.lock", "0 x\n")
        directory.move(".A/dovecot-keywords.lock", ".A/dovecot-keywords")
        directory.write("dovecot.index.log", "noise")
        directory.write("subscriptions", "A\n")
        let told = try changes(of: watcher) { $0.contains(.subscriptionsChanged) }
        #expect(told.filter { $0 != .subscriptionsChanged } == [.folderTouched(rawName: bytes(".A"), .directory)])
    }

    @Test func `nested folders are watched as they come, and with those below when they are renamed`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("A")
        directory.makeFolder("A/B")
        let watcher = try MaildirWatcher()
        _ = try watcher.add(Maildir(path: directory.path))
        directory.move("A", "C")
        _ = try changes(of: watcher) { $0.contains(.folderTouched(rawName: bytes("C/B"), .cur)) }
        directory.write("C/B/new/1", "x")
        _ = try changes(of: watcher) { $0.contains(entry("C/B", .new, "1", .appeared)) }
        directory.makeFolder("C/B/D")
        _ = try changes(of: watcher) { $0.contains(.folderTouched(rawName: bytes("C/B/D"), .cur)) }
    }

    @Test func `a root that is moved or removed is told, and watched no more`() throws {
        for isMoved in [true, false] {
            let directory = TemporaryDirectory()
            directory.makeDirectory("M")
            directory.makeFolder("M")
            let watcher = try MaildirWatcher()
            _ = try watcher.add(Maildir(path: directory.path + "/M"))
            if isMoved { directory.move("M", "N") } else { directory.remove("M") }
            _ = try changes(of: watcher) { $0.contains(.rootGone) }
            #expect(watcher.watchCount == 0)
        }
    }

    @Test func `an overflow is told, and the folders that came meanwhile are watched`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        let watcher = try MaildirWatcher()
        _ = try watcher.add(Maildir(path: directory.path))
        // More than fs.inotify.max_queued_events, whatever it is here.
        let limit = 70_000
        let (first, second) = (directory.path + "/cur/1:2,", directory.path + "/cur/1:2,S")
        directory.write("cur/1:2,", "x")
        for number in 0..<limit { rename(number % 2 == 0 ? first : second, number % 2 == 0 ? second : first) }
        directory.makeFolder(".Late")
        _ = try changes(of: watcher) { $0.contains(.overflow) }
        while try !watcher.next(timeoutMilliseconds: 0).isEmpty {}
        #expect(watcher.watchCount == 6)
        directory.write(".Late/new/2", "x")
        _ = try changes(of: watcher) { $0.contains(entry(".Late", .new, "2", .appeared)) }
    }

    @Test func `another thread wakes it, and the time runs out`() throws {
        let watcher = try MaildirWatcher()
        let waker = watcher.waker
        waker.wake()
        #expect(try watcher.next(timeoutMilliseconds: nil).isEmpty)
        #expect(try watcher.next(timeoutMilliseconds: 1).isEmpty)
        try withThread {
            waker.wake()
        } whileRunning: {
            let changes = try watcher.next(timeoutMilliseconds: nil)
            #expect(changes.isEmpty)
        }
    }

    @Test func `a root that is removed from it is silent, and one that is not there is refused`() throws {
        let directory = TemporaryDirectory()
        directory.makeFolder("")
        let watcher = try MaildirWatcher()
        let maildir = try Maildir(path: directory.path)
        let root = try watcher.add(maildir)
        watcher.remove(root)
        directory.write("cur/1:2,", "x")
        #expect(try watcher.next(timeoutMilliseconds: 0).isEmpty)
        #expect(watcher.watchCount == 0)
        directory.remove("")
        #expect(throws: MaildirError.self) { try watcher.add(maildir) }
        #expect(watcher.watchCount == 0)
    }
}

import Events
import Files
import Glibc
import Journal
import SystemPackage
import TestKit
import Testing

/// Appends until it is killed; every ID is written behind the acknowledgements once `append` has returned.
func appendUntilKilled(_ path: String, _ acknowledgements: String, afterMicroseconds: UInt32) throws {
    var options = JournalOptions()
    options.segmentBytes = 3_000
    let journal = try OpenJournal(
        FilePath(path), vault: vaultID, readOnly: false, clock: .system, options: options)
    let descriptor = open(acknowledgements, O_WRONLY | O_APPEND | O_CREAT, 0o600)
    killThisProcess(afterMicroseconds: afterMicroseconds)
    var number = 0
    while true {
        let batch = (0..<(number % 3 + 1)).map { entry("\(getpid())-\(number)-\($0)") }
        let range = try journal.append(batch)
        let line = Array("\(range.lowerBound) \(range.upperBound) \(getpid())-\(number)\n".utf8)
        _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        number += 1
        if number % 20 == 0 { try journal.sealFullSegments() }
    }
}

@Suite(.serialized)
struct ProcessTests {
    @Test("Nothing acknowledged is lost when the writer is killed, again and again")
    func kills() async throws {
        let directory = try JournalDirectory(segmentBytes: 3_000)
        let log = directory.scratch.appending("acknowledged")
        // A very first append that is killed leaves what cannot be told from an LMDB that fell back: a vault heals that when it is opened.
        try directory.append(["begin"])
        var generator = SeededGenerator.announced()
        for _ in 0..<30 {
            let (path, acknowledgements) = (directory.path.string, log.string)
            let pause = UInt32(generator.number(1_000..<60_000))
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, acknowledgements = acknowledgements as String, pause = pause as UInt32] in
                try appendUntilKilled(path, acknowledgements, afterMicroseconds: pause)
            }
        }
        try directory.append(["end"])
        let names = try directory.names()
        let lines = String(decoding: Tree.read(log) ?? [], as: UTF8.self).split(separator: "\n")
        for line in lines {
            let parts = line.split(separator: " ")
            guard parts.count == 3, let first = Int(parts[0]), let end = Int(parts[1]) else {
                Issue.record("the line \(line)")
                continue
            }
            for id in first..<end { #expect(names[id - 1] == "\(parts[2])-\(id - first)", "@\(id)") }
        }
        print("killed 30 times: \(lines.count) appends acknowledged, \(names.count) transactions kept")
        #expect(lines.count > 30)
    }

    @Test("Two processes that append to one journal lose nothing")
    func twoProcesses() async throws {
        let directory = try JournalDirectory(segmentBytes: 2_000)
        let path = directory.path.string
        let own = Task.detached {
            let journal = try directory.open()
            for number in 0..<150 { try journal.append([entry("parent \(number)")]) }
        }
        await #expect(processExitsWith: .success) { [path = path as String] in
            var options = JournalOptions()
            options.segmentBytes = 2_000
            let journal = try OpenJournal(
                FilePath(path), vault: vaultID, readOnly: false, clock: .system, options: options)
            for number in 0..<150 { try journal.append([entry("child \(number)")]) }
        }
        try await own.value
        let names = try directory.names()
        #expect(names.filter { $0.hasPrefix("parent") } == (0..<150).map { "parent \($0)" })
        #expect(names.filter { $0.hasPrefix("child") } == (0..<150).map { "child \($0)" })
    }
}

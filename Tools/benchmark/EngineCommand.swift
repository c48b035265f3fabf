import ArgumentParser
import BenchmarkLoops
import Events
import Glibc
import LMDB

/// Our engine beside the same work in C.
struct EngineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "engine", abstract: "The engine beside C on LMDB.")

    @Option var rounds = 5
    @Option(help: "Records of the table that is scanned.") var records: UInt64 = 1_000_000
    @Option(help: "Where to work; removed afterwards.") var work: String?

    func run() throws {
        let work = work ?? Shell.temporary("engine")
        try Shell.makeDirectory(work)
        defer { Shell.removeTree(work) }
        print(Machine.report(workingDirectory: work))
        let contestants: [any EngineContestant] = [CLoops(), SwiftLMDB(), SwiftJournal()]
        print(try scans(contestants, work: work).text)
        print(try appends(contestants, work: work).text)
        print(try JournalReplay(work: work + "/journal", records: records, rounds: rounds).table().text)
    }

    private func scans(_ contestants: [any EngineContestant], work: String) throws -> Table {
        var costs: [String: [[Double]]] = [:]
        let path = work + "/scanned"
        try Loop.check(bl_append(path, records, 10_000, 0))
        var table = Table(
            "scan of \(records) records of 300 bytes, warm: million a second of CPU",
            ["who", "key and first byte", "CRC-32C of all", "the same, prefetching", "best, times C"])
        for way in ScanWay.allCases { _ = try CLoops().scan(path, way, records) }
        for round in 0..<rounds {
            for index in contestants.indices {
                let contestant = contestants[(index + round) % contestants.count]
                for (column, way) in ScanWay.allCases.enumerated() {
                    guard let seconds = try contestant.scan(path, way, records) else { continue }
                    costs[contestant.name, default: [[], [], []]][column].append(Double(records) / seconds / 1e6)
                }
            }
        }
        let best = costs["C"].flatMap { Figure.median($0[2]) }
        for contestant in contestants {
            guard let rates = costs[contestant.name] else {
                table.add([contestant.name] + Array(repeating: "-", count: 4))
                continue
            }
            let own = rates.compactMap(Figure.median).max()
            let ratio = own.flatMap { own in best.map { Figure.fixed(own / $0, 2) } } ?? "-"
            table.add([contestant.name] + rates.map(Figure.spread) + [ratio])
        }
        return table
    }

    private func appends(_ contestants: [any EngineContestant], work: String) throws -> Table {
        let groups: [(group: UInt64, count: UInt64)] = [(1, 2_000), (1_000, 200_000), (10_000, 500_000)]
        var table = Table(
            "durable append of records of 300 bytes: thousand a second of wall clock (and microseconds of CPU each)",
            ["who"] + groups.map { "groups of \($0.group)" } + ["last, times C"])
        var rates: [String: [[Double]]] = [:]
        var costs: [String: [[Double]]] = [:]
        for round in 0..<rounds {
            for index in contestants.indices {
                let contestant = contestants[(index + round) % contestants.count]
                for (column, step) in groups.enumerated() {
                    let path = work + "/appended"
                    sync()
                    guard let cost = try contestant.append(path, step.count, group: step.group) else { continue }
                    Shell.removeTree(path)
                    let empty: [[Double]] = Array(repeating: [], count: groups.count)
                    rates[contestant.name, default: empty][column].append(Double(step.count) / cost.wall / 1e3)
                    costs[contestant.name, default: empty][column].append(cost.processor * 1e6 / Double(step.count))
                }
            }
        }
        for contestant in contestants {
            guard let own = rates[contestant.name], let cost = costs[contestant.name] else {
                table.add([contestant.name] + Array(repeating: "-", count: groups.count + 1))
                continue
            }
            let cells = zip(own, cost).map { "\(Figure.spread($0)) (\(Figure.short(Figure.median($1) ?? 0)))" }
            let last = Figure.median(own[groups.count - 1]) ?? 0
            let twin = rates["C"].flatMap { Figure.median($0[groups.count - 1]) } ?? last
            table.add([contestant.name] + cells + [Figure.fixed(last / twin, 2)])
        }
        return table
    }
}

enum ScanWay: Int32, CaseIterable { case touch, value, valuePrefetching }

/// One way to do the engine's work. nil where it cannot.
protocol EngineContestant {
    var name: String { get }
    /// Seconds of CPU for a scan of the table `events` at `path`, which has `count` records.
    func scan(_ path: String, _ way: ScanWay, _ count: UInt64) throws -> Double?
    /// Seconds for appending `count` records, `group` a transaction, each durable before the next begins.
    func append(_ path: String, _ count: UInt64, group: UInt64) throws -> (wall: Double, processor: Double)?
}

/// What the C loops return.
enum Loop {
    @discardableResult
    static func check(_ result: bl_result) throws -> bl_result {
        if result.code != 0 { throw BenchFailure("LMDB in C: error \(result.code)") }
        return result
    }
}

struct CLoops: EngineContestant {
    let name = "C"

    func scan(_ path: String, _ way: ScanWay, _ count: UInt64) throws -> Double? {
        let result = try Loop.check(bl_scan(path, way.rawValue))
        guard result.count == count else { throw BenchFailure("C: \(result.count) records of \(count)") }
        return Double(result.cpu) / 1e9
    }

    func append(_ path: String, _ count: UInt64, group: UInt64) throws -> (wall: Double, processor: Double)? {
        let result = try Loop.check(bl_append(path, count, group, 1))
        return (Double(result.wall) / 1e9, Double(result.cpu) / 1e9)
    }
}

/// Our LMDB module, without a journal over it.
struct SwiftLMDB: EngineContestant {
    let name = "LMDB module"

    func scan(_ path: String, _ way: ScanWay, _ count: UInt64) throws -> Double? {
        let environment = try Environment(path: path, tables: ["events"])
        let table = environment.table("events")
        let begin = Shell.processorTime()
        var (seen, check): (UInt64, UInt64) = (0, 0)
        try environment.read { transaction in
            try transaction.cursor(table) { cursor in
                switch way {
                case .touch:
                    while try cursor.next() {
                        seen += 1
                        check &+= Self.number(cursor.key)
                        check &+= UInt64(cursor.value.unsafeLoad(fromByteOffset: 0, as: UInt8.self))
                    }
                case .value:
                    while try cursor.next() {
                        seen += 1
                        check &+= Self.number(cursor.key) &+ Self.fold(cursor.value)
                    }
                case .valuePrefetching:
                    while try cursor.nextPrefetching() {
                        seen += 1
                        check &+= Self.number(cursor.key) &+ Self.fold(cursor.value)
                    }
                }
            }
        }
        let seconds = Double(Shell.processorTime() - begin) / 1e9
        guard seen == count, check != 0 else { throw BenchFailure("LMDB module: \(seen) records of \(count)") }
        return seconds
    }

    @inline(__always)
    private static func number(_ key: RawSpan) -> UInt64 {
        UInt64(bigEndian: key.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
    }

    @inline(__always)
    private static func fold(_ value: RawSpan) -> UInt64 {
        value.withUnsafeBytes { UInt64(bl_crc32c($0.baseAddress, UInt64($0.count))) }
    }

    func append(_ path: String, _ count: UInt64, group: UInt64) throws -> (wall: Double, processor: Double)? {
        try Shell.makeDirectory(path)
        let environment = try Environment(path: path, tables: ["events"])
        let table = environment.table("events")
        var record = [UInt8](repeating: 0, count: 400)
        let begin = (wall: Shell.now(), processor: Shell.processorTime())
        var number: UInt64 = 1
        while number <= count {
            let end = min(number + group, count + 1)
            try environment.write { transaction in
                while number < end {
                    let size = Int(bl_record(number, &record))
                    try transaction.append(table, Key(number), record.span.extracting(0..<size).bytes)
                    number += 1
                }
            }
        }
        return (Double(Shell.now() - begin.wall) / 1e9, Double(Shell.processorTime() - begin.processor) / 1e9)
    }
}

import Synchronization
import TestKit
import Testing
import Threads

struct PipelineTests {
    @Test("What jobs hand on comes in the order of the jobs, however often each does and whoever is faster")
    func order() throws {
        var generator = SeededGenerator.announced()
        let jobs = (0..<200).map { _ in generator.number(0..<5) }
        for workers in 1...4 {
            var next = 0
            var taken: [[Int]] = []
            try OrderedPipeline.run(
                workers: workers, ahead: workers + 1, makeContext: {},
                next: {
                    guard next < jobs.count else { return nil }
                    defer { next += 1 }
                    return next
                },
                work: { (_: Void, job: Int, handOn: ([Int]) throws -> Void) in
                    for part in 0..<jobs[job] { try handOn([job, part]) }
                }, consume: { taken.append($0) })
            #expect(taken == jobs.enumerated().flatMap { job, parts in (0..<parts).map { [job, $0] } })
        }
    }

    @Test("A job that hands on much holds no more than one output that nobody has taken")
    func bounded() throws {
        let handed = Atomic<Int>(0)
        var most = 0
        var taken = 0
        var next = 0
        try OrderedPipeline.run(
            workers: 2, ahead: 3, makeContext: {},
            next: {
                guard next < 4 else { return nil }
                defer { next += 1 }
                return next
            },
            work: { (_: Void, job: Int, handOn: (Int) throws -> Void) in
                for part in 0..<500 {
                    try handOn(part)
                    handed.add(1, ordering: .relaxed)
                }
            },
            consume: { _ in
                taken += 1
                most = max(most, handed.load(ordering: .relaxed) - taken)
            })
        #expect(taken == 2_000)
        // One for each of the jobs that may be under way.
        #expect(most <= 3, "\(most)")
    }

    @Test("An error of one stops all, also those that wait for their turn", arguments: [0, 1, 2])
    func failure(failing: Int) throws {
        struct Expected: Error {}
        var next = 0
        #expect(throws: Expected.self) {
            try OrderedPipeline.run(
                workers: 3, ahead: 4, makeContext: {},
                next: {
                    defer { next += 1 }
                    return next < 100 ? next : nil
                },
                work: { (_: Void, job: Int, handOn: (Int) throws -> Void) in
                    for part in 0..<10 {
                        if job == failing, part == 5 { throw Expected() }
                        try handOn(part)
                    }
                }, consume: { (_: Int) in })
        }
        #expect(throws: Expected.self) {
            next = 0
            try OrderedPipeline.run(
                workers: 3, ahead: 4, makeContext: {},
                next: {
                    defer { next += 1 }
                    return next < 100 ? next : nil
                },
                work: { (_: Void, job: Int, handOn: (Int) throws -> Void) in for part in 0..<10 { try handOn(part) } },
                consume: { (part: Int) in if part == failing { throw Expected() } })
        }
    }
}

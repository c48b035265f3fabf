/// Work done by several threads at once, its results taken one by one in the order of the jobs.
///
/// Bounded: no more than `ahead` jobs are taken beyond the result that is waited for, so memory does not depend on how
/// much there is to do.
public enum OrderedPipeline {
    /// Takes jobs from `next` until it gives nil, runs `work` on `workers` threads, and gives the results in order to
    /// `consume`, on the calling thread. `makeContext` runs once on each worker's behalf: buffers and contexts that are
    /// reused from job to job. The first error thrown by any of them stops all and is thrown.
    public static func run<Job: Sendable, Context, Output: Sendable>(
        workers: Int, ahead: Int, makeContext: @escaping @Sendable () throws -> Context,
        next: () throws -> Job?, work: @escaping @Sendable (Context, Job) throws -> Output,
        consume: (Output) throws -> Void
    ) throws {
        let monitor = Monitor(State<Job, Output>())
        let threads = (0..<workers).map { _ in
            WorkerThread {
                do {
                    let context = try makeContext()
                    while true {
                        let taken: (Int, Job)?? = monitor.wait { state in
                            if state.isStopped { return .some(nil) }
                            if !state.jobs.isEmpty { return .some(state.jobs.removeFirst()) }
                            return state.isComplete ? .some(nil) : nil
                        }
                        guard case .some(.some((let number, let job))) = taken else { return }
                        let output = try work(context, job)
                        monitor.change { $0.outputs[number] = output }
                    }
                } catch {
                    monitor.change { state in
                        if state.failure == nil { state.failure = error }
                        state.isStopped = true
                    }
                }
            }
        }
        defer {
            monitor.change { $0.isStopped = true }
            for thread in threads { thread.join() }
        }
        var given = 0
        var taken = 0
        var isExhausted = false
        while true {
            while !isExhausted, given - taken < ahead {
                guard let job = try next() else {
                    isExhausted = true
                    monitor.change { $0.isComplete = true }
                    break
                }
                let number = given
                monitor.change { $0.jobs.append((number, job)) }
                given += 1
            }
            if taken == given, isExhausted { return }
            let number = taken
            let output = try monitor.wait { (state: inout State<Job, Output>) -> Output? in
                if let failure = state.failure { throw failure }
                return state.outputs.removeValue(forKey: number)
            }
            taken += 1
            try consume(output)
        }
    }

    private struct State<Job, Output> {
        var jobs: [(Int, Job)] = []
        var outputs: [Int: Output] = [:]
        var isComplete = false
        var isStopped = false
        var failure: (any Error)?
    }
}

/// Work done by several threads at once, its results taken one by one in the order of the jobs.
///
/// Bounded: no more than `ahead` jobs are taken beyond the result that is waited for, so memory does not depend on how
/// much there is to do.
public enum OrderedPipeline {
    /// Takes jobs from `next` until it gives nil, runs `work` on `workers` threads, and gives what they hand on in order to
    /// `consume`, on the calling thread. A job may hand on as often as it likes: it waits until what it handed on before has
    /// been taken, so a large job holds no more than a small one. `makeContext` runs once on each worker's behalf: buffers
    /// and contexts that are reused from job to job. The first error thrown by any of them stops all and is thrown.
    public static func run<Job: Sendable, Context, Output: Sendable>(
        workers: Int, ahead: Int, makeContext: @escaping @Sendable () throws -> Context,
        next: () throws -> Job?,
        work: @escaping @Sendable (Context, Job, _ handOn: (Output) throws -> Void) throws -> Void,
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
                        try work(context, job) { output in
                            let isStopped = monitor.wait { state -> Bool? in
                                if state.isStopped { return true }
                                guard state.outputs[number] == nil else { return nil }
                                state.outputs[number] = output
                                return false
                            }
                            if isStopped { throw Stopped() }
                        }
                        monitor.change { _ = $0.ended.insert(number) }
                    }
                } catch is Stopped {
                    // Somebody else has failed, and said so.
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
            let output = try monitor.wait { (state: inout State<Job, Output>) -> Output?? in
                if let failure = state.failure { throw failure }
                if let output = state.outputs.removeValue(forKey: number) { return .some(output) }
                return state.ended.remove(number) == nil ? nil : .some(nil)
            }
            if let output { try consume(output) } else { taken += 1 }
        }
    }

    private struct Stopped: Error {}

    private struct State<Job, Output> {
        var jobs: [(Int, Job)] = []
        var outputs: [Int: Output] = [:]
        /// Jobs that hand on nothing more.
        var ended: Set<Int> = []
        var isComplete = false
        var isStopped = false
        var failure: (any Error)?
    }
}

internal import Blobs
internal import Connectors
internal import Events
internal import Headers
internal import MIME
internal import Threads
internal import Vault

/// Reads messages from a source and stores their bytes: several workers read, hash, compress and verify; the calling
/// thread appends, makes durable and hands on, in the order of the jobs.
struct Ingest {
    let vault: OpenVault

    /// A message to be read: the comparison it belongs to, and its position there.
    struct Wanted: Sendable {
        var comparison: Int
        var position: Int32
    }

    /// What became of it.
    enum Outcome: Sendable {
        /// `isNew`: the vault had no such bytes before.
        case stored(Digest, size: UInt64, internalDate: Timestamp, marks: ServerMarks, isNew: Bool)
        case vanished
        case unreadable(UInt32, String)
    }

    /// Messages of one job; consecutive, so that neighbours share a frame.
    private static let jobMessages = 512
    /// Bytes after which what was appended is made durable and handed on.
    private static let groupBytes = 4 << 20
    /// Messages whose IDs are noted at once: each time, half the pages of the header index are written anew. What a crash keeps from
    /// being noted is read again when it is asked for.
    private static let notedTogether = 1 << 16
    /// Bytes a worker holds before it hands them on, in the midst of a job or of a message.
    private static let heldBytes = 2 << 20
    private static let groupMessages = 8192
    /// Larger ones are streamed.
    private static let wholeMessageBytes: UInt64 = 4 << 20

    private struct Output: Sendable {
        /// Of all messages of the job, with the last of its batches; else none.
        var outcomes: [Outcome] = []
        var batches: [EncodedBatch]
        /// The message IDs of what the vault had not had before.
        var ids: [(digest: Digest, ids: [MessageIDHash])] = []
    }

    /// Reads `wanted` from `listings`; `durable` gets consecutive outcomes when their blobs are on the disk.
    func run(
        _ wanted: [Wanted], listings: [any SourceListing],
        durable: (ArraySlice<Wanted>, [Outcome]) throws -> Void
    ) throws {
        guard !wanted.isEmpty else { return }
        let store = vault.blobs
        let isSmall = wanted.count <= 64
        // Of a few messages the header index reads the headers when it is asked for them.
        let index = isSmall ? nil : try vault.headerIndex()
        var ids: [(digest: Digest, ids: [MessageIDHash])] = []
        var next = 0
        var pending: [Outcome] = []
        var pendingBatches: [EncodedBatch] = []
        var pendingBytes = 0
        var handed = 0
        func noteHeaders() throws {
            try index?.note(ids)
            ids.removeAll()
        }
        func flush() throws {
            if !pendingBatches.isEmpty {
                try vault.appendBlobs {
                    for batch in pendingBatches { try store.append(batch) }
                    try store.sync()
                }
            }
            pendingBatches.removeAll()
            pendingBytes = 0
            guard !pending.isEmpty else { return }
            if ids.count >= Ingest.notedTogether { try noteHeaders() }
            let outcomes = pending
            pending.removeAll(keepingCapacity: true)
            let slice = wanted[handed..<handed + outcomes.count]
            handed += outcomes.count
            try durable(slice, outcomes)
        }
        try OrderedPipeline.run(
            workers: isSmall ? 1 : WorkerThread.processors, ahead: isSmall ? 1 : WorkerThread.processors + 1,
            makeContext: { Worker(store) },
            next: {
                guard next < wanted.count else { return nil }
                let end = min(wanted.count, next + Ingest.jobMessages)
                defer { next = end }
                return Array(wanted[next..<end])
            },
            work: { (worker: Worker, job: [Wanted], handOn: (Output) throws -> Void) in
                try worker.read(job, listings, handOn: handOn)
            },
            consume: { output in
                pending.append(contentsOf: output.outcomes)
                pendingBatches.append(contentsOf: output.batches)
                if index != nil { ids.append(contentsOf: output.ids) }
                pendingBytes += output.batches.reduce(0) { $0 + $1.storedBytes }
                if pendingBytes >= Ingest.groupBytes || pending.count >= Ingest.groupMessages { try flush() }
            })
        try flush()
        try noteHeaders()
    }

    /// One worker's buffers.
    private final class Worker {
        private let encoder: BlobEncoder
        private var buffer: [UInt8] = []

        init(_ store: BlobStore) { encoder = store.encoder() }

        func read(_ job: [Wanted], _ listings: [any SourceListing], handOn: (Output) throws -> Void) throws {
            var outcomes: [Outcome] = []
            var batches: [EncodedBatch] = []
            var held = 0
            // Outcomes whose digest is known when their batch is finished, and the date found in the source.
            var open: [(index: Int, read: Reading)] = []
            var ids: [(digest: Digest, ids: [MessageIDHash])] = []
            func close(_ batch: EncodedBatch) throws {
                batches.append(batch)
                held += batch.storedBytes
                for (message, place) in zip(batch.messages, open) {
                    outcomes[place.index] = .stored(
                        message.digest, size: message.size, internalDate: place.read.date, marks: place.read.marks,
                        isNew: message.isNew)
                    if message.isNew, let found = place.read.ids { ids.append((message.digest, found)) }
                }
                open.removeFirst(batch.messages.count)
                if held >= Ingest.heldBytes {
                    try handOn(Output(batches: batches))
                    batches.removeAll(keepingCapacity: true)
                    held = 0
                }
            }
            // What nobody gives has vanished.
            outcomes = Array(repeating: .vanished, count: job.count)
            var first = 0
            while first < job.count {
                let comparison = job[first].comparison
                let end = job[first...].firstIndex { $0.comparison != comparison } ?? job.count
                let positions = job[first..<end].map { Int($0.position) }
                let places = Dictionary(
                    zip(positions, first..<end), uniquingKeysWith: { first, _ in first })
                do {
                    try listings[comparison].read(positions) { position, message in
                        guard let place = places[position] else { return }
                        do {
                            open.append((place, try add(try message.get()) { try close($0) }))
                        } catch let failure as SourceFailure {
                            switch failure {
                            case .vanished: break
                            case .unreadable(let code, let what): outcomes[place] = .unreadable(code, what)
                            case .unavailable: throw failure
                            }
                        }
                        if encoder.isFull { try close(try encoder.finish()) }
                    }
                } catch let failure as SourceFailure {
                    throw Failure(.unreachable, "\(failure)")
                }
                first = end
            }
            if !encoder.isEmpty { try close(try encoder.finish()) }
            try handOn(Output(outcomes: outcomes, batches: batches, ids: ids))
        }

        /// What is known of a message beside its bytes; no IDs of one that is streamed.
        private struct Reading {
            var date: Timestamp
            var marks: ServerMarks
            var ids: [MessageIDHash]?
        }

        /// Reads one message into the encoder.
        private func add(_ message: any SourceMessage, emit: (EncodedBatch) throws -> Void) throws -> Reading {
            if message.size <= Ingest.wholeMessageBytes {
                try message.read(into: &buffer)
                let bytes = buffer
                try encoder.add(bytes.span.bytes)
                return Reading(
                    date: message.internalDate, marks: message.marks,
                    ids: MIMEHeaders.messageIDs(in: bytes.span.bytes).map { MessageIDHash($0) })
            } else {
                let reader = try message.reader()
                try encoder.add(reading: { try reader.read(into: $0) }, emit: emit)
            }
            return Reading(date: message.internalDate, marks: message.marks, ids: nil)
        }
    }
}

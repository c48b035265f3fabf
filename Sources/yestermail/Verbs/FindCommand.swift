internal import ArgumentParser
internal import Blobs
internal import Events
internal import MIME
internal import Presentation
internal import Projections
internal import Query
internal import Vault

struct FindCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "find", abstract: "Searches an account, as of any time or over all of its history.",
        discussion: """
            Words are looked for in subject, sender and recipients. Besides: from: to: cc: subject: body: folder: flag: \
            kind: larger:5M smaller: before: after: has:attachment deleted:yes digest: and a <message-id>. A minus \
            before a term means not; OR and parentheses combine. With --ever, items are found by any state they ever had.

            Examples:
              yestermail find anna 'from:piero contract'
              yestermail find anna 'has:attachment larger:5M' --at 2026-03-03
              yestermail find anna --ever 'subject:invoice' --json | jq -r .item
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The account.") var account: String
    @Argument(help: "What to look for; several words are one query.") var query: [String] = []

    @Option(help: ArgumentHelp("As of when. Default: last.", valueName: "time")) var at: String?

    @Flag(help: "By any state an item ever had, deleted ones too.") var ever = false

    func validate() throws {
        if ever, at != nil { throw ValidationError("--ever and --at exclude each other.") }
    }

    func run(_ context: CommandContext) throws {
        let query = try Query.parse(query.joined(separator: " "), now: context.now, zone: context.zone)
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let account = try vault.account(account)
        let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: account)
        let view = try AccountView(
            vault, projections, account, try context.point(at, landmarks, vault, echo: .lines))
        let subjects = SubjectReading(MessageReading(vault))
        let found = try matches(query, view, subjects, context)
        guard !found.isEmpty || !subjects.unreadable.isEmpty else {
            throw Failure(
                .notFound, "nothing matches",
                hint: ever || query.mentionsDeleted ? nil : "--ever searches what has been deleted or changed too")
        }
        try show(found, view, subjects.reading, context)
        try tell(subjects.unreadable.sorted(), context)
    }

    private func show(
        _ found: [RecordedState], _ view: AccountView, _ reading: MessageReading, _ context: CommandContext
    ) throws {
        if context.isJSON {
            for block in found.blocks(of: 1024) {
                let headers = try reading.headers(of: block.map(\.state.message))
                for (state, headers) in zip(block, headers) { try json(state, headers, view, context) }
            }
            return
        }
        var rows: [[String]] = []
        let table = MessageTable(context: context, showsFolder: true)
        for block in found.blocks(of: 1024) {
            rows += table.rows(
                block, try reading.headers(of: block.map(\.state.message)),
                path: { view.path($0) })
        }
        try table.print(rows)
        context.remark(Quantity.count(found.count, "item") + ".")
    }

    /// Names the messages that may match as well but could not be read, and ends with 3 when there are any.
    private func tell(_ unreadable: [ItemID], _ context: CommandContext) throws {
        guard !unreadable.isEmpty else { return }
        try context.output.flush()
        if context.isJSON {
            var json = JSONWriter()
            json.beginObject()
            json.key("unreadable")
            json.beginArray()
            for item in unreadable { json.value(item) }
            json.endArray()
            json.endObject()
            json.endLine()
            StandardError.write(String(decoding: json.bytes, as: UTF8.self))
        } else {
            let names = unreadable.prefix(20).map(\.description).joined(separator: ", ")
            context.remark(
                "\(Quantity.count(unreadable.count, "message")) could not be read and may match too: \(names)"
                    + (unreadable.count > 20 ? ", …" : "") + ". See: yestermail check --read-data")
        }
        throw ExitStatus(.partial)
    }

    /// The states that match, by item.
    private func matches(
        _ query: Query, _ view: AccountView, _ subjects: SubjectReading, _ context: CommandContext
    ) throws -> [RecordedState] {
        var found: [RecordedState] = []
        let line = ProgressLine("find", unit: "items", options: context.options)
        defer { line.finish() }
        let everything = ever || query.mentionsDeleted
        let pointers =
            if let id = query.messageIDOnly {
                try view.pointers(mayCarry: id, subjects.reading).filter { everything || !$0.pointer.isDeleted }
            } else {
                try view.pointers { everything || !$0.pointer.isDeleted }
            }
        var done = 0
        for block in pointers.blocks(of: 2048) {
            var candidates: [ItemPointer] = []
            for pointer in block {
                if ever {
                    candidates += try view.projections.states(view.account.number, pointer.item).reversed()
                        .map { ItemPointer(pointer.item, $0) }
                } else {
                    candidates.append(pointer)
                }
            }
            var states: [RecordedState] = []
            try view.vault.journal.states(candidates) { states.append($0) }
            let needsBlobs = query.needsHeaders || query.needsBody
            let order =
                needsBlobs
                ? try subjects.reading.readingOrder(states.map { $0.state.message?.digest }) : Array(states.indices)
            var matching = [Bool](repeating: false, count: states.count)
            for index in order {
                let state = states[index]
                let path = try state.state.message.flatMap { message -> [UInt8]? in
                    ever
                        ? try view.projections.folderPath(
                            view.account.number, message.folder, asOf: state.transaction, view.vault.journal)
                        : view.path(message.folder)
                }
                matching[index] = query.matches(StateSubject(state, path ?? state.state.folder?.joinedPath, subjects))
                done += 1
                line.update(done, of: pointers.count)
            }
            // Of an item that matches in several states the newest is shown.
            var last: ItemID?
            for (index, state) in states.enumerated() where matching[index] && state.item != last {
                found.append(state)
                last = state.item
            }
        }
        return found
    }

    private func json(
        _ state: RecordedState, _ headers: MIMEHeaders?, _ view: AccountView, _ context: CommandContext
    ) throws {
        var object = try view.json(state.item, state.transaction)
        if let headers {
            var more = JSONWriter()
            more.headerMembers(headers)
            object.removeLast()
            object.append(UInt8(ascii: ","))
            object += more.bytes
            object.append(UInt8(ascii: "}"))
        }
        try context.output.json { $0.appendJSON(object) }
    }
}

/// Reads the blobs that a query asks for.
final class SubjectReading {
    let reading: MessageReading
    /// The messages that had to be read and could not be.
    private(set) var unreadable: Set<ItemID> = []

    init(_ reading: MessageReading) { self.reading = reading }

    /// What `read` makes of the message of a state; nil when it has none, or it cannot be read.
    func read<Result>(_ recorded: RecordedState, _ read: (Digest, UInt64) throws -> Result) -> Result? {
        guard let message = recorded.state.message else { return nil }
        do {
            if let digest = message.digest { return try read(digest, message.size) }
        } catch {
            // Told at the end, by item; why is a matter of the check.
        }
        unreadable.insert(recorded.item)
        return nil
    }
}

/// One state of one item, as a query sees it.
struct StateSubject: QuerySubject {
    private let recorded: RecordedState
    private let path: [UInt8]?
    private let subjects: SubjectReading

    init(_ recorded: RecordedState, _ path: [UInt8]?, _ subjects: SubjectReading) {
        (self.recorded, self.path, self.subjects) = (recorded, path, subjects)
    }

    var folderPath: String? { path.map { String(decoding: $0, as: UTF8.self) } }

    var flags: [[UInt8]] {
        guard let message = recorded.state.message else { return [] }
        var flags = MessageFlags.names.filter { message.flags.contains($0.flag) }.map { Array("\($0.name)".utf8) }
        if message.flags.contains(.passed) { flags.append(Array("$Forwarded".utf8)) }
        return flags + message.keywords
    }

    var kind: ItemKind { recorded.item.kind }
    var byteCount: UInt64 { recorded.state.message?.size ?? 0 }
    var digest: Digest? { recorded.state.message?.digest }
    var isDeleted: Bool { recorded.state.isDeleted }
    var internalDate: Timestamp? { recorded.state.message?.internalDate }

    func headers() -> MIMEHeaders? { subjects.read(recorded) { try subjects.reading.headers($0, size: $1) } }

    func preview() -> MIMEPreview? { subjects.read(recorded) { try subjects.reading.preview($0, size: $1) } }
}

extension Array {
    /// Consecutive parts of at most `count` elements.
    func blocks(of count: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min(self.count, $0 + count)]) }
    }
}

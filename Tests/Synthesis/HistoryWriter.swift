import Events

/// Lives an account's life: every intent is carried out in the state that the events before it left, and only what is
/// possible in that state becomes an event.
struct HistoryWriter {
    let seed: UInt64
    let account: Int
    let size: HistorySize
    let scenarios: [Scenario]
    let nastyCount: Int

    var events: [MailboxEvent] = []
    var contents: [Content] = []
    var spans: [Scenario: Range<Int>] = [:]
    var model = MailboxModel()
    var queue = IntentQueue<Intent>()
    /// Milliseconds since ``epoch``.
    var now = 0
    var lastNumber: MessageNumber = 0
    /// Choices that depend on the state.
    var choices: RandomStream
    var threads: [Thread] = []
    var attachments = AttachmentPicker()
    var freeNames: [[UInt8]]
    var namesGiven = 0
    /// What the source's clock is wrong by, seconds.
    var clockError: Int64 = 0

    /// 2024-01-01T00:00:00Z, seconds since 1970.
    static let epoch: Int64 = 1_704_067_200
    static let day = 86_400_000
    static let drafts = FolderPath("Drafts")
    static let sent = FolderPath("Sent")
    static let trash = FolderPath("Trash")
    static let junk = FolderPath("Junk")
    static let archive = FolderPath("Archive")
    static let special: Set<FolderPath> = [.inbox, drafts, sent, trash, junk, archive]

    /// What somebody is going to do.
    enum Intent {
        case arrive(Int)
        case saveDraft(ContentNumber, step: Int, steps: Int, previous: MessageNumber?)
        case open(FolderPath)
        case change(MessageNumber, set: MessageFlags, clear: MessageFlags, keyword: [UInt8]?)
        case file(MessageNumber)
        case trash(MessageNumber)
        case expunge(MessageNumber)
        case emptyTrash
        case createFolder, renameFolder, deleteFolder, changeUIDValidity
        case scenario(Scenario, step: Int)
    }

    /// A conversation.
    struct Thread {
        var topic: Int
        var last: ContentNumber
        var sender: Int
    }

    init(
        seed: UInt64, account: Int, size: HistorySize, scenarios: [Scenario], nastyCount: Int, hostileNames: Bool
    ) {
        (self.seed, self.account, self.size, self.scenarios) = (seed, account, size, scenarios)
        self.nastyCount = nastyCount
        choices = RandomStream(seed: seed, "acct/\(account)/choices")
        freeNames = []
        // Every other one, so that even a short history meets some of each.
        let hostile = hostileNames ? FolderNames.hostile : []
        for index in 0..<max(FolderNames.ordinary.count, hostile.count) {
            if index < hostile.count { freeNames.append(hostile[(index * 7 + account) % hostile.count]) }
            if index < FolderNames.ordinary.count { freeNames.append(FolderNames.ordinary[index]) }
        }
    }

    /// Milliseconds of the whole history.
    var duration: Int { size.months * 30 * Self.day }

    mutating func write() {
        var folders = stream("folders")
        makeFirstFolders(count: min(folders.draw(.folderCount), max(size.messagesPerAccount / 12, 8)))
        plan()
        let pause = self.pause
        while let (time, intent) = queue.pop(), time < duration {
            if pause.contains(time) {
                // What would have been done is done in the hours after.
                queue.push(intent, at: pause.upperBound + (time - pause.lowerBound) / 50)
                continue
            }
            now = max(now, time)
            perform(intent)
        }
    }

    func stream(_ purpose: String) -> RandomStream { RandomStream(seed: seed, "acct/\(account)/\(purpose)") }

    /// When nothing happens.
    private var pause: Range<Int> {
        guard scenarios.contains(.vacation) else { return duration..<duration }
        let begin = duration * Scenario.vacation.begin / 1_000
        return begin..<(begin + min(21 * Self.day, duration / 10))
    }

    private mutating func plan() {
        var arrivals = stream("arrivals")
        let days = size.months * 30
        for _ in 0..<size.messagesPerAccount {
            let hour = arrivals.pick(Distribution.hour)
            let day = arrivals.below(days)
            // A few hours' rest at the beginning: the folders are made then.
            queue.push(.arrive(0), at: (day * 24 + hour) * 3_600_000 + arrivals.below(3_600_000))
        }
        var calendar = stream("calendar")
        for month in 0..<size.months {
            func time() -> Int { (month * 30 * 24 + calendar.below(30 * 24)) * 3_600_000 + calendar.below(3_600_000) }
            for _ in 0..<2 { queue.push(.createFolder, at: time()) }
            if calendar.chance(500) { queue.push(.renameFolder, at: time()) }
            if calendar.chance(200) { queue.push(.deleteFolder, at: time()) }
            if calendar.below(500) == 0 { queue.push(.changeUIDValidity, at: time()) }
            for week in 0..<4 { queue.push(.emptyTrash, at: (month * 30 + week * 7 + 6) * Self.day + 64_800_000) }
        }
        for scenario in Scenario.allCases where scenarios.contains(scenario) && scenario != .vacation {
            queue.push(.scenario(scenario, step: 0), at: duration * scenario.begin / 1_000)
        }
        if scenarios.contains(.vacation) { spans[.vacation] = 0..<0 }
    }

    /// Records what happens now, and does it.
    mutating func emit(_ change: MailboxEvent.Change) {
        let time = Timestamp(rawValue: (Self.epoch * 1_000 + Int64(now)) * 1_000)
        let event = MailboxEvent(time: time, change: change)
        if spans[.vacation] == 0..<0, now >= pause.upperBound { spans[.vacation] = events.count..<events.count }
        model.apply(event)
        events.append(event)
    }

    /// What an internal date is now, by the source's clock; seconds since 1970.
    var internalDate: Int64 { Self.epoch + Int64(now / 1_000) + clockError }

    @discardableResult
    mutating func deliver(
        _ content: ContentNumber, to folder: FolderPath, date: Int64? = nil, flags: MessageFlags = [],
        keywords: [[UInt8]] = []
    ) -> MessageNumber {
        lastNumber += 1
        emit(
            .arrived(
                lastNumber, content: content, folder: model.contains(folder) ? folder : .inbox,
                internalDate: date ?? internalDate, flags: flags, keywords: keywords))
        return lastNumber
    }

    private mutating func perform(_ intent: Intent) {
        guard model.exists else {
            if case .scenario(let scenario, let step) = intent { play(scenario, step: step) }
            return
        }
        switch intent {
        case .arrive: arrive()
        case .saveDraft(let content, let step, let steps, let previous):
            saveDraft(content, step: step, steps: steps, previous: previous)
        case .open(let folder): if model.contains(folder) { emit(.opened(folder)) }
        case .change(let number, let set, let clear, let keyword):
            change(number, set: set, clear: clear, keyword: keyword)
        case .file(let number):
            let folder = anyFolder()
            if let message = model.messages[number], message.folder != folder { emit(.moved(number, to: folder)) }
        case .trash(let number):
            if let message = model.messages[number], message.folder != Self.trash, model.contains(Self.trash) {
                emit(.moved(number, to: Self.trash))
            }
        case .expunge(let number): if model.messages[number] != nil { emit(.expunged(number)) }
        case .emptyTrash: empty(Self.trash)
        case .createFolder: createFolder()
        case .renameFolder: renameFolder()
        case .deleteFolder:
            if let folder = choices.pickAny(ownFolders) {
                if model.subscriptions.contains(folder) { emit(.unsubscribed(folder)) }
                emit(.folderDeleted(folder))
            }
        case .changeUIDValidity: emit(.uidValidityChanged(anyFolder()))
        case .scenario(let scenario, let step): play(scenario, step: step)
        }
    }

    mutating func change(_ number: MessageNumber, set: MessageFlags, clear: MessageFlags, keyword: [UInt8]? = nil) {
        guard let message = model.messages[number] else { return }
        let flags = message.flags.union(set).subtracting(clear)
        var keywords = message.keywords
        if let keyword, !keywords.contains(keyword) {
            keywords = (keywords + [keyword]).sorted { $0.lexicographicallyPrecedes($1) }
        }
        if flags != message.flags || keywords != message.keywords {
            emit(.flagsChanged(number, flags: flags, keywords: keywords))
        }
    }

    /// Expunges all of a folder.
    mutating func empty(_ folder: FolderPath) {
        for message in model.messages(in: folder) { emit(.expunged(message.number)) }
    }
}

extension RandomStream {
    /// One of `choices`, nil when there is none.
    mutating func pickAny<Element>(_ choices: [Element]) -> Element? { choices.isEmpty ? nil : pick(choices) }
}

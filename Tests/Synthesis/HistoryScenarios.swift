/// The scenarios, in steps: a step may plan the next one.
extension HistoryWriter {
    mutating func play(_ scenario: Scenario, step: Int) {
        let first = events.count
        let begin = now
        switch scenario {
        case .sameSecond: sameSecond()
        case .slowLeak:
            let inbox = model.messages(in: .inbox)
            for _ in 0..<min(max(inbox.count / 100, 1), inbox.count) {
                // The same one may come twice.
                let number = choices.pick(inbox).number
                if model.messages[number] != nil { emit(.expunged(number)) }
            }
            if step + 1 < min(60, size.months * 10) {
                queue.push(.scenario(.slowLeak, step: step + 1), at: begin + Self.day)
            }
        case .markAllRead:
            for folder in [FolderPath.inbox, Self.archive, Self.junk] {
                for message in model.messages(in: folder) { change(message.number, set: .seen, clear: []) }
            }
        case .renameTree: renameTree()
        case .importOld: importOld()
        case .uidValidity: for folder in model.folders { emit(.uidValidityChanged(folder)) }
        case .labelStorm: labelStorm()
        case .clockBack:
            clockError = step == 0 ? -7_200 : 0
            for _ in 0..<4 {
                now += 1_000
                arrive()
            }
            if step == 0 { queue.push(.scenario(.clockBack, step: 1), at: begin + 7_200_000) }
        case .oopsEmpty: oopsEmpty(step)
        case .ransom: ransom()
        case .accountRemoved:
            if step == 0 {
                emit(.accountRemoved)
                queue.push(.scenario(.accountRemoved, step: 1), at: begin + 3_600_000)
            } else {
                emit(.accountCreated)
                makeSpecialFolders()
            }
        case .vacation: break
        }
        let known = spans[scenario] ?? first..<first
        spans[scenario] = known.lowerBound..<max(events.count, known.upperBound)
    }

    private mutating func sameSecond() {
        now = (now + 999) / 1_000 * 1_000
        var numbers: [MessageNumber] = []
        for _ in 0..<10 {
            contents.append(Content(topic: contents.count, sender: 1, date: internalDate))
            numbers.append(deliver(contents.count - 1, to: .inbox))
        }
        now += 100
        for number in numbers { change(number, set: [.seen, .flagged], clear: [], keyword: Array("$Label1".utf8)) }
        now += 100
        for number in numbers { emit(.moved(number, to: Self.archive)) }
        now += 100
        for number in numbers.dropLast(2) { emit(.expunged(number)) }
        // Two are put back where they came from, in the same second still.
        for number in numbers.suffix(2) { emit(.moved(number, to: .inbox)) }
    }

    private mutating func renameTree() {
        let parent = FolderPath("Tree")
        let renamed = FolderPath("B\u{E4}ume")
        emit(.folderCreated(parent))
        func child(_ index: Int) -> FolderPath { FolderPath(parent.components + [Array("Leaf \(index)".utf8)]) }
        for index in 0..<size.treeWidth {
            now += 20
            emit(.folderCreated(child(index)))
            emit(.subscribed(child(index)))
        }
        let inbox = model.messages(in: .inbox).suffix(3 * size.treeWidth)
        for (index, message) in inbox.enumerated() { emit(.moved(message.number, to: child(index % size.treeWidth))) }
        now += 60_000
        emit(.folderRenamed(parent, to: renamed))
        now += 60_000
        emit(.folderRenamed(renamed, to: parent))
        now += 60_000
        emit(.folderDeleted(child(0)))
        now += 500
        emit(.folderCreated(child(0)))
    }

    private mutating func importOld() {
        let folder = FolderPath("Imported")
        if !model.contains(folder) { emit(.folderCreated(folder)) }
        let year: Int64 = 31_536_000
        for index in 0..<size.importCount {
            now += 5
            let date = Self.epoch - 12 * year + Int64(index) * (10 * year / Int64(max(size.importCount, 1)))
            contents.append(Content(topic: contents.count, sender: 1 + index % 30, date: date))
            deliver(contents.count - 1, to: folder, date: date, flags: .seen)
        }
    }

    private mutating func labelStorm() {
        let folders = Array(model.folders.filter { $0 != Self.drafts && $0 != Self.trash }.prefix(7))
        for message in model.messages(in: .inbox).suffix(5) {
            var copies: [MessageNumber] = []
            for folder in folders where folder != message.folder && copies.count < 5 {
                now += 10
                copies.append(
                    deliver(
                        message.content, to: folder, date: message.internalDate, flags: message.flags,
                        keywords: message.keywords))
            }
            for number in copies.prefix(3) { emit(.expunged(number)) }
        }
    }

    private mutating func oopsEmpty(_ step: Int) {
        guard step == 0 else { return empty(Self.trash) }
        let inbox = model.messages(in: .inbox)
        for message in inbox.prefix(size.months < 12 ? inbox.count / 3 : inbox.count) {
            emit(.moved(message.number, to: Self.trash))
        }
        queue.push(.scenario(.oopsEmpty, step: 1), at: now + 600_000)
    }

    private mutating func ransom() {
        let folders = model.folders
        let pause = 300_000 / max(model.messages.count + folders.count, 1)
        for folder in folders {
            for message in model.messages(in: folder) {
                now += pause
                emit(.expunged(message.number))
            }
        }
    }
}

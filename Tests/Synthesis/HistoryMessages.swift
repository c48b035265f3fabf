/// How messages come, and what becomes of them.
extension HistoryWriter {
    mutating func arrive() {
        let number = contents.count
        var life = RandomStream(seed: seed, "msg/\(account)/\(number)/life")
        if life.below(200) == 0 {
            contents.append(
                Content(kind: .nasty(life.below(max(nastyCount, 1))), topic: 0, sender: 1, date: internalDate))
            plan(deliver(number, to: .inbox), using: &life)
            return
        }
        let isSent = life.chance(200)
        let content = newContent(isSent: isSent, using: &life)
        contents.append(content)
        if let parent = content.parent, isSent { answer(parent) }
        if isSent {
            queue.push(.saveDraft(number, step: 1, steps: life.within(2...5), previous: nil), at: now)
            return
        }
        let folder: FolderPath =
            switch life.below(100) {
            case ..<10: Self.junk
            case ..<30: anyFolder()
            default: .inbox
            }
        plan(deliver(number, to: folder), using: &life)
    }

    /// A new thread or a reply, with or without files.
    mutating func newContent(isSent: Bool, using life: inout RandomStream) -> Content {
        let sender = isSent ? 0 : 1 + life.rank(120)
        var content: Content
        if !threads.isEmpty, life.chance(620) {
            // The latest threads most.
            let index = threads.count - 1 - life.rank(threads.count)
            content = Content(
                topic: threads[index].topic, parent: threads[index].last, sender: sender, date: internalDate)
            threads[index].last = contents.count
        } else {
            content = Content(topic: contents.count, sender: sender, date: internalDate)
            threads.append(Thread(topic: content.topic, last: contents.count, sender: sender))
            if threads.count > 60 { threads.removeFirst() }
        }
        if life.chance(100) {
            for _ in 0..<life.draw(.attachmentCount) {
                content.attachments.append(
                    attachments.pick(topic: content.topic, sender: sender, cut: size.attachmentCut, using: &life))
            }
        }
        return content
    }

    /// \Answered on the message that is replied to, wherever it is.
    private mutating func answer(_ content: ContentNumber) {
        guard let message = model.messages.values.filter({ $0.content == content }).min(by: { $0.number < $1.number })
        else { return }
        change(message.number, set: [.answered, .seen], clear: [])
    }

    mutating func saveDraft(_ content: ContentNumber, step: Int, steps: Int, previous: MessageNumber?) {
        var number: MessageNumber?
        if step <= steps, model.contains(Self.drafts) {
            var draft = contents[content]
            draft.kind = .draft(of: content, step: step, steps: steps)
            contents.append(draft)
            number = deliver(contents.count - 1, to: Self.drafts, flags: [.draft, .seen])
        }
        if let previous, model.messages[previous] != nil { emit(.expunged(previous)) }
        if step <= steps {
            queue.push(.saveDraft(content, step: step + 1, steps: steps, previous: number), at: now + 45_000)
        } else {
            deliver(content, to: Self.sent, flags: .seen)
        }
    }

    /// Plans what will be done with a message.
    private mutating func plan(_ number: MessageNumber, using life: inout RandomStream) {
        let minute = 60_000
        if life.chance(400), let folder = model.messages[number]?.folder {
            queue.push(.open(folder), at: now + life.below(30 * minute))
        }
        func change(_ set: MessageFlags, _ clear: MessageFlags, _ keyword: String? = nil) -> Intent {
            .change(number, set: set, clear: clear, keyword: keyword.map { Array($0.utf8) })
        }
        let read = now + life.draw(.seenDelay)
        if life.chance(880) { queue.push(change(.seen, []), at: read) }
        if life.chance(30) { queue.push(change([], .seen), at: read + life.below(2 * Self.day)) }
        if life.chance(40) {
            queue.push(change(.flagged, []), at: read + life.below(60 * minute))
            if life.chance(500) { queue.push(change([], .flagged), at: read + life.below(30 * Self.day)) }
        }
        if life.chance(30) { queue.push(change([], [], "$Forwarded"), at: read + life.below(120 * minute)) }
        if life.chance(20) { queue.push(change([], [], "$Label\(life.within(1...5))"), at: read + minute) }
        if life.chance(10) { queue.push(change([], [], "$MDNSent"), at: read + 2_000) }
        if life.chance(5) { queue.push(change([], [], "project-\(life.below(4))"), at: read + 3_000) }
        if life.chance(250) {
            queue.push(.file(number), at: read + life.below(14 * Self.day))
            if life.chance(120) { queue.push(.file(number), at: read + 14 * Self.day + life.below(10 * Self.day)) }
        }
        if life.chance(220) {
            let time = read + life.below(30 * Self.day)
            if life.chance(750) {
                queue.push(.trash(number), at: time)
            } else {
                queue.push(change(.deleted, []), at: time)
                queue.push(.expunge(number), at: time + life.below(60 * minute))
            }
        }
    }
}

/// Chooses the files of messages: about half of them were sent before.
struct AttachmentPicker {
    private var byTopic: [Int: [Content.Attachment]] = [:]
    private var all: [Content.Attachment] = []

    mutating func pick(topic: Int, sender: Int, cut: Int, using stream: inout RandomStream) -> Content.Attachment {
        if stream.chance(490) {
            let way = stream.below(100)
            if way < 70, let known = byTopic[topic], !known.isEmpty { return stream.pick(known) }
            // The sender's logo.
            if way < 90 { return Content.Attachment(id: 1_000_000 + sender, size: 3_000 + sender * 37) }
            if !all.isEmpty { return stream.pick(all) }
        }
        let new = Content.Attachment(id: all.count, size: min(stream.draw(.attachmentSize), cut))
        all.append(new)
        byTopic[topic, default: []].append(new)
        return new
    }
}

import Events
import Synthesis
import Testing

@Suite struct HistoryTests {
    @Test func aSeedGivesTheSameScriptAndTheSameBytesEveryTime() {
        let first = AccountHistory(seed: 1, bodies: .generated)
        let second = AccountHistory(seed: 1, bodies: .generated)
        #expect(first.scriptDigest == second.scriptDigest)
        for content in stride(from: 0, to: first.contentCount, by: 17) {
            #expect(first.bytes(ofContent: content) == second.bytes(ofContent: content))
        }
        #expect(first.scriptDigest != AccountHistory(seed: 2, bodies: .generated).scriptDigest)
        #expect(first.scriptDigest != AccountHistory(seed: 1, account: 1, bodies: .generated).scriptDigest)
    }

    /// The same on every machine: where this fails after a change of the generator, the new values belong here.
    @Test func seedOneIsWhatItWasOnTheDayThisWasWritten() {
        let history = AccountHistory(seed: 1, bodies: .generated)
        #expect(history.scriptDigest.hex == "70f1ff3d57f956e8d99888f11a53bcfff593abd777d820d35599e4c986d2a1b0")
        #expect(
            history.content(after: history.events.count / 2).digest.hex
                == "43ae9c2170ef5a4e0a006707f05f80e8e7d1abeaf8aca017eefe377dadd98c1f")
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func aSmallHistoryHasTheSizeItShould(seed: UInt64) {
        let history = AccountHistory(seed: seed)
        #expect((1_500...5_000).contains(history.events.count), "seed \(seed): \(history.events.count) events")
        let bytes = (0..<history.contentCount).reduce(0) { $0 + history.bytes(ofContent: $1).count }
        #expect((4_000_000...40_000_000).contains(bytes), "seed \(seed): \(bytes) bytes")
    }

    @Test func timesNeverGoBackAndEveryScenarioIsThere() {
        let history = AccountHistory(seed: 4)
        for (before, after) in zip(history.events, history.events.dropFirst()) { #expect(before.time <= after.time) }
        for scenario in Scenario.allCases {
            let span = history.span(of: scenario)
            #expect(span != nil, "\(scenario)")
            if scenario != .vacation { #expect(span?.isEmpty == false, "\(scenario)") }
        }
        #expect(AccountHistory(seed: 4, scenarios: []).span(of: .ransom) == nil)
    }

    @Test func theSameSecondBurstLastsLessThanASecond() throws {
        let history = AccountHistory(seed: 5)
        let span = try #require(history.span(of: .sameSecond))
        let burst = history.events[span]
        #expect(Set(burst.map(\.time.seconds)).count == 1)
        #expect(burst.count == 40)
    }

    @Test func aRansomLeavesFoldersAndNoMessages() throws {
        let history = AccountHistory(seed: 6)
        let span = try #require(history.span(of: .ransom))
        #expect(!history.mailbox(after: span.lowerBound).messages.isEmpty)
        let after = history.mailbox(after: span.upperBound)
        #expect(after.messages.isEmpty)
        #expect(after.folders.count > 10)
        let time = history.events[span.upperBound - 1].time.seconds - history.events[span.lowerBound].time.seconds
        #expect(time <= 300)
    }

    @Test func anEmptiedTrashHasLostWhatWasMovedThere() throws {
        let history = AccountHistory(seed: 7)
        let span = try #require(history.span(of: .oopsEmpty))
        #expect(history.mailbox(after: span.upperBound).messages(in: FolderPath("Trash")).isEmpty)
        let lost = Set(history.mailbox(after: span.lowerBound).messages.keys)
            .subtracting(history.mailbox(after: span.upperBound).messages.keys)
        #expect(lost.count > 20)
    }

    @Test func aMailboxAtAnEventIsTheFoldOfAllEventsBefore() {
        let history = AccountHistory(seed: 8)
        var model = MailboxModel()
        for (index, event) in history.events.enumerated() {
            if index % 257 == 0 { #expect(history.content(after: index).digest == history.content(of: model).digest) }
            model.apply(event)
        }
        #expect(history.content(after: history.events.count) == history.content(of: model))
        let middle = history.events[history.events.count / 2].time
        let count = history.eventCount(at: middle)
        #expect(history.events[count - 1].time == middle)
        #expect(history.events[count].time > middle)
    }

    @Test func everyEventIsPossibleInTheStateBeforeIt() {
        for seed in 1...8 as ClosedRange<UInt64> {
            let history = AccountHistory(seed: seed)
            var model = MailboxModel()
            for (index, event) in history.events.enumerated() {
                #expect(isPossible(event.change, in: model), "seed \(seed), event \(index): \(event.change)")
                model.apply(event)
            }
        }
    }

    private func isPossible(_ change: MailboxEvent.Change, in model: MailboxModel) -> Bool {
        switch change {
        case .arrived(let number, _, let folder, _, _, _):
            model.exists && model.messages[number] == nil && model.contains(folder)
        case .flagsChanged(let number, let flags, let keywords):
            model.messages[number].map { $0.flags != flags || $0.keywords != keywords } ?? false
        case .moved(let number, let folder):
            model.contains(folder) && model.messages[number].map { $0.folder != folder } ?? false
        case .expunged(let number): model.messages[number] != nil
        case .opened(let folder), .uidValidityChanged(let folder): model.contains(folder)
        case .folderCreated(let folder): model.exists && !model.contains(folder)
        case .folderDeleted(let folder): model.contains(folder) && !folder.isInbox
        case .folderRenamed(let old, let new):
            model.contains(old) && !old.isInbox && !model.folders.contains { $0.isWithin(new) } && !new.isWithin(old)
        case .subscribed(let folder): !model.subscriptions.contains(folder)
        case .unsubscribed(let folder): model.subscriptions.contains(folder)
        case .accountRemoved: model.exists
        case .accountCreated: !model.exists
        }
    }
}

import Synthesis
import Testing

@Suite struct PlayerTests {
    @Test(arguments: [11, 12] as [UInt64])
    func aPlayedTreeHoldsWhatTheOracleSaysAtEveryStop(seed: UInt64) throws {
        let directory = TemporaryDirectory()
        let history = AccountHistory(seed: seed)
        var player = try MaildirPlayer(history: history, root: directory.path + "/Maildir")
        var steps = RandomStream(seed: seed, "steps")
        while player.next != nil {
            try player.play(next: 100 + steps.below(500))
            guard player.model.exists else { continue }
            let content = MailboxContent(readingMaildir: player.root)
            let differences = content.differences(from: player.expected)
            #expect(differences.isEmpty, "seed \(seed), after \(player.played) events: \(differences)")
            #expect(content.digest == player.expected.digest)
            #expect(player.expected == history.content(after: player.played))
        }
        #expect(player.played == history.events.count)
    }

    @Test func aDifferenceIsFoundAndNamed() throws {
        let directory = TemporaryDirectory()
        var player = try MaildirPlayer(
            history: AccountHistory(seed: 14, bodies: .generated), root: directory.path + "/Maildir")
        try player.play(next: 300)
        let before = player.expected
        while player.expected.digest == before.digest { try player.play(next: 1) }
        #expect(!MailboxContent(readingMaildir: player.root).differences(from: before).isEmpty)
        #expect(MailboxContent(readingMaildir: directory.path + "/nothing").folders.isEmpty)
    }
}

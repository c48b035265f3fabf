import Synthesis
import Testing

@Suite struct CorpusTests {
    @Test func aCorpusIsTheSameEveryTimeAndHasNoMessageTwice() throws {
        let directory = TemporaryDirectory()
        let corpus = MailCorpus(.real, seed: 3, scale: 10, bodies: .generated)
        let statistics = try corpus.write(to: directory.path + "/a")
        _ = try corpus.write(to: directory.path + "/b")
        let content = MailboxContent(readingMaildir: directory.path + "/a")
        #expect(content == MailboxContent(readingMaildir: directory.path + "/b"))
        #expect(content.messages.count == statistics.messages)
        #expect(Set(content.messages.map(\.digest)).count == statistics.messages)
        #expect(content.folders.count == 4)
    }

    @Test func onePercentOfChangesIsWhatItSays() throws {
        let directory = TemporaryDirectory()
        let root = directory.path + "/mail"
        let corpus = MailCorpus(.real, seed: 4, scale: 30, bodies: .generated)
        _ = try corpus.write(to: root)
        let before = MailboxContent(readingMaildir: root)
        let unit = before.messages.count * 10 / 5_000
        let mutation = try CorpusMutation(root: root, seed: 4, round: 0, bodies: .generated)
        let after = MailboxContent(readingMaildir: root)
        #expect(mutation.flagged == 2 * unit && mutation.moved == unit)
        #expect(mutation.deleted == unit && mutation.delivered == unit)
        let kept = Set(before.messages.map(\.digest)).intersection(after.messages.map(\.digest))
        #expect(kept.count == before.messages.count - unit)
        #expect(after.messages.count == before.messages.count)
        #expect(after.messages.filter { $0.folder == FolderPath("Archive") }.count == unit)
        let changed = Set(before.messages).symmetricDifference(after.messages)
        #expect(changed.count == 2 * (2 * unit + unit) + 2 * unit)
    }
}

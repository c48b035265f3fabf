internal import ArgumentParser
internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

struct RebuildCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rebuild", abstract: "Makes the projections anew from the journal alone.",
        discussion: """
            The old ones are set aside under quarantine/. With --verify they are made beside the present ones, compared \
            and thrown away: it ends with 5 when they differ.

            Examples:
              yestermail rebuild
              yestermail rebuild --verify
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Flag(help: "Only compare; change nothing.") var verify = false

    func run(_ context: CommandContext) throws {
        let vault = try context.vault(.writing)
        let total = try vault.journal.head().transaction.rawValue
        let began = ProgressLine.now()
        let line = ProgressLine("rebuild", unit: "transactions", options: context.options)
        let progress: (TransactionID) -> Void = { line.update(Int(clamping: $0.rawValue), of: Int(clamping: total)) }
        if verify {
            let digests = try ProjectionsComparison.run(vault, progress)
            line.finish()
            let isEqual = digests.present == digests.rebuilt
            if context.isJSON {
                try context.output.json { json in
                    json.beginObject()
                    json.key("equal")
                    json.value(isEqual)
                    json.key("present")
                    json.value(digests.present)
                    json.key("rebuilt")
                    json.value(digests.rebuilt)
                    members(&json, total, began)
                    json.endObject()
                }
            } else {
                try context.output.line(
                    isEqual
                        ? "The projections are what the journal gives."
                        : "The projections differ from what the journal gives.")
                try context.output.line("present \(digests.present)")
                try context.output.line("rebuilt \(digests.rebuilt)")
                if !isEqual { context.remark("Make them anew with: yestermail rebuild") }
            }
            if !isEqual { throw ExitStatus(.differences) }
            return
        }
        let digest = try vault.rebuildProjections(progress).contentDigest()
        line.finish()
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("digest")
                json.value(digest)
                members(&json, total, began)
                json.endObject()
            }
        } else {
            try context.output.line(
                "Made the projections anew from \(Quantity.count(total, "transaction")) "
                    + "in \(Quantity.duration(microseconds: ProgressLine.now() - began)).")
        }
    }

    private func members(_ json: inout JSONWriter, _ total: UInt64, _ began: Int64) {
        json.key("transactions")
        json.value(total)
        json.key("seconds")
        json.seconds(ProgressLine.now() - began)
    }
}

/// Compares the projections with fresh ones, while others may be writing.
enum ProjectionsComparison {
    static func run(
        _ vault: OpenVault, _ progress: (TransactionID) -> Void
    ) throws -> (present: Digest, rebuilt: Digest) {
        var digests = try vault.verifyProjections(progress)
        // What a watch recorded between the two digests is no difference: look again while the journal moves.
        for _ in 0..<5 where digests.present != digests.rebuilt {
            let before = try vault.journal.head().transaction
            digests = try vault.verifyProjections(progress)
            if try vault.journal.head().transaction == before { break }
        }
        return digests
    }
}

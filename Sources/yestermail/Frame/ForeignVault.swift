internal import Events
internal import Files
internal import Journal
internal import Presentation
internal import SystemPackage
internal import Vault

/// A vault that is not ours: it is read, and nothing of it is written.
enum ForeignVault {
    /// The other vault, opened so that nothing of it is written; what must be written stands in ours, under `state/`.
    static func open(_ source: String, beside ours: OpenVault) throws -> OpenVault {
        let path = FilePath(VaultPlace.absolute(source))
        guard Directory.exists(path.appending("FORMAT")) else {
            throw Failure(
                .noVault, "there is no vault in \(TerminalText.safe(path.string))",
                hint: "Name the directory that has a file FORMAT in it")
        }
        let id = try OpenVault.id(of: path)
        guard id != ours.id else {
            throw Failure(
                .refused, "\(TerminalText.safe(path.string)) is this vault, or a copy of it: its ids are the same",
                hint: "Use restore account with --vault \(TerminalText.safe(path.string))")
        }
        let workplace = ours.directory.appending("state/foreign-\(id)")
        if !Directory.exists(workplace) { try Directory.create(workplace) }
        do {
            let vault = try OpenVault(path, workplace: workplace)
            _ = try vault.journal.head()
            return vault
        } catch  where CommandContext.isDamage(error) {
            throw Failure(
                .damaged, "the vault in \(TerminalText.safe(path.string)) cannot be read as it is: \(error)",
                hint: "Salvage it first: yestermail restore raw \(TerminalText.safe(path.string)) --to DIR")
        }
    }
}

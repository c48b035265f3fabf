internal import ArgumentParser

/// The root of the command line: what the program is, and its verbs in the order in which one meets them.
struct Yestermail: ParsableCommand {
    static let versionNumber = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "yestermail",
        abstract: "Keeps every state a mailbox ever had, and brings any of them back.",
        usage: "yestermail [<options>] <verb> [ACCOUNT[:FOLDER]] [ITEM ...] [--at TIME | --from TIME --to TIME]",
        discussion: """
            A vault holds the mailboxes of one or many accounts as they were at every moment since they were first \
            scanned. Nothing in a mailbox is ever changed by looking at it, scanning it or watching it.

            To begin:
              export YESTERMAIL_VAULT=~/vault
              yestermail init
              yestermail account add anna@example.org --source maildir:/var/mail/anna
              yestermail scan

            ACCOUNT is an address, its UUID, or the beginning of the address where that is enough.
            ITEM is an id as it is printed everywhere (m1042 a message, f7 a folder), or a <message-id>.
            TIME is written as one says it: now, yesterday 14:00, 2h ago, monday 09:30, 2026-03-03, \
            2026-03-03 14:00 Europe/Rome, @184467 (a transaction), before:m7 (just before m7 was deleted), first, last. \
            Try one with: yestermail time 'yesterday 14:00'

            Exit status: 0 done, 1 failed, 2 usage, 3 done in part, 4 nothing found, 5 differences or damage found, \
            6 refused, 7 busy or locked, 8 sign-in failed, 9 source unreachable, 10 no vault, 11 vault damaged, \
            12 no permission, 13 no space, 130 or 143 interrupted.
            """,
        version: "yestermail \(versionNumber)",
        groupedSubcommands: [
            CommandGroup(name: "Begin", subcommands: [InitCommand.self, AccountCommand.self]),
            CommandGroup(name: "Keep", subcommands: [ScanCommand.self, WatchCommand.self, ImportCommand.self]),
            CommandGroup(
                name: "Look",
                subcommands: [
                    ListCommand.self, ShowCommand.self, CatCommand.self, HistoryCommand.self, FindCommand.self,
                    DiffCommand.self, LogCommand.self,
                ]),
            CommandGroup(
                name: "Bring back",
                subcommands: [
                    RestoreCommand.self, UndoCommand.self, OperationCommand.self, SharesCommand.self,
                    ExportCommand.self,
                ]),
            CommandGroup(
                name: "Trust",
                subcommands: [
                    ReplayCommand.self, CheckCommand.self, RebuildCommand.self, StatsCommand.self, GapsCommand.self,
                    CheckpointCommand.self, VerifyLogCommand.self, ProveCommand.self, VerifyProofCommand.self,
                    DoctorCommand.self,
                ]),
            CommandGroup(
                name: "Forget", subcommands: [PurgeCommand.self, RetentionCommand.self, HoldCommand.self]),
            CommandGroup(
                name: "Help",
                subcommands: [
                    DemoCommand.self, TimeCommand.self, ConfigCommand.self, CompletionCommand.self, VersionCommand.self,
                ]),
        ])
}

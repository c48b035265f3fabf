internal import Events
internal import MIME
internal import Presentation
internal import Projections
internal import TimeLanguage

/// Messages as people look for them: id, date, size, flags, sender, subject; with the folder where it is not the same for
/// all of them.
struct MessageTable {
    let context: CommandContext
    let showsFolder: Bool

    func rows(_ states: [RecordedState], _ headers: [MIMEHeaders?], path: (UInt32) -> [UInt8]?) -> [[String]] {
        zip(states, headers).map { recorded, headers in
            guard let message = recorded.state.message else {
                return [recorded.item.description, "", "", "", "", recorded.item.kind.name]
            }
            var row = [
                recorded.item.description,
                context.text(message.internalDate, .noZone),
                message.digest == nil ? "unreadable" : Quantity.bytes(message.size),
                MessageTable.flags(message, isDeleted: recorded.state.isDeleted),
            ]
            if showsFolder { row.append(path(message.folder).map { TerminalText.safe($0, maxColumns: 28) } ?? "") }
            row.append(headers?.from.map { MessageTable.sender($0) } ?? "")
            row.append(headers?.subject ?? (headers == nil ? "" : "(no subject)"))
            return row
        }
    }

    func print(_ rows: [[String]]) throws {
        var columns: [TextTable.Column] = [.init("ITEM"), .init("DATE"), .init("SIZE", .right), .init("FLAGS")]
        if showsFolder { columns.append(.init("FOLDER", maxColumns: 28)) }
        columns += [.init("FROM", maxColumns: 24), .init("SUBJECT", maxColumns: context.output.isTerminal ? 60 : 200)]
        var table = TextTable(columns)
        for row in rows { table.addRow(row) }
        for line in table.lines() { try context.output.line(line) }
    }

    /// A letter for each flag: Seen, Answered, Flagged, Draft, marked deleted (T), passed on (P); X for what is gone.
    static func flags(_ message: MessageState, isDeleted: Bool) -> String {
        let letters: [(MessageFlags, Character)] = [
            (.seen, "S"), (.answered, "A"), (.flagged, "F"), (.draft, "D"), (.deleted, "T"), (.passed, "P"),
        ]
        return (isDeleted ? "X" : "") + String(letters.filter { message.flags.contains($0.0) }.map(\.1))
    }

    /// The name before the address, if there is one.
    static func sender(_ from: String) -> String {
        guard let open = from.firstIndex(of: "<") else { return from }
        let name = from[..<open].drop { $0 == " " || $0 == "\"" }
        let end = name.lastIndex { $0 != " " && $0 != "\"" }
        guard let end else { return from }
        return String(name[...end])
    }
}

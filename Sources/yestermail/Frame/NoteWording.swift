internal import Events
internal import Presentation

/// A note in words.
enum NoteWording {
    static func text(_ note: Note, _ context: CommandContext) -> String {
        var text = "\(note.kind.name)".replacingUnderscores
        if let from = note.time("from") ?? note.time("began"), let to = note.time("to") ?? note.time("ended") {
            if note.kind == .gap {
                text += " from \(context.text(from)) to \(context.text(to))"
            }
            text += " (\(Quantity.duration(microseconds: max(0, to.rawValue - from.rawValue))))"
        }
        if note.flag("complete") == false { text += ", not complete" }
        for field in note.fields {
            switch field.value {
            case .number(let number) where number != 0: text += ", \(Quantity.count(number)) \(field.name)"
            case .text(let bytes): text += ", \(field.name) \(TerminalText.safe(bytes, maxColumns: 200))"
            default: break
            }
        }
        return text
    }
}

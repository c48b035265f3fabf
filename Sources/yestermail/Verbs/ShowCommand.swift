internal import ArgumentParser
internal import Events
internal import MIME
internal import Presentation
internal import Projections
internal import Vault

struct ShowCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows an item as of any time: its state, and a readable preview.",
        discussion: """
            Examples:
              yestermail show anna m1042
              yestermail show anna m1042 --at 'yesterday 14:00'
              yestermail show anna '<4711@mail.example.org>'
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The account.") var account: String
    @Argument(help: ArgumentHelp("The item: m1042, or <message-id>.", valueName: "item")) var item: String

    @Option(help: ArgumentHelp("As of when. Default: last.", valueName: "time")) var at: String?

    @Option(help: ArgumentHelp("How many lines of text to show.", valueName: "n")) var lines = 200

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let projections = try context.projections(vault)
        let account = try vault.account(account)
        let landmarks = ProjectedLandmarks(vault: vault, projections: projections, account: account)
        let view = try AccountView(vault, projections, account, try context.point(at, landmarks, vault))
        let reading = MessageReading(vault)
        for (index, item) in try view.items(item).enumerated() {
            let recorded = try view.state(item, context)
            if context.isJSON {
                try json(recorded, view, reading, context)
            } else {
                if index > 0 { try context.output.line("") }
                try print(recorded, view, reading, context)
            }
        }
    }

    private func print(
        _ recorded: RecordedState, _ view: AccountView, _ reading: MessageReading, _ context: CommandContext
    ) throws {
        func row(_ name: String, _ text: String?) throws {
            guard let text else { return }
            let label = name + String(repeating: " ", count: max(1, 10 - name.utf8.count))
            try context.output.line(context.style.faint(label) + TerminalText.safe(text))
        }
        try context.output.line(context.style.strong(try ItemTitle(view, reading).text(recorded)))
        if recorded.state.isDeleted {
            try context.output.line(
                context.style.bad("deleted at \(context.text(recorded.time)); this is what it was before"))
        }
        switch recorded.state.content {
        case .message(let message): try print(message, recorded, view, reading, context, row)
        case .folder(let folder):
            try row("path", TerminalText.safe(folder.joinedPath))
            try row("subscr.", folder.isSubscribed ? "yes" : "no")
            try row("source", TerminalText.safe(folder.sourceName))
        case .account, .other: break
        }
        if let thinned = try view.thinned(recorded) { try row("thinned", context.wording(of: thinned)) }
        try row("state", "\(recorded.transaction), since \(context.text(recorded.time)) (\(recorded.origin.name))")
        guard let message = recorded.state.message, let digest = message.digest else { return }
        let preview = try reading.preview(digest, size: message.size)
        for file in preview.attachments where !file.isInline {
            try row(
                "attached", "\(file.fileName ?? "(no name)")  \(file.contentType), \(Quantity.bytes(file.byteCount))")
        }
        try context.output.line("")
        let shown = TerminalText.lines(preview.text, maxLines: lines)
        for line in shown { try context.output.line(line) }
        if shown.count >= lines || preview.isTruncated {
            try context.output.line("… (all of it: yestermail cat \(view.account.state.address) \(recorded.item))")
        }
    }

    private func print(
        _ message: MessageState, _ recorded: RecordedState, _ view: AccountView, _ reading: MessageReading,
        _ context: CommandContext, _ row: (String, String?) throws -> Void
    ) throws {
        if let digest = message.digest {
            let headers = try reading.headers(digest, size: message.size)
            try row("From", headers.from)
            try row("To", headers.to)
            try row("Cc", headers.cc)
            try row("Date", headers.text("Date"))
            try row("Subject", headers.subject)
        }
        try row("folder", view.path(message.folder).map { TerminalText.safe($0) })
        var flags = MessageFlags.names.filter { message.flags.contains($0.flag) }.map { "\($0.name)" }
        if message.flags.contains(.passed) { flags.append("$Forwarded") }
        flags += message.keywords.map { TerminalText.safe($0) }
        try row("flags", flags.isEmpty ? nil : flags.joined(separator: " "))
        try row("received", context.text(message.internalDate))
        try row("saved", message.marks.saveDate.map { context.text($0) })
        func mark(_ bytes: [UInt8]) -> String? { bytes.isEmpty ? nil : TerminalText.safe(bytes) }
        try row("email id", mark(message.marks.emailID))
        try row("thread", mark(message.marks.threadID))
        switch message.content {
        case .blob(let digest, let size): try row("content", "\(Quantity.bytes(size)), \(digest)")
        case .unreadable(let code): try row("content", "could not be read when it was captured (error \(code))")
        }
    }

    private func json(
        _ recorded: RecordedState, _ view: AccountView, _ reading: MessageReading, _ context: CommandContext
    ) throws {
        var headers: MIMEHeaders?
        var preview: MIMEPreview?
        if let message = recorded.state.message, let digest = message.digest {
            headers = try reading.headers(digest, size: message.size)
            preview = try reading.preview(digest, size: message.size)
        }
        try context.output.json { json in
            json.beginObject()
            json.accountNames(view.account)
            json.resolved(view.point)
            json.key("state")
            json.appendJSON(try view.json(recorded.item, recorded.transaction))
            if let thinned = try view.thinned(recorded) {
                json.key("thinned")
                json.thinned(thinned)
            }
            json.key("headers")
            if let headers { json.headers(headers) } else { json.null() }
            json.key("preview")
            if let preview { json.preview(preview) } else { json.null() }
            json.endObject()
        }
    }
}

extension JSONWriter {
    /// What a person sees of a header.
    mutating func headers(_ headers: MIMEHeaders) {
        beginObject()
        headerMembers(headers)
        key("to")
        optional(headers.to)
        key("cc")
        optional(headers.cc)
        endObject()
    }

    mutating func headerMembers(_ headers: MIMEHeaders) {
        key("subject")
        optional(headers.subject)
        key("from")
        optional(headers.from)
        key("date")
        optional(headers.date)
        key("message_id")
        if let id = headers.messageID { name(id, "message_id_b64") } else { null() }
    }

    mutating func preview(_ preview: MIMEPreview) {
        beginObject()
        key("text")
        value(preview.text)
        key("from_html")
        value(preview.isFromHTML)
        key("truncated")
        value(preview.isTruncated)
        key("attachments")
        beginArray()
        for file in preview.attachments {
            beginObject()
            key("file_name")
            optional(file.fileName)
            key("content_type")
            value(file.contentType)
            key("size")
            value(file.byteCount)
            key("inline")
            value(file.isInline)
            endObject()
        }
        endArray()
        endObject()
    }
}

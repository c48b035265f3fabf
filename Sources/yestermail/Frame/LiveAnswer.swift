internal import Capture
internal import Events
internal import Presentation
internal import Projections
internal import Vault

/// What `diff --live` says of what it found.
struct LiveAnswer {
    private let found: LiveComparison
    private let view: AccountView
    private let context: CommandContext

    init(_ found: LiveComparison, _ view: AccountView, _ context: CommandContext) {
        (self.found, self.view, self.context) = (found, view, context)
    }

    func write() throws {
        if context.isJSON { try json() } else { try print() }
        // What could not be looked at may be different, too.
        if !found.isComplete { throw ExitStatus(.partial) }
        if !found.differences.isEmpty { throw ExitStatus(.differences) }
    }

    private func kind(_ difference: LiveComparison.Difference) -> ItemKind {
        if let item = difference.item { return item.kind }
        if case .folder = difference.now { return .folder }
        return .message
    }

    private func words(_ difference: LiveComparison.Difference) -> [String] {
        ChangeKinds.names.filter { difference.kinds.contains($0.kind) }.map { "\($0.name)" }
    }

    private var sums: [ItemKind: AccountComparison.Sum] {
        var sums: [ItemKind: AccountComparison.Sum] = [:]
        for difference in found.differences {
            for word in words(difference) { sums[kind(difference), default: AccountComparison.Sum()].add(word) }
        }
        return sums
    }

    // MARK: Text

    private func print() throws {
        for what in found.unlistable { try context.output.line("not listed: \(TerminalText.safe(what))") }
        for what in found.unreadable { try context.output.line("not read: \(TerminalText.safe(what))") }
        guard !found.differences.isEmpty else {
            let size = "\(Quantity.count(found.messages, "message")) in \(Quantity.count(found.folders, "folder"))"
            return context.remark(
                found.isComplete ? "No differences: \(size)." : "No differences in what could be seen.")
        }
        let sums = sums
        for (name, kind) in [("mail", ItemKind.message), ("folders", .folder)] {
            guard let sum = sums[kind] else { continue }
            let label = name + String(repeating: " ", count: 9 - name.utf8.count)
            try context.output.line(label + sum.words(of: kind).joined(separator: "  "))
        }
        for difference in found.differences {
            let sign = difference.item == nil ? "+" : difference.now == nil ? "-" : "~"
            var line = "\(sign) \(difference.item?.description ?? kind(difference).name)  \(try place(difference))"
            line += "  " + words(difference).joined(separator: ", ")
            try context.output.line(line)
        }
    }

    /// Where it was, and where it is.
    private func place(_ difference: LiveComparison.Difference) throws -> String {
        var before: [UInt8]?
        if let item = difference.item {
            let state = try view.state(item, context).state
            before = state.folder?.joinedPath ?? state.message.flatMap { view.path($0.folder) }
        }
        let now: [UInt8]? =
            switch difference.now {
            case .folder(let state): state.joinedPath
            case .message(let folder, _, _, _): folder
            case nil: nil
            }
        let shown = [before, now].compactMap { $0 }.map { TerminalText.safe($0, maxColumns: 40) }
        return before == now ? shown.first ?? "" : shown.joined(separator: " > ")
    }

    // MARK: JSON

    private func json() throws {
        let differences = found.differences
        try context.output.json { json in
            json.beginObject()
            json.accountNames(view.account)
            json.resolved(view.point, key: "from")
            json.key("live")
            json.value(true)
            json.key("folders")
            json.value(found.folders)
            json.key("messages")
            json.value(found.messages)
            json.summary(sums)
            json.key("changes")
            json.beginArray()
            for difference in differences { try change(difference, &json) }
            json.endArray()
            for (name, list) in [("unlistable", found.unlistable), ("unreadable", found.unreadable)] {
                json.key(text: name)
                json.beginArray()
                for what in list { json.value(what) }
                json.endArray()
            }
            json.endObject()
        }
    }

    private func change(_ difference: LiveComparison.Difference, _ json: inout JSONWriter) throws {
        json.beginObject()
        json.key("item")
        json.optional(difference.item)
        json.key("type")
        json.value(kind(difference).name)
        json.key("change")
        json.changeKinds(difference.kinds)
        json.key("before")
        if let item = difference.item {
            json.appendJSON(try view.json(item, try view.state(item, context).transaction))
        } else {
            json.null()
        }
        json.key("after")
        switch difference.now {
        case nil: json.null()
        case .folder(let state):
            json.beginObject()
            json.folderMembers(state)
            json.endObject()
        case .message(let folder, let name, let flags, let keywords):
            json.beginObject()
            json.key("folder_path")
            json.name(folder, "folder_path_b64")
            json.flagMembers(flags, keywords)
            json.key("source_name")
            json.name(name, "source_name_b64")
            json.endObject()
        }
        json.endObject()
    }
}

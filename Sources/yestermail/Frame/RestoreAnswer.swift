internal import Connectors
internal import Events
internal import Presentation
internal import Restore

/// Plans and reports of restores, for people and for programs.
struct RestoreAnswer {
    private let context: CommandContext
    private let point: ResolvedTime

    init(_ context: CommandContext, _ point: ResolvedTime) { (self.context, self.point) = (context, point) }

    func plan(_ plan: RestorePlan, savedAs file: String? = nil) throws {
        if context.isJSON { return try planJSON(plan, savedAs: file) }
        let output = context.output
        try output.line(
            "Plan: \(wording(of: plan.request.selection)), to \(TerminalText.safe("\(plan.request.target)"))"
        )
        var table = TextTable([.init("", .left), .init("", .right), .init("", .left)])
        func row(_ what: String, _ count: Int, _ more: String = "") {
            if count > 0 { table.addRow([what, Quantity.count(count), more]) }
        }
        row("create folders", plan.newFolders, names(plan.folders.filter { !$0.exists }))
        row("deliver messages", plan.count(.deliver), Quantity.bytes(plan.bytes))
        row("set flags", plan.count(.setFlags))
        row(
            "remove messages", plan.count(.remove),
            plan.request.verifiesBytes ? "damaged; they are kept in the vault" : "all of them are in the vault")
        let leaving = plan.steps.filter { $0.action == .removeFolder }.map { plan.folders[$0.folder] }
        row("remove folders", leaving.count, names(leaving))
        row("subscribe", plan.subscriptions?.count ?? 0)
        row("give rights, annotations", plan.attributes.count { $0.value != nil })
        row("take rights away", plan.attributes.count { $0.value == nil })
        row("already there", plan.skipped)
        row("cannot be restored", plan.unrestored.count)
        for line in table.lines() where !line.allSatisfy({ $0 == " " }) { try output.line("  " + line) }
        for step in plan.steps.prefix(context.options.verbose ? .max : 0) {
            try output.line(
                "  \(verb(step.action)) \(step.item?.description ?? "-") in \(TerminalText.safe(plan.folders[step.folder].state.joinedPath)): \(TerminalText.safe(step.name))"
            )
        }
        try details(plan.conflicts, plan.unrestored)
        let nothing = plan.isEmpty
        if let file {
            try output.line("Saved. Do it with: yestermail restore --plan \(TerminalText.safe(file))")
        } else {
            let how = plan.request.verifiesBytes ? "with --apply" : "without --dry-run"
            try output.line(nothing ? "Nothing to do." : "Nothing was written. Run it \(how) to do it.")
        }
        if !plan.unrestored.isEmpty { throw ExitStatus(.partial) }
    }

    /// What is brought back, as of when.
    private func wording(of selection: RestoreRequest.Selection) -> String {
        let asOf = "as of \(context.text(point.time)) (\(point.transaction))"
        switch selection {
        case .account(nil), .items: return asOf
        case .account(let since?):
            let all = since == .beginning ? "" : " since \(since)"
            return "\(asOf), with what was deleted\(all)"
        case .deleted(let range, _):
            return "what was deleted from \(range.lowerBound) to \(range.upperBound), as it was before"
        case .changes(let range, _):
            return "what happened from \(range.lowerBound) to \(range.upperBound), taken back"
        }
    }

    private func verb(_ action: RestoreStep.Action) -> String {
        switch action {
        case .deliver: "deliver"
        case .setFlags: "flags  "
        case .remove: "remove "
        case .removeFolder: "remove the folder"
        }
    }

    private func names(_ folders: [PlannedFolder]) -> String {
        let shown = folders.prefix(6).map { TerminalText.safe($0.state.joinedPath) }.joined(separator: ", ")
        return folders.count > 6 ? shown + ", …" : shown
    }

    private func details(_ conflicts: [(item: ItemID, why: String)], _ unrestored: [Unrestored]) throws {
        let limit = context.options.verbose ? Int.max : 10
        for conflict in conflicts.prefix(limit) {
            try context.output.line("  \(conflict.item) \(TerminalText.safe(conflict.why))")
        }
        if conflicts.count > limit {
            try context.output.line("  … and \(Quantity.count(conflicts.count - limit)) more (--verbose names them)")
        }
        for lost in unrestored {
            try context.output.line(
                "  not restored: \(lost.item?.description ?? "-") \(lost.cause.rawValue): \(TerminalText.safe(lost.detail))"
            )
        }
    }

    private func planJSON(_ plan: RestorePlan, savedAs file: String?) throws {
        try context.output.json { json in
            json.beginObject()
            json.key("dry_run")
            json.value(true)
            json.resolved(point)
            json.key("target")
            json.value(plan.request.target.description)
            for (name, count) in [
                ("folders_created", plan.newFolders), ("deliver", plan.count(.deliver)),
                ("flags", plan.count(.setFlags)),
                ("remove", plan.count(.remove)), ("folders_removed", plan.count(.removeFolder)),
                ("attributes", plan.attributes.count), ("skipped", plan.skipped),
            ] {
                json.key(text: name)
                json.value(count)
            }
            json.key("bytes")
            json.value(plan.bytes)
            json.texts("warnings", plan.warnings)
            json.unrestored(plan.unrestored)
            json.passedOver(plan.conflicts.map { ($0.item, $0.why) })
            json.key("saved_as")
            json.optional(file)
            json.endObject()
        }
        if !plan.unrestored.isEmpty { throw ExitStatus(.partial) }
    }

    func report(_ plan: RestorePlan, _ done: (report: RestoreReport, took: Int64)) throws {
        let report = done.report
        if context.isJSON {
            try context.output.json { json in
                json.beginObject()
                json.key("operation")
                json.value(report.operation.description)
                json.resolved(point)
                for (name, count) in [
                    ("restored", report.restored), ("merged", report.merged), ("skipped", report.skipped),
                ] {
                    json.key(text: name)
                    json.value(count)
                }
                json.unrestored(report.unrestored)
                json.key("removed")
                json.value(report.removed)
                json.key("folders_created")
                json.value(report.foldersCreated)
                json.key("folders_removed")
                json.value(report.foldersRemoved)
                json.key("attributes")
                json.value(report.attributes)
                json.key("bytes")
                json.value(report.bytes)
                json.key("seconds")
                json.seconds(done.took)
                json.key("target")
                json.value(plan.request.target.description)
                json.key("altered")
                json.value(report.altered)
                json.texts("losses", report.losses)
                json.texts("warnings", plan.warnings)
                json.passedOver(plan.conflicts.map { ($0.item, $0.why) })
                json.endObject()
            }
        } else {
            let output = context.output
            var parts = [
                "\(Quantity.count(report.restored)) restored", "\(Quantity.count(report.merged)) merged",
                "\(Quantity.count(report.skipped)) skipped", "\(Quantity.count(report.unrestored.count)) unrestored",
            ]
            if report.removed > 0 { parts.append("\(Quantity.count(report.removed)) removed") }
            if report.attributes > 0 { parts.append("\(Quantity.count(report.attributes, "right")) given") }
            if report.foldersRemoved > 0 { parts.append("\(Quantity.count(report.foldersRemoved, "folder")) removed") }
            try output.line(
                "\(parts.joined(separator: ", ")) (\(Quantity.bytes(report.bytes)), \(Quantity.duration(microseconds: done.took)))"
            )
            try details(plan.conflicts, report.unrestored)
            if report.altered > 0 {
                try output.line(
                    "  \(Quantity.count(report.altered, "message")) had lines that ended in LF alone; on a mail server they end in CR LF"
                )
            }
            for loss in report.losses { try output.line("  not kept: \(TerminalText.safe(loss))") }
            try output.line("Operation \(report.operation). Take it back: yestermail undo \(report.operation)")
        }
        if !report.unrestored.isEmpty { throw ExitStatus(.partial) }
    }
}

extension JSONWriter {
    mutating func unrestored(_ list: [Unrestored], key name: StaticString = "unrestored", account: String? = nil) {
        key(name)
        beginArray()
        for lost in list { unrestored(lost, account: account) }
        endArray()
    }

    mutating func unrestored(_ lost: Unrestored, account: String?) {
        beginObject()
        if let account {
            key("account")
            value(account)
        }
        key("item")
        if let item = lost.item { value(item) } else { null() }
        key("cause")
        value(lost.cause.rawValue)
        key("detail")
        value(lost.detail)
        endObject()
    }

    /// Items that are there in another way, and were left alone.
    mutating func passedOver(_ list: [(item: ItemID, why: String)]) {
        key("passed_over")
        beginArray()
        for passed in list {
            beginObject()
            key("item")
            value(passed.item)
            key("detail")
            value(passed.why)
            endObject()
        }
        endArray()
    }
}

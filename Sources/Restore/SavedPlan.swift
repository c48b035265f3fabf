internal import Connectors
internal import Events
internal import Journal
public import Vault

/// A plan in a file, to be looked at and run later (`Specs/Format/PlanFile.md`).
///
/// A file never says what is done, only what may be: it is planned again when it runs, and of what is then to be done,
/// that is done which the file lists. So a forged file can do nothing that the vault would not plan itself.
public struct SavedPlan: Sendable {
    public let kind: String
    public let request: RestoreRequest
    /// Under which address a removed account comes back; nil: under its own.
    public let newAddress: String?
    /// How often each step may be done, by the hash of what it says.
    private let allowed: [Digest: UInt32]
    /// Steps in the file.
    public let steps: Int
    public let folders: Int
    public let unwatched: [Unwatched]

    static let version: UInt64 = 1
    /// Lines and files that are longer are something else.
    public static let largestFile = 1 << 30

    // MARK: Writing

    /// The file of a plan.
    public static func encoded(_ plan: RestorePlan, kind: String, in vault: OpenVault) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try encode(plan, kind: kind, in: vault) { piece in piece.withUnsafeBytes { bytes.append(contentsOf: $0) } }
        return bytes
    }

    /// Hands out the file of a plan, piece by piece.
    public static func encode(
        _ plan: RestorePlan, kind: String, in vault: OpenVault, newAddress: String? = nil,
        _ emit: (RawSpan) throws -> Void
    ) throws {
        var json = JSONWriter(capacity: 1 << 16)
        var hash = DigestBuilder()
        func flush(_ json: inout JSONWriter, from count: Int = 0) throws {
            guard json.bytes.count > count else { return }
            hash.update(json.bytes.span.bytes)
            try emit(json.bytes.span.bytes)
            json.forgetWritten()
        }
        try header(plan, kind, vault, newAddress, &json)
        switch plan.request.selection {
        case .items(let items): for item in items { json.wanted(item, nil) }
        case .changes(_, let items): for wanted in items { json.wanted(wanted.item, wanted.kinds) }
        case .account, .deleted: break
        }
        for step in plan.steps {
            json.step(step, name(of: step, plan), path: plan.folders[step.folder].state.joinedPath)
            try flush(&json, from: 1 << 16)
        }
        for attribute in plan.attributes {
            json.attribute(attribute, path: plan.folders[attribute.folder].state.joinedPath)
        }
        try flush(&json)
        json.endOfPlanFile(hash.finish())
        try emit(json.bytes.span.bytes)
    }

    private static func header(
        _ plan: RestorePlan, _ kind: String, _ vault: OpenVault, _ newAddress: String?, _ json: inout JSONWriter
    ) throws {
        let request = plan.request
        json.beginObject()
        json.key("yestermail_plan")
        json.value(version)
        json.key("vault_id")
        json.value(vault.id.description)
        json.key("kind")
        json.value(kind)
        json.key("account_id")
        json.value(request.account.state.id.description)
        json.key("account")
        json.value(request.account.state.address)
        json.key("point")
        json.value(request.point.rawValue)
        json.key("leaf_hash")
        json.value(try leaf(of: request.point, vault), prefix: "")
        json.key("target")
        json.value(request.target.description)
        json.key("select")
        switch request.selection {
        case .account(nil): json.value("account")
        case .account(let since?): json.list("account", [since.rawValue])
        case .items: json.value("items")
        case .deleted(let range, _): json.list("deleted", [range.lowerBound.rawValue, range.upperBound.rawValue])
        case .changes(let range, _): json.list("changes", [range.lowerBound.rawValue, range.upperBound.rawValue])
        }
        json.key("keyword_b64")
        if case .deleted(_, let keyword) = request.selection { json.value(base64: keyword) } else { json.null() }
        json.key("into_b64")
        if let into = request.into {
            json.beginArray()
            for component in into { json.value(base64: component) }
            json.endArray()
        } else {
            json.null()
        }
        json.key("only")
        json.value(request.only.rawValue)
        json.key("on_conflict")
        json.value(request.onConflict.rawValue)
        json.key("exact")
        json.value(request.isExact)
        json.key("verify")
        json.value(request.verifiesBytes)
        json.key("new_address")
        if let newAddress { json.value(newAddress) } else { json.null() }
        if !plan.unwatched.isEmpty {
            json.key("gaps")
            json.beginArray()
            for gap in plan.unwatched {
                json.beginArray()
                for end in [gap.from, gap.to] {
                    if let end { json.value(UInt64(clamping: end.rawValue)) } else { json.null() }
                }
                json.endArray()
            }
            json.endArray()
        }
        json.key("new_folders")
        json.value(plan.newFolders)
        json.key("steps")
        json.value(plan.steps.count + plan.attributes.count)
        json.endObject()
        json.endLine()
    }

    private static func leaf(of point: TransactionID, _ vault: OpenVault) throws -> Digest {
        guard let leaf = try vault.journal.withRecord(point, { $0.isLost ? nil : $0.leafHash }), let leaf else {
            throw Failure(
                .outOfRange, "the transaction \(point) is not in this vault any more",
                hint: "Plan it again, as of a time that can be reached")
        }
        return leaf
    }

    /// What a message is called, where that is the same whenever it is planned.
    private static func name(of step: RestoreStep, _ plan: RestorePlan) -> [UInt8] {
        plan.takesNames || step.item == nil ? step.name : []
    }

    private static func line(_ step: RestoreStep, _ plan: RestorePlan) -> Digest {
        line(
            step.action.word, step.item?.description ?? "-", path: plan.folders[step.folder].state.joinedPath,
            name: name(of: step, plan), step.digest, step.flags.rawValue, step.keywords)
    }

    private static func line(_ attribute: PlannedAttribute, _ plan: RestorePlan) -> Digest {
        line(
            "attribute", attribute.item?.description ?? "-",
            path: plan.folders[attribute.folder].state.joinedPath, name: attribute.name, .zero, 0,
            attribute.value.map { [$0] } ?? [])
    }

    /// One step, as far as it must be the same when it is planned again.
    private static func line(
        _ action: String, _ item: String, path: [UInt8], name: [UInt8], _ digest: Digest, _ flags: UInt8,
        _ keywords: [[UInt8]]
    ) -> Digest {
        var writer = ByteWriter(capacity: 256)
        for part in [Array(action.utf8), Array(item.utf8), path, name] + keywords {
            writer.varint(part.count)
            writer.raw(part)
        }
        writer.digest(digest)
        writer.integer(flags)
        return Digest(hashing: writer.span)
    }

    // MARK: Reading

    /// Reads a file. Throws ``Failure``: what is no plan of this vault, or not whole, is refused.
    public init(_ bytes: [UInt8], for vault: OpenVault) throws {
        let file = try PlanFileLines(bytes)
        let lines = file.lines
        let header = try PlanFileFields(file.first, "1")
        guard try header.number("yestermail_plan") == SavedPlan.version else {
            throw Failure(
                .refused,
                "the plan is of version \(try header.number("yestermail_plan")), and this program knows version \(SavedPlan.version)",
                hint: "Use the program that wrote it")
        }
        try file.verify()
        guard try header.text("vault_id") == vault.id.description else {
            throw Failure(
                .refused, "the plan is of another vault (\(try header.text("vault_id")))",
                hint: "Name that one with --vault")
        }
        var rest = lines.dropFirst()
        request = try SavedPlan.request(header, &rest, vault)
        kind = try header.text("kind")
        newAddress = try header.textOrNull("new_address")
        unwatched = try header.gaps()
        var allowed: [Digest: UInt32] = [:]
        for (index, line) in rest.enumerated() {
            allowed[try SavedPlan.line(PlanFileFields(line, "\(lines.count - rest.count + index + 1)")), default: 0] +=
                1
        }
        guard try header.number("steps") == UInt64(rest.count) else { throw SavedPlan.refusal("it is not whole") }
        self.allowed = allowed
        steps = rest.count
        folders = Int(clamping: try header.number("new_folders"))
    }

    /// The first line of a file of several plans, and these, each with all of its lines.
    static func parts(_ bytes: [UInt8]) throws -> (header: PlanFileFields, parts: [[UInt8]]) {
        let file = try PlanFileLines(bytes)
        try file.verify()
        var found: [[UInt8]] = []
        var begin = file.first.endIndex + 1
        for line in file.lines.dropFirst() where line.starts(with: Array(#"{"end":"#.utf8)) {
            found.append(Array(bytes[begin...line.endIndex]))
            begin = line.endIndex + 1
        }
        guard begin == file.last.startIndex else { throw refusal("one of its plans is not whole") }
        return (try PlanFileFields(file.first, "1"), found)
    }

    static func refusal(_ why: String) -> Failure {
        Failure(.refused, "this is no plan that can be run: \(why)", hint: "Save it again with --save-plan")
    }

    private static func request(
        _ header: PlanFileFields, _ rest: inout ArraySlice<ArraySlice<UInt8>>, _ vault: OpenVault
    ) throws -> RestoreRequest {
        let point = TransactionID(rawValue: try header.number("point"))
        guard point <= (try vault.journal.head().transaction),
            try leaf(of: point, vault).hex == header.text("leaf_hash")
        else {
            throw Failure(
                .outOfRange,
                "the plan is as of \(point), and that transaction is not in this vault, or another is there",
                hint: "The vault was set back since. Plan it again")
        }
        let id = try header.text("account_id")
        guard let account = try vault.accounts().first(where: { $0.state.id.description == id }) else {
            throw Failure(.notFound, "the account of the plan is not in this vault")
        }
        let selection: RestoreRequest.Selection
        let chosen = try header.selection()
        guard chosen.numbers.allSatisfy({ $0 <= point }) else { throw refusal("it selects what was not recorded then") }
        switch (chosen.word, chosen.numbers.count) {
        case ("account", 0): selection = .account(deletedSince: nil)
        case ("account", 1): selection = .account(deletedSince: chosen.numbers[0])
        case ("items", 0): selection = .items(try wanted(&rest).map(\.item))
        case ("deleted", 2) where .beginning < chosen.numbers[0] && chosen.numbers[0] <= chosen.numbers[1]:
            selection = .deleted(
                chosen.numbers[0]...chosen.numbers[1], keyword: try header.bytes(base64: "keyword_b64"))
        case ("changes", 2) where .beginning < chosen.numbers[0] && chosen.numbers[0] <= chosen.numbers[1]:
            selection = .changes(chosen.numbers[0]...chosen.numbers[1], try wanted(&rest))
        default: throw refusal("what it selects is not known")
        }
        var request = RestoreRequest(
            account: account, point: point, selection: selection, target: try Location(header.text("target")))
        guard let only = RestoreRequest.Scope(rawValue: try header.text("only")),
            let rule = RestoreRequest.ConflictRule(rawValue: try header.text("on_conflict"))
        else { throw refusal("its scope or rule is not known") }
        (request.only, request.onConflict, request.isExact) = (only, rule, try header.flag("exact"))
        request.verifiesBytes = try header.flag("verify")
        request.into = try header.path("into_b64")
        return request
    }

    private static func wanted(_ rest: inout ArraySlice<ArraySlice<UInt8>>) throws -> [RestoreRequest.WantedChange] {
        var found: [RestoreRequest.WantedChange] = []
        while let line = rest.first {
            let fields = try PlanFileFields(line, "")
            guard fields.has("want") else { break }
            let name = try fields.text("want")
            guard let item = ItemID(name), let kinds = UInt16(exactly: try fields.number("change")) else {
                throw refusal("there is no item \(name)")
            }
            found.append(.init(item: item, kinds: ChangeKinds(rawValue: kinds)))
            rest.removeFirst()
        }
        return found
    }

    private static func line(_ fields: PlanFileFields) throws -> Digest {
        if try fields.text("do") == "attribute" {
            return line(
                "attribute", try fields.textOrNull("item") ?? "-", path: try fields.exact("folder"),
                name: try fields.exact("name"), .zero, 0,
                try fields.textOrNull("value_b64") == nil ? [] : [fields.bytes(base64: "value_b64")])
        }
        let digest = try fields.text("digest")
        guard digest.hasPrefix("sha256:"), let digest = Digest(String(digest.dropFirst(7))),
            let flags = UInt8(exactly: try fields.number("flags"))
        else { throw refusal("a step is not known") }
        return line(
            try fields.text("do"), try fields.textOrNull("item") ?? "-", path: try fields.exact("folder"),
            name: try fields.exact("name"), digest, flags, try fields.list("keywords_b64"))
    }

    // MARK: Running

    /// What of `fresh`, planned now from ``request``, this plan allows. What is done already counts as skipped; what would
    /// be more than was planned then is left out, with a warning.
    public func narrowed(_ fresh: RestorePlan) -> RestorePlan {
        var plan = fresh
        plan.unwatched = unwatched
        var left = allowed
        func isAllowed(_ line: Digest) -> Bool {
            guard let count = left[line], count > 0 else { return false }
            left[line] = count - 1
            return true
        }
        plan.steps = fresh.steps.filter { isAllowed(SavedPlan.line($0, fresh)) }
        plan.attributes = fresh.attributes.filter { isAllowed(SavedPlan.line($0, fresh)) }
        let more = fresh.steps.count - plan.steps.count + fresh.attributes.count - plan.attributes.count
        plan.skipped = max(0, steps - plan.steps.count - plan.attributes.count)
        plan.bytes = plan.steps.reduce(0) { $1.action == .deliver ? $0 + $1.size : $0 }
        if folders == 0, fresh.newFolders > 0 {
            // A folder somebody removed since is made for what goes into it, and only then.
            let needed = Set(plan.steps.map(\.folder))
            for index in plan.folders.indices where !plan.folders[index].exists && !needed.contains(index) {
                plan.warnings.append(
                    "the folder \(String(decoding: plan.folders[index].state.joinedPath, as: UTF8.self)) is missing now"
                )
            }
        }
        if more > 0 {
            plan.warnings.append(
                "\(more) things would be done now that were not in the plan when it was saved; they are left out")
        }
        return plan
    }
}

extension RestoreStep.Action {
    var word: String {
        switch self {
        case .deliver: "deliver"
        case .setFlags: "flags"
        case .remove: "remove"
        case .removeFolder: "folder"
        }
    }
}

extension JSONWriter {
    fileprivate mutating func attribute(_ attribute: PlannedAttribute, path: [UInt8]) {
        beginObject()
        key("do")
        value("attribute")
        key("item")
        if let item = attribute.item { value(item) } else { null() }
        key("folder")
        name(path, "folder_b64")
        key("name")
        name(attribute.name, "name_b64")
        key("value_b64")
        if let bytes = attribute.value { value(base64: bytes) } else { null() }
        endObject()
        endLine()
    }

    fileprivate mutating func step(_ step: RestoreStep, _ name: [UInt8], path: [UInt8]) {
        beginObject()
        key("do")
        value(step.action.word)
        key("item")
        if let item = step.item { value(item) } else { null() }
        key("folder")
        self.name(path, "folder_b64")
        key("name")
        self.name(name, "name_b64")
        key("digest")
        value(step.digest)
        key("size")
        value(step.size)
        key("flags")
        value(step.flags.rawValue)
        key("keywords_b64")
        beginArray()
        for keyword in step.keywords { value(base64: keyword) }
        endArray()
        endObject()
        endLine()
    }

    fileprivate mutating func wanted(_ item: ItemID, _ kinds: ChangeKinds?) {
        beginObject()
        key("want")
        value(item)
        key("change")
        value(kinds?.rawValue ?? 0)
        endObject()
        endLine()
    }

    fileprivate mutating func list(_ word: String, _ numbers: [UInt64]) {
        beginArray()
        value(word)
        for number in numbers { value(number) }
        endArray()
    }
}

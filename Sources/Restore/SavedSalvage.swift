internal import Events
public import Vault

/// The plan of a raw restore in a file (`Specs/Format/PlanFile.md`, "Of a raw restore").
public struct SavedSalvage {
    public let source: String
    public let goal: String
    private let parts: [VaultSalvage.Part]

    private static let version: UInt64 = 1

    public static func isMeant(by bytes: [UInt8]) -> Bool { bytes.starts(with: Array(#"{"yestermail_salvage""#.utf8)) }

    /// The file of a plan to copy `parts`.
    public static func encoded(_ parts: [VaultSalvage.Part], from source: String, to goal: String) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("yestermail_salvage")
        json.value(version)
        json.key("source")
        json.value(source)
        json.key("to")
        json.value(goal)
        json.endObject()
        json.endLine()
        for part in parts {
            json.beginObject()
            json.key("copy")
            json.value(part.path)
            json.key("bytes")
            json.value(part.bytes)
            json.endObject()
            json.endLine()
        }
        json.endOfPlanFile(Digest(hashing: json.bytes.span.bytes))
        return json.bytes
    }

    /// Reads a file. Throws ``Failure`` for what is no plan, or not whole.
    public init(_ bytes: [UInt8]) throws {
        let file = try PlanFileLines(bytes)
        try file.verify()
        let header = try PlanFileFields(file.first, "1")
        guard try header.number("yestermail_salvage") == SavedSalvage.version else {
            throw SavedPlan.refusal("it is of another version")
        }
        (source, goal) = (try header.text("source"), try header.text("to"))
        parts = try file.lines.dropFirst().enumerated().map { index, line in
            let fields = try PlanFileFields(line, "\(index + 2)")
            return VaultSalvage.Part(path: try fields.text("copy"), bytes: try fields.number("bytes"))
        }
    }

    /// Throws ``Failure`` unless what would be copied now is what was looked at.
    public func check(_ now: [VaultSalvage.Part]) throws {
        guard now != parts else { return }
        let known = Set(parts)
        let other = now.first { !known.contains($0) } ?? parts.first { !now.contains($0) }
        throw Failure(
            .refused, "\(other?.path ?? source) is not as it was when the plan was made",
            hint: "Plan again, with --save-plan")
    }
}

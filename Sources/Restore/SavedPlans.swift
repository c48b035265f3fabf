internal import Connectors
internal import Events
public import Vault

/// The plans of an external restore in one file: those of its accounts, in their order (`Specs/Format/PlanFile.md`, "Several").
public struct SavedPlans {
    /// Where the other vault was.
    public let source: String
    /// Which one it is.
    public let sourceID: String
    private let parts: [[UInt8]]

    private static let version: UInt64 = 1

    /// Whether a file is one of several plans, by how it begins.
    public static func isMeant(by bytes: [UInt8]) -> Bool { bytes.starts(with: Array(#"{"yestermail_plans""#.utf8)) }

    /// Writes such a file, piece by piece.
    public struct Writer {
        private let foreign: OpenVault
        private var hash = DigestBuilder()

        /// Begins it. `source`: where the vault `foreign` is; `vault`: the one that is restored into.
        public init(
            _ source: String, _ foreign: OpenVault, in vault: OpenVault, _ emit: (RawSpan) throws -> Void
        ) throws {
            self.foreign = foreign
            var json = JSONWriter()
            json.beginObject()
            json.key("yestermail_plans")
            json.value(version)
            json.key("vault_id")
            json.value(vault.id.description)
            json.key("kind")
            json.value("external")
            json.key("source")
            json.value(source)
            json.key("source_vault_id")
            json.value(foreign.id.description)
            json.endObject()
            json.endLine()
            hash.update(json.bytes.span.bytes)
            try emit(json.bytes.span.bytes)
        }

        /// The plan of the next account.
        public mutating func add(_ plan: RestorePlan, _ emit: (RawSpan) throws -> Void) throws {
            var hash = hash
            try SavedPlan.encode(plan, kind: "external", in: foreign) { piece in
                hash.update(piece)
                try emit(piece)
            }
            self.hash = hash
        }

        public func end(_ emit: (RawSpan) throws -> Void) throws {
            var json = JSONWriter()
            json.endOfPlanFile(hash.finish())
            try emit(json.bytes.span.bytes)
        }
    }

    // MARK: Reading

    /// Reads a file for `vault`, the one that is restored into. Throws ``Failure``: what is not whole, or of another vault, is refused.
    public init(_ bytes: [UInt8], for vault: OpenVault) throws {
        let (header, parts) = try SavedPlan.parts(bytes)
        guard try header.number("yestermail_plans") == SavedPlans.version else {
            throw SavedPlan.refusal("it is of another version")
        }
        guard try header.text("vault_id") == vault.id.description else {
            throw Failure(
                .refused, "the plan is of another vault (\(try header.text("vault_id")))",
                hint: "Name that one with --vault")
        }
        source = try header.text("source")
        sourceID = try header.text("source_vault_id")
        self.parts = parts
    }

    /// The plan of each account. `foreign` must be the vault they are of.
    public func plans(for foreign: OpenVault) throws -> [SavedPlan] {
        guard foreign.id.description == sourceID else {
            throw Failure(
                .refused, "what is in \(source) now is another vault than the plan is of",
                hint: "Put that one there, or plan again")
        }
        return try parts.map { try SavedPlan($0, for: foreign) }
    }
}

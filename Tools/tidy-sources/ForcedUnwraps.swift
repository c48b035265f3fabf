/// The forced unwraps that may stay, each with its reason.
enum ForcedUnwraps {
    private struct Allowed {
        var path: String
        /// Part of the line.
        var text: String
        var reason: String
    }

    private static let all = [
        Allowed(
            path: "Sources/LMDB/", text: "opened!", reason: "LMDB sets the pointer whenever it returns success"),
        Allowed(path: "Sources/LMDB/", text: "begun!", reason: "LMDB sets the pointer whenever it returns success"),
        Allowed(
            path: "Sources/", text: "baseAddress!",
            reason: "inside a loop over a buffer's bytes: an empty one has none, and does not get there"),
        Allowed(path: "Sources/Blobs/MessageSplitter.swift", text: "run!", reason: "just compared with nil"),
        Allowed(
            path: "Sources/Events/JSONWriter.swift", text: "letter.asciiValue!", reason: "letters of kinds are ASCII"),
    ]

    static func isAllowed(_ file: TextFile, _ index: Int) -> Bool {
        all.contains { file.path.hasPrefix($0.path) && hasText(file.lines[index], $0.text) }
    }
}

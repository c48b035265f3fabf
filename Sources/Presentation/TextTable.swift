/// Rows of text whose columns stand below each other, by what a terminal shows of them and not by how many characters
/// there are.
public struct TextTable: Sendable {
    /// On which side the texts of a column meet its edge.
    public enum Alignment: Sendable { case left, right }

    /// A column: what is written above it, and how its texts stand.
    public struct Column: Sendable {
        public let title: String
        public let alignment: Alignment
        /// The widest a text of this column is shown, in columns of a terminal; nil: as wide as it is.
        public let maxColumns: Int?

        public init(_ title: String, _ alignment: Alignment = .left, maxColumns: Int? = nil) {
            (self.title, self.alignment, self.maxColumns) = (title, alignment, maxColumns)
        }
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    /// An empty table. Its titles are printed above it unless all of them are empty.
    public init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row. Each text is made safe for a terminal; missing ones are empty, those too many are left out.
    public mutating func addRow(_ texts: [String]) {
        rows.append(
            columns.indices.map { index in
                index < texts.count ? TerminalText.safe(texts[index], maxColumns: columns[index].maxColumns) : ""
            })
    }

    public var isEmpty: Bool { rows.isEmpty }

    /// The lines of the table, titles first, without line ends and without blanks at their ends.
    ///
    /// - Parameter gap: how many blanks stand between two columns.
    public func lines(gap: Int = 2) -> [String] {
        let hasTitles = columns.contains { !$0.title.isEmpty }
        let all = (hasTitles ? [columns.map { TerminalText.safe($0.title, maxColumns: $0.maxColumns) }] : []) + rows
        let widths = columns.indices.map { index in all.map { TerminalText.columns($0[index]) }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for index in columns.indices {
                let padding = String(repeating: " ", count: widths[index] - TerminalText.columns(row[index]))
                if index > 0 { line += String(repeating: " ", count: max(0, gap)) }
                line += columns[index].alignment == .right ? padding + row[index] : row[index] + padding
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

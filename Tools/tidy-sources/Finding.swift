/// Something that is not as the house wants it.
struct Finding: Hashable {
    /// Relative to the root.
    var path: String
    /// From 1.
    var line: Int
    /// What is wrong and what would be right.
    var sentence: String
}

/// What somebody may have meant who wrote a word that is not known.
package enum Spelling {
    /// The candidate nearest to `word`, if at most a third of its letters (and at least one) are different.
    package static func nearest(to word: String, among candidates: [String]) -> String? {
        guard word.utf8.count <= 64 else { return nil }
        let lower = Array(word.lowercased().unicodeScalars)
        let ranked = candidates.map { (distance(lower, Array($0.lowercased().unicodeScalars)), $0) }
        guard let best = ranked.min(by: { $0.0 < $1.0 }), best.0 <= max(1, best.1.unicodeScalars.count / 3) else {
            return nil
        }
        return best.1
    }

    /// How many letters must be put in, left out, changed or swapped with their neighbour.
    static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                var best = min(last[column + 1] + 1, current[column] + 1)
                best = min(best, last[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}

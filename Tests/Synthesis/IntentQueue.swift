/// What somebody is going to do, by time: a binary heap. Of two intents for one instant, the earlier one put in comes
/// first.
struct IntentQueue<Intent> {
    private var heap: [(time: Int, order: Int, intent: Intent)] = []
    private var nextOrder = 0

    mutating func push(_ intent: Intent, at time: Int) {
        heap.append((time, nextOrder, intent))
        nextOrder += 1
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> (time: Int, intent: Intent)? {
        guard let first = heap.first else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) {
                least = child
            }
            if least == parent { return (first.time, first.intent) }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].order) < (heap[right].time, heap[right].order)
    }
}

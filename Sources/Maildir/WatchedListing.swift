internal import Glibc

extension MaildirDirectory {
    /// Lists with inotify watching. nil when inotify is not to be had; not exact when its queue overflowed.
    ///
    /// What had no event meanwhile is as it was read; what had, is as its last event says. A rename queues its two
    /// events while it holds the lock of both directories, and reading a directory takes that lock: after a read, the
    /// events of all renames begun before are in the queue, both of them. So an event of the first half that has no
    /// other half after that is a move out of the folder; one that came later is only not finished, and its message is
    /// kept under the old name.
    func listWatched() throws(MaildirError) -> MaildirListing? {
        guard let queue = try? InotifyQueue(path: path) else { return nil }
        let mask = Int(IN_MOVED_FROM) | Int(IN_MOVED_TO) | Int(IN_CREATE) | Int(IN_DELETE)
        var places: [Int32: MaildirPlace] = [:]
        for place in MaildirPlace.allCases {
            let link = [UInt8](ascii: "/proc/self/fd/") + Array(String(descriptor(of: place)).utf8)
            // Without a watch the folder is listed once more instead: nothing depends on it.
            guard let watch = try? queue.watch(link, mask: mask, followLink: true) else { return nil }
            places[watch] = place
        }
        var names: [NameInPlace: Bool] = [:]
        var skipped: [MaildirListing.Skipped] = []
        for place in MaildirPlace.allCases {
            try readAll(of: place) { buffer, range in
                names[NameInPlace(place: place, name: Array(buffer[range]))] = true
            } skip: {
                skipped.append($0)
            }
        }
        var events: [InotifyQueue.Event] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        try drain(queue, into: &events, buffer: &buffer)
        let firstHalf = events.count
        for place in MaildirPlace.allCases { try lockOnce(place) }
        try drain(queue, into: &events, buffer: &buffer)
        for place in MaildirPlace.allCases { _ = try currentStatus(of: place) }

        var listing = MaildirListing()
        listing.isExact = !events.contains { $0.has(IN_Q_OVERFLOW) }
        let arrivals = Set(events.lazy.filter { $0.has(IN_MOVED_TO) }.map(\.cookie))
        for (number, event) in events.enumerated() {
            guard let place = places[event.watch], !event.has(IN_ISDIR), let first = event.name.first,
                first != UInt8(ascii: ".")
            else { continue }
            let key = NameInPlace(place: place, name: event.name)
            if event.has(IN_MOVED_TO) || event.has(IN_CREATE) {
                names[key] = true
            } else if event.has(IN_DELETE) {
                names[key] = false
            } else if event.has(IN_MOVED_FROM), number < firstHalf || arrivals.contains(event.cookie) {
                names[key] = false
            }
        }
        for place in MaildirPlace.allCases {
            for (key, isThere) in names where isThere && key.place == place {
                try listing.insert(key.name, 0..<key.name.count, place: place, path: path(of: place))
            }
        }
        listing.skipped += skipped
        return listing
    }

    private struct NameInPlace: Hashable {
        let place: MaildirPlace
        let name: [UInt8]
    }

    /// Reads until nothing is left, or enough: others may write faster than this reads.
    private func drain(
        _ queue: borrowing InotifyQueue, into events: inout [InotifyQueue.Event], buffer: inout [UInt8]
    ) throws(MaildirError) {
        for _ in 0..<64 {
            if try !queue.read(into: &events, buffer: &buffer, path: path) { return }
        }
    }

    /// Takes and leaves the directory's lock, by reading its first entries.
    private func lockOnce(_ place: MaildirPlace) throws(MaildirError) {
        var reader = try DirectoryReader(descriptor(of: place), path: path(of: place), bufferSize: 512)
        try reader.readSome()
    }
}

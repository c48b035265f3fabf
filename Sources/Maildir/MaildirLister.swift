internal import Glibc

extension MaildirDirectory {
    /// Lists the folder. A message that is there during the whole call is in the result, however fast others rename
    /// it from `new` to `cur` or change its flags, as long as ``MaildirListing/isExact`` says so.
    ///
    /// A directory that is renamed in while it is read can show an entry under both of its names, or under neither. So
    /// the change times of both directories are compared before and after; if one moved, the folder is listed again
    /// with inotify watching, and the names that changed meanwhile are corrected by the events.
    public func list() throws(MaildirError) -> MaildirListing {
        try waitForClockTick()
        var sizes = (count: 0, octets: 0)
        for _ in 0..<2 {
            let pass = try listOnce(sizes: sizes)
            if pass.isExact { return pass }
            sizes = (pass.count, pass.arena.count)
        }
        var best: MaildirListing?
        for _ in 0..<3 {
            guard let watched = try listWatched() else { continue }
            if watched.isExact { return watched }
            best = watched
        }
        for _ in 0..<4 {
            let pass = try listOnce(sizes: sizes)
            if pass.isExact { return pass }
            if pass.count >= best?.count ?? 0 { best = pass }
        }
        if let best { return best }
        return try listOnce(sizes: sizes)
    }

    /// The change time of a directory moves in ticks of the kernel's clock. After this, a change makes a new one.
    private func waitForClockTick() throws(MaildirError) {
        for _ in 0..<20 {
            var now = timespec()
            clock_gettime(CLOCK_REALTIME_COARSE, &now)
            let (new, cur) = (try currentStatus(of: .new), try currentStatus(of: .cur))
            if new.st_ctim.isBefore(now) && cur.st_ctim.isBefore(now) { return }
            var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
            nanosleep(&pause, nil)
        }
    }

    private func listOnce(sizes: (count: Int, octets: Int)) throws(MaildirError) -> MaildirListing {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &now)
        let new = try currentStatus(of: .new)
        let cur = try currentStatus(of: .cur)
        var listing = MaildirListing()
        // A directory that had many entries once is as large still: the guess is low, and limited.
        let guess = Int(clamping: min(new.st_size, 1 << 26) + min(cur.st_size, 1 << 26)) / 128
        listing.reserve(count: max(sizes.count, guess), octets: sizes.octets)
        // `new` first: a message that is moved meanwhile from `new` to `cur` is more often seen than missed.
        for place in MaildirPlace.allCases {
            let path = path(of: place)
            try readAll(of: place) { buffer, range throws(MaildirError) in
                try listing.insert(buffer, range, place: place, path: path)
            } skip: {
                listing.skipped.append($0)
            }
        }
        let newAfter = try currentStatus(of: .new)
        let curAfter = try currentStatus(of: .cur)
        listing.isExact =
            new.st_ctim.isBefore(now) && cur.st_ctim.isBefore(now) && new.st_ctim.isSame(as: newAfter.st_ctim)
            && cur.st_ctim.isSame(as: curAfter.st_ctim)
        return listing
    }

    /// Calls `body` with the name of each message, and `skip` with all else.
    func readAll(
        of place: MaildirPlace, _ body: (borrowing [UInt8], Range<Int>) throws(MaildirError) -> Void,
        skip: (MaildirListing.Skipped) -> Void
    ) throws(MaildirError) {
        let directory = descriptor(of: place)
        let path = path(of: place)
        var unknown: [[UInt8]] = []
        var reader = try DirectoryReader(directory, path: path)
        try reader.readAll { buffer, range, kind throws(MaildirError) in
            if buffer[range.lowerBound] == UInt8(ascii: ".") {
                skip(.init(place: place, name: Array(buffer[range]), reason: .hidden))
            } else if kind == .regular {
                try body(buffer, range)
            } else if kind == .unknown {
                unknown.append(Array(buffer[range]))
            } else {
                skip(.init(place: place, name: Array(buffer[range]), reason: Self.reason(kind)))
            }
        }
        for name in unknown {
            // Gone meanwhile: the change time says so, or the events.
            guard let kind = try DirectoryReader.kind(of: name, in: directory, path: path) else { continue }
            if kind == .regular {
                try body(name, 0..<name.count)
            } else {
                skip(.init(place: place, name: name, reason: Self.reason(kind)))
            }
        }
    }

    private static func reason(_ kind: DirectoryReader.Kind) -> MaildirListing.Skipped.Reason {
        switch kind {
        case .directory: .directory
        case .symbolicLink: .symbolicLink
        default: .special
        }
    }
}

extension timespec {
    func isBefore(_ other: timespec) -> Bool {
        tv_sec < other.tv_sec || (tv_sec == other.tv_sec && tv_nsec < other.tv_nsec)
    }

    func isSame(as other: timespec) -> Bool { tv_sec == other.tv_sec && tv_nsec == other.tv_nsec }
}

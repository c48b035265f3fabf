internal import Glibc
internal import Synchronization

/// The pages of memory maps that this process holds: they are the kernel's cache, but count as the process's memory as long as
/// they are mapped. Whoever walks through a large environment would hold all of it; here what was walked through is given
/// back from time to time. The kernel keeps the pages, and maps them again when they are touched.
///
/// A process that looks up a few keys is best served by the few pages these are on: the kernel would read megabytes around each of
/// them. So maps begin without read-ahead, and get it from the first ``stride`` of pages on.
enum MappedMemory {
    /// Pages (4,096 bytes) of files, programs included, beyond which maps are given back: 32 MiB.
    private static let limit = 8_192
    /// How many pages of a walk, or keys looked up, go by between two looks at what is held.
    private static let stride: UInt64 = 512

    private static let touched = Atomic<UInt64>(0)
    private static let isReadingAhead = Atomic<Bool>(false)
    /// Length by first address.
    private static let maps = Mutex<[UInt: Int]>([:])

    /// A page was come to.
    @inline(__always) static func touch() {
        let before = touched.wrappingAdd(1, ordering: .relaxed).oldValue
        if before % stride == stride - 1 {
            readAhead()
            giveBack()
        }
    }

    /// Remembers the map of the file, `length` bytes of it; its address, for ``forget(_:)``. nil where the kernel does not tell.
    static func register(file: String, length: Int) -> UInt? {
        var found = stat()
        guard unsafe stat(file, &found) == 0, let address = address(inode: UInt64(found.st_ino), length: length) else {
            return nil
        }
        maps.withLock { maps in
            maps[address] = length
            if !isReadingAhead.load(ordering: .relaxed) { advise(MADV_RANDOM, address, length) }
        }
        return address
    }

    /// To be called before the map is removed.
    static func forget(_ address: UInt) { _ = maps.withLock { $0.removeValue(forKey: address) } }

    private static func readAhead() {
        guard !isReadingAhead.load(ordering: .relaxed) else { return }
        maps.withLock { maps in
            isReadingAhead.store(true, ordering: .relaxed)
            for (address, length) in maps { advise(MADV_NORMAL, address, length) }
        }
    }

    private static func giveBack() {
        guard let held = residentFilePages(), held > limit else { return }
        maps.withLock { maps in
            for (address, length) in maps { advise(MADV_DONTNEED, address, length) }
        }
    }

    private static func advise(_ advice: Int32, _ address: UInt, _ length: Int) {
        // SAFETY: the map is there as long as it is registered, and it is of a file and shared: nothing is lost.
        _ = unsafe madvise(UnsafeMutableRawPointer(bitPattern: address), length, advice)
    }

    /// The third number of `/proc/self/statm`: resident pages that belong to files.
    private static func residentFilePages() -> Int? {
        guard let text = read("/proc/self/statm", atMost: 256) else { return nil }
        let words = text.split(separator: UInt8(ascii: " "))
        return words.count > 2 ? number(words[2], radix: 10).map { Int($0) } : nil
    }

    /// Where the map of that file and length begins, as `/proc/self/maps` tells it:
    /// `7f00-7fff r--s 00000000 fe:00 1234  /path`.
    private static func address(inode: UInt64, length: Int) -> UInt? {
        guard let text = read("/proc/self/maps", atMost: 1 << 22) else { return nil }
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard words.count > 4, number(words[4], radix: 10) == inode else { continue }
            let ends = words[0].split(separator: UInt8(ascii: "-"))
            guard ends.count == 2, let start = number(ends[0], radix: 16), let end = number(ends[1], radix: 16),
                end &- start == UInt64(length)
            else { continue }
            return UInt(start)
        }
        return nil
    }

    private static func number(_ digits: ArraySlice<UInt8>, radix: Int) -> UInt64? {
        UInt64(String(decoding: digits, as: UTF8.self), radix: radix)
    }

    private static func read(_ path: String, atMost limit: Int) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: min(limit, 16_384))
        while text.count < limit {
            let count = unsafe piece.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            text += piece[..<count]
        }
        return text
    }
}

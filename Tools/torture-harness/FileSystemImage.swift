internal import Glibc
internal import SystemPackage
internal import TestKit

/// A file with an empty file system in it.
enum FileSystemImage {
    /// As small as the journals allow: an image is copied for every case. False when it cannot be made.
    static func make(_ path: FilePath, _ system: String) -> Bool {
        Tree.remove(path)
        Tree.write(path, [])
        let isXFS = system == "xfs"
        Tree.truncate(path, to: (isXFS ? 320 : 96) << 20)
        let made =
            isXFS
            ? Tree.run("/sbin/mkfs.xfs", ["-q", path.string])
            // Nothing is left to be written in the background.
            : Tree.run(
                "/sbin/mkfs.ext4",
                ["-qF", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0", path.string])
        // Zeroes need no room.
        return made == 0 && Tree.run("/usr/bin/fallocate", ["--dig-holes", path.string]) == 0
    }
}

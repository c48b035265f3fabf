internal import CLinux
internal import Events
internal import Files
internal import Glibc
internal import SystemPackage

/// Whether a vault can live on a file system: names must differ by case, and LMDB's locks and maps must work.
enum FileSystemSuitability {
    /// A file that is there for a moment.
    static let probeName = "Case-Probe"

    static func check(_ directory: FilePath) throws {
        let probe = directory.appending(probeName)
        _ = try File(probe, .create)
        // One that stays makes the directory not empty, which the next attempt says.
        defer { try? Directory.removeFile(probe) }
        guard !Directory.exists(directory.appending("case-probe")) else {
            throw Failure(
                .unsuitable, "the file system of \(directory) does not tell upper from lower case",
                hint: "Keep the vault on a case-sensitive file system such as ext4 or XFS")
        }
        var found = statfs()
        if directory.withPlatformString({ statfs($0, &found) }) == 0, let name = unsuitable(Int64(found.f_type)) {
            throw Failure(
                .unsuitable, "\(directory) is on \(name), where LMDB's locks and memory maps cannot be relied on",
                hint: "Keep the vault on a local file system such as ext4 or XFS")
        }
    }

    private static func unsuitable(_ type: Int64) -> String? {
        switch UInt32(truncatingIfNeeded: type) {
        case 0x6969: "NFS"
        case 0xFF53_4D42, 0xFE53_4D42, 0x517B: "a Windows share"
        case 0x0102_1997: "9p"
        case 0x6573_5546: "FUSE"
        default: nil
        }
    }
}

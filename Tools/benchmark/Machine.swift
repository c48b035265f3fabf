import Glibc

/// Where and when a benchmark ran: without it no figure means anything.
enum Machine {
    static func report(workingDirectory: String) -> String {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let cpu = firstLine(of: "/proc/cpuinfo", beginning: "model name").map(afterColon) ?? "unknown"
        let memory = firstLine(of: "/proc/meminfo", beginning: "MemTotal").map(afterColon) ?? "unknown"
        let load = Shell.text(of: "/proc/loadavg").map { String($0.prefix { $0 != "\n" }) } ?? "unknown"
        var lines = [
            "CPU      \(cpu), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) cores; memory \(memory)",
            "kernel   Linux \(release); file system \(fileSystem(of: workingDirectory)) (\(workingDirectory))",
            "load     \(load)",
        ]
        let versions = [["restic", "version"], ["borg", "--version"], ["zstd", "--version"], ["tar", "--version"]]
            .compactMap { Shell.output($0)?.split(separator: "\n").first.map { String($0.prefix(60)) } }
        lines.append("versions " + versions.joined(separator: "; "))
        return lines.joined(separator: "\n")
    }

    private static func afterColon(_ line: String) -> String {
        String(line.drop { $0 != ":" }.dropFirst().drop { $0 == " " || $0 == "\t" })
    }

    private static func firstLine(of path: String, beginning prefix: String) -> String? {
        Shell.text(of: path)?.split(separator: "\n").first { $0.hasPrefix(prefix) }.map { String($0) }
    }

    /// Kind and options of the mount that has the longest matching path.
    private static func fileSystem(of path: String) -> String {
        var best: (length: Int, text: String) = (0, "unknown")
        for line in Shell.text(of: "/proc/mounts")?.split(separator: "\n") ?? [] {
            let fields = line.split(separator: " ")
            guard fields.count > 3, path.hasPrefix(fields[1]), fields[1].count >= best.length else { continue }
            best = (fields[1].count, "\(fields[2]) \(fields[3])")
        }
        return best.text
    }
}

// swift-tools-version: 6.2
import PackageDescription

/// Every target, in the order of the way of the data: a target depends only on those above it in this list.
/// `Tools/tidy` holds the imports of the sources against `Specs/Architecture.md`.
let package = Package(
    name: "yestermail",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Libraries of the system.
        .systemLibrary(name: "CLMDB", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CGMime", pkgConfig: "gmime-3.0", providers: [.apt(["libgmime-3.0-dev"])]),
        .systemLibrary(name: "CLinux"),
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O2"])]),

        // The engine: synchronous, deterministic, knows no network.
        .target(
            name: "Events", dependencies: ["CKernels", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(
            name: "LMDB", dependencies: ["CLMDB", "CLinux", "CKernels"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes"), .strictMemorySafety()]),
        .target(
            name: "Transparency", dependencies: ["Events", .product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "Files", dependencies: ["Events", .product(name: "SystemPackage", package: "swift-system")]),
        .target(name: "Threads"),
        .target(
            name: "Blobs",
            dependencies: [
                "CZstd", "CKernels", "Events", "Files", "LMDB", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: [.enableExperimentalFeature("Lifetimes"), .strictMemorySafety()]),
        .target(
            name: "Journal", dependencies: ["CZstd", "Events", "Files", "LMDB", "Threads"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(
            name: "Projections", dependencies: ["Events", "Files", "LMDB", "Journal"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(
            name: "Headers", dependencies: ["Events", "Files", "LMDB", "Journal"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(
            name: "Vault",
            dependencies: [
                "CLinux", "Events", "Transparency", "Files", "LMDB", "Blobs", "Journal", "Projections", "Headers",
            ]),

        // The edges: formats and protocols, and the sources and targets made of them. They know no vault.
        .target(name: "Maildir", dependencies: ["CLinux"]),
        .target(name: "Mbox", dependencies: ["CLinux"]),
        .target(name: "Secrets"),
        .target(name: "IMAP"),
        .target(
            name: "Network",
            dependencies: [
                "Threads", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .target(name: "Presentation", dependencies: ["Events"]),
        .target(name: "MIME", dependencies: ["CGMime", "Events"]),
        .target(name: "TimeLanguage", dependencies: ["Events", "Presentation"]),
        .target(name: "Query", dependencies: ["Events", "Presentation", "MIME", "TimeLanguage"]),
        .target(
            name: "Connectors",
            dependencies: [
                "CLinux", "Events", "Files", "Threads", "Maildir", "Mbox", "IMAP", "Network", "Secrets",
            ]),

        // The doors: they join the two.
        .target(
            name: "Capture",
            dependencies: [
                "Events", "Files", "Threads", "Blobs", "Journal", "Projections", "Headers", "Vault", "MIME",
                "Connectors",
            ]),
        .target(
            name: "Restore",
            dependencies: [
                "Events", "Files", "Threads", "Blobs", "Journal", "Projections", "Vault", "Connectors",
            ]),
        .executableTarget(
            name: "yestermail",
            dependencies: [
                "CLinux", "Events", "Files", "LMDB", "Threads", "Blobs", "Journal", "Projections", "Headers", "Vault",
                "MIME", "Presentation", "Query", "TimeLanguage", "Connectors", "Capture", "Restore", "Network",
                "Secrets", "Transparency",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),

        // Programs for us, never shipped.
        .executableTarget(name: "tidy", path: "Tools/tidy-sources", swiftSettings: [.unsafeFlags(["-O"])]),

        // Benchmarks: `Tools/bench`.
        .target(
            name: "BenchmarkLoops", dependencies: ["CLMDB"], path: "Tools/benchmark-loops",
            cSettings: [.unsafeFlags(["-O2"])]),
        .executableTarget(
            name: "yestermail-bench",
            dependencies: [
                "BenchmarkLoops", "Blobs", "CZstd", "Events", "Files", "Journal", "LMDB", "Model", "Projections",
                "Synthesis",
                "Transparency", "Vault",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tools/benchmark"),

        // Tests, and what they share.
        // Optimised even in debug builds, as are those below: it makes megabytes of mail for every test run, and a harness should
        // spend its time in what it tries.
        .target(
            name: "Synthesis", dependencies: ["Events", "CZstd"], path: "Tests/Synthesis",
            swiftSettings: [.unsafeFlags(["-O"])]),
        .target(
            name: "TestKit",
            dependencies: [
                "Blobs", "Events", "Files", "Connectors", "Journal", "Projections", "Synthesis", "Threads", "Vault",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/TestKit", swiftSettings: [.unsafeFlags(["-O"])]),
        .target(
            name: "Model",
            dependencies: [
                "Events", "Journal", "Projections", "Vault", "Connectors", "Capture", "Restore", "Synthesis", "TestKit",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/Model"),
        // Torture: `Tools/torture`.
        .target(name: "RecordingDisk", path: "Tools/torture-disk", cSettings: [.unsafeFlags(["-O2"])]),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Blobs", "Connectors", "Events", "IMAP", "Journal", "MIME", "Maildir", "Mbox", "Query", "TimeLanguage",
                "Transparency", .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tools/fuzz-targets", swiftSettings: [.unsafeFlags(["-O"])]),
        .target(
            name: "Torture",
            dependencies: [
                "Events", "Files", "Blobs", "Journal", "Projections", "Headers", "Vault", "Connectors", "Capture",
                "Restore", "FuzzTargets", "RecordingDisk", "Synthesis", "TestKit",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tools/torture-harness", swiftSettings: [.unsafeFlags(["-O"])]),
        .executableTarget(
            name: "yestermail-torture",
            dependencies: [
                "Torture", "FuzzTargets", "TestKit", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tools/torture-command"),
        .testTarget(
            name: "TortureTests",
            dependencies: [
                "Torture", "TestKit", "yestermail", "yestermail-torture",
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(name: "SynthesisTests", dependencies: ["Synthesis", "Events"]),
        .testTarget(name: "EventsTests", dependencies: ["Events", "TestKit"]),
        .testTarget(
            name: "TransparencyTests",
            dependencies: [
                "Transparency", "Events", "TestKit", .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(name: "LMDBTests", dependencies: ["LMDB", "TestKit"]),
        .testTarget(name: "ThreadsTests", dependencies: ["Threads", "TestKit"]),
        .testTarget(
            name: "BlobsTests",
            dependencies: ["Blobs", "TestKit", .product(name: "SystemPackage", package: "swift-system")]),
        .testTarget(name: "JournalTests", dependencies: ["Journal", "LMDB", "TestKit"]),
        .testTarget(name: "ProjectionsTests", dependencies: ["Projections", "Journal", "LMDB", "TestKit"]),
        .testTarget(name: "VaultTests", dependencies: ["Blobs", "Vault", "Transparency", "TestKit"]),
        .testTarget(
            name: "MaildirTests",
            dependencies: ["Maildir", "TestKit", .product(name: "SystemPackage", package: "swift-system")]),
        .testTarget(
            name: "MboxTests",
            dependencies: ["Mbox", "TestKit", .product(name: "SystemPackage", package: "swift-system")]),
        .testTarget(
            name: "SecretsTests",
            dependencies: ["Secrets", "TestKit", .product(name: "SystemPackage", package: "swift-system")]),
        .testTarget(name: "IMAPTests", dependencies: ["IMAP", "TestKit"]),
        .testTarget(
            name: "NetworkTests",
            dependencies: [
                "Network", "Threads", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .testTarget(name: "PresentationTests", dependencies: ["Presentation", "Events"]),
        .testTarget(name: "MIMETests", dependencies: ["MIME", "Events", "TestKit"]),
        .testTarget(name: "TimeLanguageTests", dependencies: ["TimeLanguage", "Events"]),
        .testTarget(name: "QueryTests", dependencies: ["Query", "Events", "MIME", "TimeLanguage"]),
        .testTarget(
            name: "ConnectorsTests",
            dependencies: [
                "Connectors", "Events", "Network", "Secrets", "TestKit",
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(name: "CaptureTests", dependencies: ["Capture", "TestKit", "Network", "Threads"]),
        .testTarget(name: "RestoreTests", dependencies: ["Restore", "Capture", "TestKit"]),
        .testTarget(name: "TidyTests", dependencies: ["tidy"]),
        .testTarget(
            name: "ScenarioTests",
            dependencies: ["TestKit", "Model", "yestermail", .product(name: "SystemPackage", package: "swift-system")]),
    ]
)

// Only for `Tools/torture guided`, which says so: it links with the fuzzer's own runtime alone.
if Context.environment["YESTERMAIL_GUIDED_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "yestermail-guided-fuzz", dependencies: ["FuzzTargets"], path: "Tools/fuzz-coverage",
            exclude: ["run"],
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}

for target in package.targets
where target.type != .system && !["CKernels", "BenchmarkLoops", "RecordingDisk"].contains(target.name) {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .treatAllWarnings(as: .error),
        ]
}

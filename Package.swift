// swift-tools-version: 6.2
import PackageDescription

/// Every target, in the order of the way of the data: a target depends only on those above it in this list.
/// `Tools/tidy` holds the imports of the sources against `Specs/Architecture.md`.
let package = Package(
    name: "yestermail",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        // Libraries of the system.
        .systemLibrary(name: "CLMDB", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CGMime", pkgConfig: "gmime-3.0", providers: [.apt(["libgmime-3.0-dev"])]),
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O2"])]),

        // The engine: synchronous, deterministic, knows no network.
        .target(name: "Events", dependencies: ["CKernels", .product(name: "Crypto", package: "swift-crypto")]),
        .target(
            name: "LMDB", dependencies: ["CLMDB", "CKernels"],
            swiftSettings: [.enableExperimentalFeature("Lifetimes"), .strictMemorySafety()]),
        .target(name: "Files", dependencies: [.product(name: "SystemPackage", package: "swift-system")]),
        .target(
            name: "Blobs",
            dependencies: [
                "CZstd", "CKernels", "Events", "Files", "LMDB", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: [.enableExperimentalFeature("Lifetimes"), .strictMemorySafety()]),
        .target(name: "Journal", dependencies: ["CZstd", "CKernels", "Events", "Files", "LMDB"]),
        .target(name: "Projections", dependencies: ["Events", "Files", "LMDB"]),
        .target(name: "Vault", dependencies: ["Events", "Files", "Blobs", "Journal", "Projections"]),

        // The edges: formats and protocols, and the sources and targets made of them. They know no vault.
        .target(name: "Maildir"),
        .target(name: "Mbox"),
        .target(name: "MIME", dependencies: ["CGMime"]),
        .target(name: "TimeLanguage", dependencies: ["Events"]),
        .target(name: "Connectors", dependencies: ["Events", "Files", "Maildir", "Mbox"]),

        // The doors: they join the two.
        .target(name: "Capture", dependencies: ["Events", "Files", "Blobs", "Vault", "Connectors"]),
        .target(name: "Restore", dependencies: ["Events", "Files", "Blobs", "Vault", "Connectors"]),
        .executableTarget(
            name: "yestermail",
            dependencies: [
                "Events", "Files", "Blobs", "Journal", "Projections", "Vault", "MIME", "TimeLanguage", "Connectors",
                "Capture", "Restore", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        // Tests, and what they share.
        .target(name: "Synthesis", dependencies: ["Events"], path: "Tests/Synthesis"),
        .target(
            name: "TestKit", dependencies: ["Events", "Files", "Connectors", "Vault", "Synthesis"],
            path: "Tests/TestKit"),
        .testTarget(name: "EventsTests", dependencies: ["Events", "TestKit"]),
        .testTarget(name: "LMDBTests", dependencies: ["LMDB", "TestKit"]),
        .testTarget(name: "BlobsTests", dependencies: ["Blobs", "TestKit"]),
        .testTarget(name: "JournalTests", dependencies: ["Journal", "TestKit"]),
        .testTarget(name: "ProjectionsTests", dependencies: ["Projections", "Journal", "TestKit"]),
        .testTarget(name: "VaultTests", dependencies: ["Vault", "TestKit"]),
        .testTarget(name: "MaildirTests", dependencies: ["Maildir", "TestKit"]),
        .testTarget(name: "MboxTests", dependencies: ["Mbox", "TestKit"]),
        .testTarget(name: "MIMETests", dependencies: ["MIME", "TestKit"]),
        .testTarget(name: "TimeLanguageTests", dependencies: ["TimeLanguage", "TestKit"]),
        .testTarget(name: "ConnectorsTests", dependencies: ["Connectors", "TestKit"]),
        .testTarget(name: "CaptureTests", dependencies: ["Capture", "TestKit"]),
        .testTarget(name: "RestoreTests", dependencies: ["Restore", "Capture", "TestKit"]),
        .testTarget(name: "ScenarioTests", dependencies: ["TestKit", "yestermail"]),
    ]
)

for target in package.targets where target.type != .system && target.name != "CKernels" {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .treatAllWarnings(as: .error),
        ]
}

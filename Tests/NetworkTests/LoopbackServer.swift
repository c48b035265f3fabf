import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A server on a free port of loopback that does what its test says with each connection.
final class LoopbackServer: Sendable {
    /// What is done with a connection.
    struct Behaviour: Sendable {
        var tls: NIOSSLContext?
        var onConnect: @Sendable (any Channel) -> Void = { _ in }
        var onBytes: @Sendable (any Channel, [UInt8]) -> Void = { _, _ in }
    }

    let port: Int
    private let channel: any Channel

    init(_ behaviour: Behaviour) throws {
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = behaviour.tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.addHandler(Peer(behaviour))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = channel.localAddress?.port ?? 0
    }

    deinit { channel.close(promise: nil) }

    static func say(_ channel: any Channel, _ bytes: [UInt8]) {
        var buffer = channel.allocator.buffer(capacity: bytes.count)
        buffer.writeBytes(bytes)
        channel.writeAndFlush(buffer, promise: nil)
    }

    private final class Peer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let behaviour: Behaviour

        init(_ behaviour: Behaviour) { self.behaviour = behaviour }

        func channelActive(context: ChannelHandlerContext) { behaviour.onConnect(context.channel) }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            behaviour.onBytes(context.channel, Array(buffer.readableBytesView))
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// The certificates of `Tests/Fixtures/tls`.
enum Certificates {
    static func path(_ name: String) -> String {
        let file = #filePath
        return file[..<file.range(of: "/NetworkTests/")!.lowerBound] + "/Fixtures/tls/" + name
    }

    static func server(_ name: String, _ versions: (TLSVersion, TLSVersion)? = nil) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(path("\(name).pem")).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: path("\(name).key"), format: .pem)))
        if let versions { (configuration.minimumTLSVersion, configuration.maximumTLSVersion) = versions }
        return try NIOSSLContext(configuration: configuration)
    }
}

extension String {
    fileprivate func range(of other: String) -> Range<String.Index>? { firstRange(of: other) }
}

internal import NIOSSL

/// What a connection asks of TLS: at least 1.2, a certificate of a trusted authority, and that it is for this host.
enum TLSContext {
    static func make(_ authorities: String?, _ endpoint: Endpoint) throws(NetworkFailure) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        if let authorities { configuration.trustRoots = .file(authorities) }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            let what = authorities.map { "the authorities of \($0)" } ?? "the system's authorities"
            throw NetworkFailure(.tlsRefused, endpoint, "\(what) cannot be read: \(error)")
        }
    }

    static func handler(_ context: NIOSSLContext, _ host: String) throws -> NIOSSLClientHandler {
        do {
            return try NIOSSLClientHandler(context: context, serverHostname: host)
        } catch let error as NIOSSLExtraError where error == .cannotUseIPAddressInSNI {
            // The certificate is then held against the address.
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
    }
}

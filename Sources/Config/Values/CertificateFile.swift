import TLS
import YAML

/// The content of a file that the configuration names.
struct FileContent: Sendable {
    var bytes: [UInt8]
    /// Its path, or as the file has it: what `${…}` brought is not shown.
    var name: String
    /// The same for messages.
    var shown: String
    var place: Place
}

extension ConfigType where Value == FileContent {
    /// A path, from the folder of the configuration file that names it; the file is read at once.
    static func file(_ kind: String) -> ConfigType<FileContent> {
        ConfigType<FileContent>(.text(kind)) { node, decoder in
            guard node.text != nil, !node.isNull else {
                decoder.reportShape(node, expected: kind)
                return nil
            }
            guard let text = decoder.text(node) else { return nil }
            guard !text.text.hasPrefix("-----BEGIN ") else {
                decoder.reportSecret(
                    at: node, "expected \(kind), found its content", help: "write the path of the file")
                return nil
            }
            guard !text.text.isEmpty, !text.text.utf8.contains(0) else {
                decoder.report(at: node, "expected \(kind), found \(text.shown)")
                return nil
            }
            let path = decoder.path(text.text, besides: node.file)
            let name = text.isExpanded ? text.written : path
            let shown = text.isExpanded ? "the file of `\(name)`" : "`\(name)`"
            switch decoder.inputs.certificate(path) {
            case .success(let bytes): return FileContent(bytes: bytes, name: name, shown: shown, place: Place(node))
            case .failure(let failure):
                decoder.report(at: node, "cannot read \(shown): \(failure.reason)")
                return nil
            }
        }
    }
}

extension ConfigDecoder {
    /// A certificate with its key, in one file or two; every problem is reported where the file is named.
    func chain(_ certificate: FileContent, key: FileContent?, for use: CertificateChain.Use) -> CertificateChain? {
        func file(_ source: CertificateFailure.Source) -> FileContent {
            source == .key ? key ?? certificate : certificate
        }
        do throws(CertificateFailures) {
            let chain = try CertificateChain(certificates: certificate.bytes, key: key?.bytes, for: use)
            for warning in chain.warnings { warn(warning, of: file(warning.source)) }
            note(LoadedCertificates(shown: certificate.shown, content: .chain(chain)), at: certificate.place)
            return chain
        } catch {
            for failure in error.all { report(failure, of: file(failure.source)) }
            return nil
        }
    }

    func authorities(_ file: FileContent) -> CertificateAuthorities? {
        do throws(CertificateFailure) {
            let authorities = try CertificateAuthorities(file.bytes)
            note(LoadedCertificates(shown: file.shown, content: .authorities(authorities)), at: file.place)
            return authorities
        } catch {
            report(error, of: file)
            return nil
        }
    }

    func ocsp(_ file: FileContent, for chain: CertificateChain) -> OCSPResponse? {
        do throws(CertificateFailure) {
            let response = try OCSPResponse(file.bytes, for: chain)
            note(LoadedCertificates(shown: file.shown, content: .ocsp(response)), at: file.place)
            return response
        } catch {
            report(error, of: file)
            return nil
        }
    }

    /// Keeps what holds only for a time, and says what is to be said of it now.
    private func note(_ loaded: LoadedCertificates, at place: Place) {
        certificates.append(loaded)
        guard let now = inputs.now else { return }
        for message in loaded.warnings(at: now) { report(.warning, at: place, message) }
    }

    private func report(_ failure: CertificateFailure, of file: FileContent) {
        report(at: file.place, "\(file.shown): \(failure.message)", help: failure.help)
    }

    private func warn(_ warning: CertificateWarning, of file: FileContent) {
        report(.warning, at: file.place, "\(file.shown): \(warning.message)")
    }
}

import Logging

/// Certificates that change on the disk while the process serves.
extension GatewayProcess where Binder: ~Copyable, Source: ~Copyable {
    /// Takes the present content of the files with certificates into the configuration in force, which stays as it is otherwise:
    /// what else changed on the disk waits for a reload.
    mutating func takeCertificates() {
        let loaded: LoadedConfiguration
        switch loader.load(snapshot, rereading: Set(certificateFiles.keys)) {
        case .loaded(let configuration):
            loaded = configuration
        case .rejected(let rejected):
            for error in rejected.errors { log.warning("certificates changed, the ones before stay: \(error)") }
            return
        }
        let changed = loaded.certificateFiles.filter { certificateFiles[$0.key] != $0.value }.keys.sorted()
        guard !changed.isEmpty else { return }
        let before = warnings
        for warning in loaded.warnings where !before.contains(warning) { log.warning("\(warning)") }
        do {
            try publish(loaded)
        } catch {
            log.error("certificates changed, the ones before stay: \(error)")
            return
        }
        log.info("certificates changed: \(changed.joined(separator: ", ")) generation=\(snapshot.generation)")
    }
}

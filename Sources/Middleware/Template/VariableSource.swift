internal import Containers
internal import HTTP

/// What variables are read from: a request, or a response with the request that it answers.
protocol VariableSource: ~Copyable {
    /// Appends the value of a variable; nothing when the request has none.
    ///
    /// - Returns: false when there is no room for it.
    func append(_ kind: CompiledVariable.Kind, name: Span<UInt8>, to output: inout Buffer) -> Bool
}

extension RequestContext: VariableSource {
    func append(_ kind: CompiledVariable.Kind, name: Span<UInt8>, to output: inout Buffer) -> Bool {
        switch kind {
        case .clientIP: return output.appendIfRoom(client)
        case .requestID: return output.appendIfRoom(requestID.span)
        case .host: return output.appendIfRoom(host.span)
        case .method: return output.appendIfRoom(methodBytes)
        case .path: return output.appendIfRoom(path.span)
        case .route:
            let name = names.route
            return output.appendIfRoom(name.span)
        case .identity: return output.appendIfRoom(identity.span)
        case .scheme: return output.appendIfRoom(isSecure ? "https" : "http")
        case .tlsVersion, .tlsCipher, .tlsSNI, .tlsClientSubject, .tlsClientFingerprint:
            return secure?.append(kind, to: &output) ?? true
        case .pathParameter:
            guard let value = pathParameter(name) else { return true }
            return output.appendIfRoom(value)
        case .query:
            guard let value = queryParameter(name) else { return true }
            return output.appendIfRoom(value)
        case .hostField: return output.appendIfRoom(slice(head.authority))
        case .header: return appendField(name, to: &output)
        case .cookie:
            guard let value = cookie(name) else { return true }
            return output.appendIfRoom(value)
        }
    }

    /// All values of a field, joined as RFC 9110 section 5.3 joins them: every copy counts.
    private func appendField(_ name: Span<UInt8>, to output: inout Buffer) -> Bool {
        var isFirst = true
        for index in 0..<head.fields.count
        where !head.fields[index].isRemoved && ByteClass.isName(slice(head.fields[index].name), name) {
            if !isFirst && !output.appendIfRoom(", ") { return false }
            isFirst = false
            if !output.appendIfRoom(slice(head.fields[index].value)) { return false }
        }
        if isFirst, let range = additions.value(of: name) {
            return output.appendIfRoom(additions.span.extracting(range.range))
        }
        return true
    }
}

extension ResponseContext: VariableSource {
    /// The request's head is looked at as it was received, whatever the request phase made of it; a path is the
    /// target's.
    func append(_ kind: CompiledVariable.Kind, name: Span<UInt8>, to output: inout Buffer) -> Bool {
        let request = requestBytes.span
        switch kind {
        case .clientIP: return output.appendIfRoom(client)
        case .requestID: return output.appendIfRoom(requestID.span)
        case .identity: return output.appendIfRoom(identity.span)
        case .scheme: return output.appendIfRoom(isSecure ? "https" : "http")
        case .tlsVersion, .tlsCipher, .tlsSNI, .tlsClientSubject, .tlsClientFingerprint:
            return secure?.append(kind, to: &output) ?? true
        case .route:
            let name = names.route
            return output.appendIfRoom(name.span)
        case .method: return output.appendIfRoom(request.extracting(RequestScan.method(in: request)))
        case .path: return output.appendIfRoom(request.extracting(RequestScan.path(in: request)))
        case .host: return appendHost(to: &output)
        case .pathParameter: return true
        case .query:
            let query = request.extracting(RequestScan.query(in: request))
            var pairs = QueryPairs()
            while let pair = pairs.next(in: query) {
                guard ByteClass.equals(query.extracting(pair.name), name) else { continue }
                return output.appendIfRoom(query.extracting(pair.value))
            }
            return true
        case .hostField:
            guard let range = hostField else { return true }
            return output.appendIfRoom(request.extracting(range))
        case .header: return appendField(name, to: &output)
        case .cookie:
            let cookieName = Self.cookieName
            var lines = RequestScan.Lines(request)
            while let line = lines.next(in: request) {
                guard ByteClass.isName(request.extracting(line.name), cookieName.span) else { continue }
                let value = request.extracting(line.value)
                if let range = CookiePairs.value(of: name, in: value) {
                    return output.appendIfRoom(value.extracting(range))
                }
            }
            return true
        }
    }

    private func appendField(_ name: Span<UInt8>, to output: inout Buffer) -> Bool {
        let request = requestBytes.span
        var lines = RequestScan.Lines(request)
        var isFirst = true
        while let line = lines.next(in: request) {
            guard ByteClass.isName(request.extracting(line.name), name) else { continue }
            if !isFirst && !output.appendIfRoom(", ") { return false }
            isFirst = false
            if !output.appendIfRoom(request.extracting(line.value)) { return false }
        }
        return true
    }

    /// The Host field in lower case, without its port.
    private func appendHost(to output: inout Buffer) -> Bool {
        let request = requestBytes.span
        guard let range = hostField else { return true }
        var end = range.upperBound
        while end > range.lowerBound && ByteClass.isDigit(request[end - 1]) { end -= 1 }
        let hasPort = end > range.lowerBound && request[end - 1] == 0x3A
        for index in range.lowerBound..<(hasPort ? end - 1 : range.upperBound) {
            if !output.appendIfRoom(ByteClass.lowercased(request[index])) { return false }
        }
        return true
    }

    private var hostField: Range<Int>? {
        let name = Self.hostName
        return RequestScan.value(of: name.span, in: requestBytes.span)
    }

    private static let hostName = Array("host".utf8)
    private static let cookieName = Array("cookie".utf8)
}

extension SecureConnection {
    /// False: there is no room for it.
    fileprivate func append(_ kind: CompiledVariable.Kind, to output: inout Buffer) -> Bool {
        let value = value(of: kind)
        return output.appendIfRoom(value.span)
    }

    private func value(of kind: CompiledVariable.Kind) -> [UInt8] {
        switch kind {
        case .tlsVersion: version
        case .tlsCipher: cipher
        case .tlsSNI: serverName
        case .tlsClientSubject: clientSubject
        case .tlsClientFingerprint: clientFingerprint
        default: []
        }
    }
}

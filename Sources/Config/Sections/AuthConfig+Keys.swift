import HTTP
import YAML

/// `basic_auth`.
struct BasicAuthDraft: ConfigSection {
    var config = BasicAuthConfig()
    var users: [MapItem<String>]?

    static let title = "basic_auth"
    static let sentence = "Lets in users with a password (RFC 7617)."
    static let keys: [ConfigKey<BasicAuthDraft>] = [
        ConfigKey("realm", \.config.realm, .realm, default: "martlet", "What the browser shows."),
        ConfigKey(
            "users", \.users, .map(.userName, to: .passwordHash), isRequired: true,
            "Hashes of passwords by user: bcrypt, SHA-256-crypt, SHA-512-crypt or yescrypt."),
        ConfigKey(
            "identity_header", \.config.identityHeader, .settableFieldName, default: "X-Identity",
            "Header that carries the user's name to the service; clients cannot send it themselves."),
        ConfigKey(
            "cache", \.config.cache, .duration(.zero...(.seconds(86_400))), default: .seconds(60),
            "How long a password that was right is remembered, as a keyed hash."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        for user in users ?? [] { config.users[user.name] = user.value }
    }
}

extension ConfigType where Value == String {
    static var realm: ConfigType<String> {
        text("a name for the realm") { text throws(TextFailure) in
            guard text.utf8.allSatisfy({ ByteClass.isFieldValue($0) && $0 != 0x22 && $0 != 0x5C }) else {
                throw TextFailure("a realm has no quotes, backslashes and control characters")
            }
        }
    }

    static var userName: ConfigType<String> {
        text("a user name") { text throws(TextFailure) in
            guard !text.contains(":"), text.utf8.allSatisfy(ByteClass.isFieldValue) else {
                throw TextFailure("`\(text)` is no user name: it cannot have a colon")
            }
        }
    }

    static var passwordHash: ConfigType<String> {
        ConfigType<String>(.text("a password hash of crypt(5)")) { node, decoder in
            guard node.text != nil, !node.isNull else {
                decoder.reportShape(node, expected: "a password hash of crypt(5)")
                return nil
            }
            guard let text = decoder.text(node) else { return nil }
            if PasswordHashText.isAccepted(text.text) { return text.text }
            let make = "make one with `mkpasswd -m bcrypt` or `htpasswd -nB USER`"
            if PasswordHashText.isWeak(text.text) {
                decoder.reportSecret(at: node, "this kind of password hash is too weak", help: make)
            } else if text.text.hasPrefix("$") {
                decoder.reportSecret(at: node, "this is no password hash of a kind that is known", help: make)
            } else {
                decoder.reportSecret(at: node, "a password must be given as a hash", help: make)
            }
            return nil
        }
    }
}

/// Forms of crypt(5).
enum PasswordHashText {
    static func isAccepted(_ text: String) -> Bool {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(Substring.init)
        guard parts.count >= 4, parts[0].isEmpty else { return false }
        switch parts[1] {
        case "2a", "2b", "2y":
            guard let cost = Int(parts[2]), (4...31).contains(cost), parts[2].count == 2 else { return false }
            return parts.count == 4 && parts[3].count == 53 && parts[3].allSatisfy(isDigit)
        case "5": return isSHA(parts, length: 43)
        case "6": return isSHA(parts, length: 86)
        case "y":
            return parts.count == 5 && parts[4].count == 43 && parts[2...].allSatisfy { $0.allSatisfy(isDigit) }
        default: return false
        }
    }

    static func isWeak(_ text: String) -> Bool {
        ["$1$", "$apr1$", "$3$", "$sha1$", "$md5", "{SHA}", "_"].contains { text.hasPrefix($0) }
            || (text.utf8.count == 13 && text.allSatisfy(isDigit)
                && text.contains { $0.isNumber || $0 == "." || $0 == "/" }
                && text.contains { $0.isUppercase })
    }

    private static func isSHA(_ parts: [Substring], length: Int) -> Bool {
        guard let hash = parts.last, hash.count == length, hash.allSatisfy(isDigit) else { return false }
        if parts.count == 4 { return parts[2].count <= 16 }
        guard parts.count == 5, parts[2].hasPrefix("rounds="), let rounds = Int(parts[2].dropFirst(7)) else {
            return false
        }
        return (1_000...999_999_999).contains(rounds) && parts[3].count <= 16
    }

    /// The 64 digits of crypt's base64.
    private static func isDigit(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "." || character == "/")
    }
}

/// `api_key`.
struct APIKeyDraft: ConfigSection {
    var config = APIKeyConfig()
    var header: String?
    var query: String?
    var keyList: [MapItem<[Located<[UInt8]>]>]?

    static let title = "api_key"
    static let sentence = "Lets in clients with a key."
    static let keys: [ConfigKey<APIKeyDraft>] = [
        ConfigKey(
            "header", \.header, .lowerCaseFieldName, otherwise: "X-Api-Key, unless `query` is given",
            "Header that carries the key."),
        ConfigKey(
            "query", \.query, .text("a query parameter"), otherwise: "none", "Query parameter that carries the key."),
        ConfigKey(
            "keys", \.keyList, .map(.identity, to: .oneOrMore(.located(.keyDigest))), isRequired: true,
            "`identity: sha256:<64 hex digits>` for each key; a list while keys are changed."),
        ConfigKey(
            "identity_header", \.config.identityHeader, .settableFieldName, default: "X-Identity",
            "Header that carries the identity to the service; clients cannot send it themselves."),
        ConfigKey("hide", \.config.hide, .boolean, default: true, "Whether the key is kept from the service."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        if let header { config.source = .header(header) }
        if let query { config.source = .query(query) }
        if header != nil, query != nil, let place = reading.key("query") {
            decoder.report(at: place, "`header` and `query` exclude each other")
        }
        var places: [[UInt8]: Place] = [:]
        for item in keyList ?? [] {
            for digest in item.value {
                if let first = places[digest.value] {
                    decoder.report(
                        at: digest.place, "the same key stands twice",
                        related: .init(location: first.location, note: "first here"))
                } else {
                    places[digest.value] = digest.place
                    config.keys[digest.value] = item.name
                }
            }
        }
    }
}

extension ConfigType where Value == String {
    static var identity: ConfigType<String> {
        text("an identity") { text throws(TextFailure) in
            guard text.utf8.allSatisfy(ByteClass.isFieldValue), text.utf8.count <= 256 else {
                throw TextFailure("an identity has no control characters and at most 256 bytes")
            }
        }
    }
}

extension ConfigType where Value == [UInt8] {
    /// `sha256:` and 64 hexadecimal digits.
    static var keyDigest: ConfigType<[UInt8]> {
        let kind = "a hashed key (sha256:<64 hex digits>)"
        return ConfigType<[UInt8]>(.text(kind)) { node, decoder in
            guard node.text != nil, !node.isNull else {
                decoder.reportShape(node, expected: kind)
                return nil
            }
            guard let text = decoder.text(node)?.text else { return nil }
            let help = "hash it with `printf %s KEY | sha256sum` and write sha256:<the 64 digits>"
            guard text.hasPrefix("sha256:") else {
                decoder.reportSecret(at: node, "a key must be given as its SHA-256", help: help)
                return nil
            }
            let digits = text.lowercased().dropFirst(7).utf8.compactMap { ByteClass.hexValue($0) }
            guard digits.count == 64, text.utf8.count == 71 else {
                decoder.reportSecret(at: node, "behind `sha256:` stand 64 hexadecimal digits", help: help)
                return nil
            }
            return stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        }
    }
}

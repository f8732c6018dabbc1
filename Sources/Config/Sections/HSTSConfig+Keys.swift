import YAML

extension HSTSConfig: ConfigSection {
    static let title = "hsts"
    static let sentence =
        "Tells browsers to come over TLS alone from now on (RFC 6797); sent only with answers that go over TLS."
    static let keys: [ConfigKey<HSTSConfig>] = [
        ConfigKey(
            "max_age", \.maxAge, .duration(.zero...(.seconds(10 * 365 * 86_400))), default: .seconds(365 * 86_400),
            "How long browsers remember it; `0s` makes them forget."),
        ConfigKey(
            "include_subdomains", \.includeSubdomains, .boolean, default: false,
            "Whether it holds for all names under the host's too."),
        ConfigKey(
            "preload", \.preload, .boolean, default: false,
            "Whether the name may be built into browsers. That is hard to undo, and needs a year and `include_subdomains`."
        ),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        guard preload, let place = reading.key("preload") else { return }
        guard !includeSubdomains || maxAge < .seconds(365 * 86_400) else { return }
        decoder.report(
            at: place, "browsers take a name only with `include_subdomains: true` and a `max_age` of at least 365d",
            help: "add them, or leave `preload` out")
    }
}

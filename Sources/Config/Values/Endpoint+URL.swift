extension UpstreamConfig.Endpoint {
    /// Why a text is no URL of an endpoint.
    package struct InvalidURL: Error, Equatable, Sendable {
        package let message: String
    }

    /// The endpoint of a URL without path and query, `http://host[:port]` or `unix:/path`, as the configuration reads it. `url` is
    /// its one spelling.
    package init(parsing text: String) throws(InvalidURL) {
        do throws(TextFailure) {
            let parsed = try EndpointURL.parse(text)
            guard !parsed.isTLS else { throw TextFailure("`https://` is not in this version of the client") }
            self.init(url: parsed.canonical, target: parsed.target, authority: parsed.authority)
        } catch {
            throw InvalidURL(
                message: error.isSecret ? "a URL with a user name is not accepted" : error.message ?? "no URL")
        }
    }
}

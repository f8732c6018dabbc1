// swift-tools-version: 6.2
import PackageDescription

/// Every target is compiled with these; dependencies are not touched by `treatAllWarnings`.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A target may import only what its row names; rows stand from the lowest module to the highest.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

/// The fuzzers' program needs a sanitizer's runtime, so that it exists only where it is asked for: `make fuzz`.
let fuzzers: [Target] =
    Context.environment["MARTLET_FUZZ"] == nil
    ? []
    : [
        // It says itself where it begins: the compiler makes no beginning for a program with a fuzzer.
        .executableTarget(
            name: "fuzzer", dependencies: ["Fuzzing"], path: "Tests/FuzzEntry",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
    ]

let package = Package(
    name: "martlet",
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        .library(name: "Martlet", targets: ["Daemon", "Middleware", "Client"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    ],
    targets: [
        // C libraries, each imported by exactly one Swift wrapper target.
        .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
        .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CAres", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
        .systemLibrary(name: "CCrypt", pkgConfig: "libcrypt", providers: [.apt(["libcrypt-dev"])]),
        .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("crypto")]),
        .target(name: "CTLS", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(
            name: "CRE2",
            linkerSettings: [.linkedLibrary("re2")]),

        // Pure values.
        module("Net"),
        module("Containers"),
        module("HTTP", ["Containers", "Net"]),
        module("HTTP1", ["HTTP", "Containers"]),
        module("HTTP2", ["HTTP", "Containers"]),
        module("WebSocket", ["HTTP", "Containers", "Digest"]),

        // Wrappers of C libraries.
        module("Linux", ["CLinux", "Net", "Containers"]),
        module("YAML", ["CYaml"]),
        module("RegularExpression", ["CRE2"]),
        module("PasswordHash", ["CCrypt"]),
        module("Digest", ["COpenSSL"]),
        module("TLS", ["CTLS", "Containers", "Net"]),
        module("DNS", ["CAres", "Net", "Linux", "Containers"]),

        // Policies: given bytes or events, the time and a random source, they return what to do.
        module("Config", ["HTTP", "Net", "Containers", "YAML", "RegularExpression", "TLS"]),
        module("Routing", ["HTTP", "Net", "Config", "RegularExpression", "Containers"]),
        module("Upstream", ["HTTP", "Net", "Config", "Containers", "TLS"]),
        module(
            "Telemetry",
            ["HTTP", "Net", "Containers", "Config", "Linux", .product(name: "Logging", package: "swift-log")]),
        module(
            "Middleware",
            [
                "HTTP", "Net", "Config", "Containers", "Digest", "PasswordHash",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ]),

        // The engine.
        module("EventLoop", ["Linux", "Net", "Containers", "CLinux", "TLS"]),
        module(
            "Proxy",
            [
                "Linux", "HTTP", "HTTP1", "HTTP2", "WebSocket", "Net", "Containers", "Config", "Routing", "Upstream",
                "Middleware", "Telemetry", "EventLoop", "Digest", "TLS",
            ]),
        module(
            "Client",
            [
                "Proxy", "EventLoop", "HTTP", "HTTP1", "Net", "Containers", "Config", "Upstream", "Middleware",
                "Telemetry", "DNS", "Linux", .product(name: "HTTPTypes", package: "swift-http-types"),
            ]),
        module(
            "Daemon",
            [
                "Proxy", "Client", "Config", "Routing", "Upstream", "Middleware", "Telemetry", "EventLoop", "Linux",
                "DNS", "Net", "TLS",
                "Containers", "HTTP", "HTTP1", "Digest", "PasswordHash",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(name: "martlet", dependencies: ["Daemon"], swiftSettings: strict),

        tests("NetTests", ["Net"]),
        tests("ContainersTests", ["Containers"]),
        tests("HTTPTests", ["HTTP", "Containers"]),
        tests("HTTP1Tests", ["HTTP1", "HTTP", "Containers"], exclude: ["Fixtures"]),
        tests("HTTP2Tests", ["HTTP2", "HTTP", "Containers"], exclude: ["Fixtures"]),
        tests("WebSocketTests", ["WebSocket", "HTTP", "Containers", "Digest"]),
        tests("YAMLTests", ["YAML"]),
        tests("TLSTests", ["TLS", "CTLS", "Net", "YAML", "Containers"], exclude: ["Fixtures"]),
        tests("RegularExpressionTests", ["RegularExpression"]),
        tests("ConfigTests", ["Config", "YAML", "HTTP", "Net", "RegularExpression", "TLS"], exclude: ["Fixtures"]),
        tests("RoutingTests", ["Routing", "Config", "HTTP", "Net", "Containers", "RegularExpression", "HTTP1"]),
        tests("UpstreamTests", ["Upstream", "Config", "Net", "Containers"]),
        tests(
            "TelemetryTests",
            [
                "Telemetry", "Config", "HTTP", "Net", "Containers", "Linux",
                .product(name: "Logging", package: "swift-log"),
            ]),
        tests(
            "MiddlewareTests", ["Middleware", "Config", "HTTP", "HTTP1", "Net", "Containers", "Digest", "PasswordHash"]),
        .target(name: "DNSStub", dependencies: ["Linux"], path: "Tests/DNSStub", swiftSettings: strict),
        tests("DNSTests", ["DNS", "DNSStub", "Net", "Linux", "Containers"]),
        tests("EventLoopTests", ["EventLoop", "Linux", "Net", "Containers", "TLS", "YAML"]),
        tests(
            "ProxyTests",
            ["Proxy", "Config", "HTTP", "HTTP1", "HTTP2", "Net", "Containers", "Middleware", "EventLoop", "Linux"]),
        tests(
            "ClientTests",
            [
                "Client", "Proxy", "EventLoop", "Net", "Containers", "Linux", "Middleware", "Config", "Telemetry",
                "HTTP",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ]),
        tests(
            "DaemonTests",
            [
                "Daemon", "martlet", "Middleware", "Config", "Linux", "Net", "Containers", "HTTP1", "Telemetry", "DNS",
                "Proxy",
                "DNSStub",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .target(
            name: "Simulation",
            dependencies: [
                "Proxy", "EventLoop", "Containers", "Net", "HTTP", "HTTP1", "HTTP2", "Config", "Upstream", "Middleware",
                "Telemetry", "Client", "TLS", "YAML",
            ],
            path: "Tests/Simulation", exclude: ["mutants.txt"], swiftSettings: strict),
        .executableTarget(
            name: "simulator", dependencies: ["Simulation", "Linux"], path: "Tests/Simulator", swiftSettings: strict),
        tests("SimulationTests", ["Simulation", "EventLoop", "Containers", "Net"]),
        .target(
            name: "Fuzzing",
            dependencies: [
                "Simulation", "Proxy", "Upstream", "Middleware", "Telemetry", "EventLoop", "Containers", "Net", "HTTP",
                "HTTP1", "HTTP2", "WebSocket", "Config", "Routing", "TLS", "YAML",
            ],
            path: "Tests/Fuzzing", exclude: ["Corpus", "Findings", "Dictionaries", "Planted"], swiftSettings: strict),
        tests("FuzzingTests", ["Fuzzing", "YAML"]),
    ] + fuzzers,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

import Testing

@testable import Daemon

@Suite struct InvocationTests {
    static let run = GatewayCommand(name: "martlet", configPath: "/x.yaml")

    @Test(
        "run in its plain forms goes straight to the supervisor",
        arguments: [
            (["martlet", "run"], "/etc/martlet/martlet.yaml"),
            (["martlet", "run", "--config", "a.yaml"], "a.yaml"),
            (["martlet", "run", "-c", "a.yaml"], "a.yaml"),
        ])
    func plainRun(arguments: [String], path: String) {
        #expect(Invocation(arguments) == .supervisor(GatewayCommand(name: "martlet", configPath: path)))
    }

    @Test(
        "every other form is left to the full parser",
        arguments: [
            ["martlet"], ["martlet", "run", "--help"], ["martlet", "run", "--config"],
            ["martlet", "run", "--single-process"],
            ["martlet", "run", "--config", "--single-process"], ["martlet", "run", "--config=a.yaml"],
            ["martlet", "check"],
            ["martlet", "gateway-process"], ["martlet", "gateway-process", "nothing"],
            ["martlet", "gateway-process", "file"], ["martlet", "gateway-process", "file", ""],
            ["martlet", "gateway-process", "nothing", "", "a.yaml"],
            ["martlet", "gateway-process", "file", "", "a.yaml", "more"],
            ["martlet", "snapshot-supervisor", "2"], ["martlet", "snapshot-supervisor", "x"], [],
        ])
    func otherForms(arguments: [String]) {
        #expect(Invocation(arguments) == .other)
    }

    @Test(
        "what the supervisor passes to a gateway process is read back",
        arguments: [true, false], [nil, "was ended by signal 11"])
    func gatewayArguments(hasSnapshot: Bool, predecessor: String?) {
        let start = GatewayCommand.Start(hasSnapshot: hasSnapshot, predecessor: predecessor)
        #expect(Invocation(Self.run.arguments(start)) == .gateway(Self.run, start))
    }

    @Test("a gateway without a file starts from a snapshot alone")
    func snapshotOnly() {
        let command = GatewayCommand(name: "martlet", configPath: nil)
        let start = GatewayCommand.Start(hasSnapshot: true, predecessor: nil)
        #expect(Invocation(command.arguments(start)) == .gateway(command, start))
        #expect(Invocation(command.arguments(.init(hasSnapshot: false, predecessor: nil))) == .other)
        let again = Invocation(Invocation.snapshotArguments(name: "martlet", descriptor: 7))
        #expect(again == .snapshotSupervisor(command, descriptor: 7))
    }

    @Test("the plain form of run is a plain form")
    func runArguments() {
        #expect(Invocation(Invocation.runArguments(name: "martlet", configPath: "/x.yaml")) == .supervisor(Self.run))
    }
}

import Daemon

@main enum Main {
    static func main() {
        MartletProgram.main()
    }
}

package enum Daemon {}

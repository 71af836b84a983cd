from corepool import hookimpl


class Witness:
    def write(self, *words):
        with open("seen.txt", "a") as file:
            print(*words, file=file)

    @hookimpl
    def on_accept(self, conn):
        self.write("accept", conn.peer.host)

    @hookimpl
    def on_readable(self, conn):
        data = conn.recv()
        self.write("read", data)
        conn.send(data)

    @hookimpl
    def on_close(self, conn, reason):
        self.write("close", reason)

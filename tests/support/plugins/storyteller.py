from corepool import hookimpl


class Storyteller:
    def tell(self, *words):
        with open("story.txt", "a") as file:
            print(*words, file=file)

    @hookimpl
    def on_accept(self, conn):
        self.tell("accept", conn.listener, conn.closed)
        conn.send(b"hello\n")

    @hookimpl
    def on_readable(self, conn):
        if conn.session == "sips":
            sips = 0
            while conn.recv(1):
                sips += 1
            conn.send(b"%d\n" % sips)
            return
        data = conn.recv()
        if not data:
            self.tell("nothing", conn.eof)
        for word in data.decode().split():
            self.tell("word", word)
            match word:
                case "close":
                    conn.send(b"bye\n")
                    conn.close()
                    conn.send(b"never\n")
                case "abort":
                    conn.send(b"never\n")
                    conn.abort()
                case "sip":
                    conn.session = "sips"
                    conn.send(b"cheers\n")
                case "eof":
                    conn.send(b"no more\n")
                    conn.send_eof()
                case "half":
                    conn.half_open = True
                case "big":
                    conn.send(b"x" * 100_000 + b"\n")
                case "mistakes":
                    for mistake in ("text", 5, [1, 2], None):
                        try:
                            conn.send(mistake)
                        except TypeError as error:
                            self.tell("mistake", error)
                    conn.send(memoryview(b"-m-v-")[1::2])
                    conn.close()
                    conn.send("text")
                case "file":
                    with open(__file__, "rb") as file:
                        conn.sendfile(file, 5, 8)  # "corepool" of the first line
                    conn.send(b"\n")
                case _:
                    conn.send(word.encode() + b"\n")
        if conn.eof and conn.half_open:
            conn.send(b"last\n")
            conn.close()

    @hookimpl
    def on_close(self, conn, reason):
        self.tell("close", reason, conn.closed, conn.session)

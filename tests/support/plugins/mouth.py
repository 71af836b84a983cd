import os
import socket
import stat

from corepool import hookimpl


class Mouth:
    """Writes a client's bytes into its worker's channel, as an extension in C may that writes where it shouldn't."""

    @hookimpl
    def on_accept(self, conn):
        conn.session = b""

    @hookimpl
    def on_readable(self, conn):
        *lines, conn.session = (conn.session + conn.recv()).split(b"\n")
        for line in lines:
            word, *values = line.split()
            conn.send(b"%d\n" % os.getpid())
            getattr(self, word.decode())(*values)

    def pid(self):
        pass

    def say(self, record, fds):
        copies = [os.open("/dev/null", os.O_RDONLY) for _ in range(int(fds))]
        channel = socket.socket(fileno=os.dup(self.channel()))
        socket.send_fds(channel, [bytes.fromhex(record.decode())], copies)
        channel.close()
        for fd in copies:
            os.close(fd)

    def close(self):
        os.close(self.channel())

    def shut(self, how):
        channel = socket.socket(fileno=os.dup(self.channel()))
        channel.shutdown(int(how))
        channel.close()

    def channel(self):
        for name in os.listdir("/proc/self/fd"):
            try:
                if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    continue
                sock = socket.socket(fileno=os.dup(int(name)))
            except OSError:
                continue
            with sock:
                if sock.type == socket.SOCK_SEQPACKET:
                    return int(name)

import socket
import threading

from corepool.config.load import make_draft
from corepool.launch.pool import Pool
from corepool.plugins.registry import Registry

lines = []
masters = []
for name in ("one", "two"):
    listener = {"name": name, "bind": ["tcp://127.0.0.1:0"], "protocol": "echo"}
    table = {"pool": {"workers": 1}, "control": {"socket": name + ".sock"}, "listener": [listener]}
    settings = make_draft(table, name, {}).finish()
    pool = Pool(settings, Registry(), lines.extend)
    master, _ = pool.assemble(pool.bind())
    master.start()
    masters.append(master)


def turn_until(done):
    while not done():
        for master in masters:
            master.turn(0.01)


turn_until(lambda: len(lines) == 2)


def speak():
    for line in lines:
        host, _, port = line.url.removeprefix("tcp://").rpartition(":")
        with socket.create_connection((host, int(port)), 10) as client:
            client.sendall(line.name.encode())
            print(line.name, client.recv(100).decode())


client = threading.Thread(target=speak)
client.start()
turn_until(lambda: not client.is_alive())
masters[0].stop()
turn_until(lambda: masters[0].finished)
print([master.finished for master in masters])
masters[1].stop()
turn_until(lambda: masters[1].finished)
for master in masters:
    master.close()

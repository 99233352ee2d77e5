#!/usr/bin/env python3
"""Stands for `ssh` on the PATH of a test: runs the remote command right here, passes on what both ends say, and cuts
the connection once, after a frame or within it.

CUT_DIR       holds what is counted over all connections: `up` and `down`, one byte for each frame, and `cut`
CUT_WAY       `up` (to the host) or `down`
CUT_FRAME     the number of the frame, from 1
CUT_BYTES     so many of its bytes are passed on; `all` of them, or a negative number to count from its end
CUT_HOME      the home directory on the host
"""
import os
import re
import signal
import struct
import subprocess
import sys
import threading

remote = sys.argv[-1]
marker = re.search(r"m=(andon-[0-9a-f]+);", remote).group(1).encode() + b" ready\n"
place = os.environ["CUT_DIR"]
home = dict(os.environ, HOME=os.environ["CUT_HOME"])
host = subprocess.Popen(["/bin/sh", "-c", remote], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=home)
frames = threading.Event()


def count(way):
    fd = os.open(os.path.join(place, way), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, b".")
    number = os.lseek(fd, 0, os.SEEK_CUR)
    os.close(fd)
    return number


def cut():
    open(os.path.join(place, "cut"), "w").close()
    sys.stderr.write("Connection to web1 closed by remote host.\n")
    sys.stderr.flush()
    os._exit(255)


def write(fd, data):
    while data:
        data = data[os.write(fd, data):]


def pass_on(frame, way, to):
    number = count(way)
    here = way == os.environ.get("CUT_WAY") and number == int(os.environ.get("CUT_FRAME", "0"))
    if not here or os.path.exists(os.path.join(place, "cut")):
        return write(to, frame)
    part = os.environ["CUT_BYTES"]
    write(to, frame if part == "all" else frame[: int(part)])
    cut()


def flow(source, to, way):
    waiting = b""
    try:
        while True:
            data = os.read(source, 1 << 20)
            if not data:
                break
            if way == "up" and not frames.is_set():
                write(to, data)
                continue
            waiting += data
            # Before the agent speaks there are the lines of the script that starts it.
            while not frames.is_set() and b"\n" in waiting:
                line, waiting = waiting.split(b"\n", 1)
                if line + b"\n" == marker:
                    frames.set()
                write(to, line + b"\n")
            while frames.is_set() and len(waiting) >= 4:
                end = 4 + struct.unpack(">I", waiting[:4])[0]
                if len(waiting) < end:
                    break
                pass_on(waiting[:end], way, to)
                waiting = waiting[end:]
    except OSError:
        pass
    if way == "up":
        host.stdin.close()
    else:
        os._exit(host.wait())


signal.signal(signal.SIGPIPE, signal.SIG_IGN)
threading.Thread(target=flow, args=(0, host.stdin.fileno(), "up"), daemon=True).start()
flow(host.stdout.fileno(), 1, "down")

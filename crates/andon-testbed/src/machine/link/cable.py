"""A bad cable: passes frames between a machine's interface and a new one, late, and not all of them.

cable.py INTERFACE NEW LOST_PERCENT SECONDS_LATE. Ends with its standard input. Frames keep what the kernel notes about
them (PACKET_VNET_HDR, IFF_VNET_HDR), because their checksums are computed as late as possible.
"""

import collections
import fcntl
import os
import random
import select
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING, ETH_P_ALL = 263, 15, 4, 3
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x0002, 0x1000, 0x4000
MOST = 1 << 17  # bytes of a frame with what is noted about it
QUEUE = 20000  # frames under way in one direction

interface, new, lost, late = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
machine = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
machine.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
machine.setblocking(False)
machine.bind((interface, ETH_P_ALL))
tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", new.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))


def from_machine():
    frame, address = machine.recvfrom(MOST)
    return None if address[2] == PACKET_OUTGOING else frame


directions = [
    (machine.fileno(), from_machine, lambda frame: os.write(tap, frame), collections.deque()),
    (tap, lambda: os.read(tap, MOST), machine.send, collections.deque()),
]
while True:
    now = time.monotonic()
    for _, _, send, queue in directions:
        while queue and queue[0][0] <= now:
            try:
                send(queue.popleft()[1])
            except OSError:
                pass  # a full queue or an interface that is down: lost, like so much here
    waiting = [queue[0][0] for _, _, _, queue in directions if queue]
    wait = max(0, min(waiting) - time.monotonic()) if waiting else None
    ready = select.select([0] + [source for source, _, _, _ in directions], [], [], wait)[0]
    if 0 in ready and not os.read(0, 1):
        break
    for source, receive, _, queue in directions:
        if source not in ready:
            continue
        try:
            for _ in range(64):
                frame = receive()
                if frame and random.random() * 100 >= lost and len(queue) < QUEUE:
                    queue.append((time.monotonic() + late, frame))
        except BlockingIOError:
            pass
        except OSError:
            time.sleep(0.01)  # the interface is down or gone

#!/usr/bin/env python3
"""A VLAN device in user space, for capture-loopback.js on kernels without 802.1Q (CONFIG_VLAN_8021Q).

Usage: vlan-device.py INTERFACE VLAN NAME. Makes the tap device NAME; what it sends leaves INTERFACE with the tag, and
tagged frames that INTERFACE receives come out of it. Prints "ready" and runs until SIGTERM.
"""
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 0x0003, 263, 8, 4
TP_STATUS_VLAN_VALID = 1 << 4

interface, vlan, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
wire.bind((interface, 0))
wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
tag = struct.pack("!HH", 0x8100, vlan)
print("ready", flush=True)
while True:
    for ready in select.select([tap, wire], [], [])[0]:
        if ready is tap:
            frame = os.read(tap, 65536)
            wire.send(frame[:12] + tag + frame[12:])
            continue
        frame, ancillary, _, address = wire.recvmsg(65536, 64)
        if address[2] == PACKET_OUTGOING:
            continue
        # The kernel takes the tag out of the frame and hands it over beside it (struct tpacket_auxdata).
        for level, kind, data in ancillary:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", data[:20])
                if status & TP_STATUS_VLAN_VALID and tci & 0xFFF == vlan:
                    os.write(tap, frame)

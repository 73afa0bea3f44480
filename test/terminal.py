"""A terminal with a shell in it, driven by the test: what a person types goes in, what they would see comes out.

Reads one JSON line a step from standard input: {"type": text}, {"size": [rows, columns]}, {"until": pattern,
"seconds": how long}. Answers the last with one JSON line: everything seen since the one before, or {"seen": text} when it waited in vain.
"""
import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import time

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

seen = ""


def read_some():
    global seen
    ready, _, _ = select.select([terminal], [], [], 0.05)
    if ready:
        seen += os.read(terminal, 65536).decode("utf-8", "replace")


for line in sys.stdin:
    step = json.loads(line)
    if "type" in step:
        os.write(terminal, step["type"].encode())
    if "size" in step:
        rows, columns = step["size"]
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    if "until" in step:
        found, deadline = None, time.monotonic() + step.get("seconds", 60)
        while not found:
            if time.monotonic() > deadline:
                sys.exit(print(json.dumps({"seen": seen}), flush=True))
            read_some()
            found = re.search(step["until"], seen)
        answer, seen = seen[: found.end()], seen[found.end() :]
        print(json.dumps(answer), flush=True)

"""A terminal with the command line in it: types, reads until the prompt is back, and knows what is then on the screen."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from screen import screen

# Seconds for anything to be said; a cold start on a busy machine takes most of it.
LIMIT = 240
# Seconds for a small question, and how often it is asked.
ANSWER_LIMIT, ATTEMPTS = 20, 8
# Nobody types that wide, so nothing is broken into lines.
ROWS, COLUMNS = 60, 400
# While a line is being edited the terminal tells pasted text from typed; so these two enclose what is said to a line.
EDITING, ACCEPTED = "\x1b[?2004h", "\x1b[?2004l"
PROMPT = re.compile(re.escape(EDITING) + r"[^\n]*?(trino(?::[^> ]+)?> )")


class Terminal:
    """The command line in a pseudo-terminal, from its first prompt on."""

    def __init__(self, words, environment):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._ours = ours
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._said = ""
        self._process = subprocess.Popen(
            words, env={**environment, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.prompt = self._until(PROMPT)[1]

    def ask(self, line):
        """Types a line and waits for its end; the screen of it, and all that was painted on the way."""
        self.type(line)
        return self.answer()

    def type(self, line):
        """Types a line."""
        self._said = ""
        os.write(self._ours, f"{line}\n".encode())

    def answer(self):
        """Waits until the prompt is back; the screen then, and all that was painted on the way."""
        self.prompt = self._until(PROMPT)[1]
        painted = self._said.split(ACCEPTED, 1)[-1].rsplit(EDITING, 1)[0]
        return screen(painted), painted

    def wait_for(self, pattern):
        """Waits until something is painted."""
        return self._until(re.compile(pattern))

    def interrupt(self):
        """Ctrl-C, and then a small question until it is answered; all that was painted. Nothing can be asked afterwards.

        The command line may take the interrupt for one of the line that is typed next, too, and forgets that line.
        """
        os.write(self._ours, b"\x03")
        self._until(re.compile(r"Query aborted by user.*" + PROMPT.pattern, re.DOTALL))
        for left in range(ATTEMPTS)[::-1]:
            # Put together there, so that what is typed is not taken for the answer.
            os.write(self._ours, b"SELECT 'still ' || 'here';\n")
            try:
                self._until(re.compile(r"still here.*FINISHED.*" + PROMPT.pattern, re.DOTALL), ANSWER_LIMIT)
                break
            except TimeoutError:
                if not left:
                    raise
        return self._said

    def leave(self):
        """Types `quit`; the exit status."""
        os.write(self._ours, b"quit;\n")
        while self._read(time.monotonic() + LIMIT):
            pass
        return self._process.wait(LIMIT)

    def _until(self, pattern, limit=LIMIT):
        deadline = time.monotonic() + limit
        while not (found := pattern.search(self._said)):
            if not self._read(deadline):
                raise RuntimeError(f"it ended before {pattern.pattern!r}: {self._said[-2000:]!r}")
        return found

    def _read(self, deadline):
        """Reads what is said next; whether there was something."""
        if not select.select([self._ours], [], [], max(0, deadline - time.monotonic()))[0]:
            raise TimeoutError(f"nothing more was said after {self._said[-2000:]!r}")
        try:
            said = os.read(self._ours, 65536)
        except OSError:
            # So a pseudo-terminal says that nobody is at its other end.
            return False
        self._said += self._decoder.decode(said)
        return bool(said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._ours)

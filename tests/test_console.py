import io
import sys

from equipoise.console import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_the_terminal_leaves_standard_output_alone(monkeypatch):
    """Results may be on their way through a pipe there."""
    out, terminal = io.StringIO(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress(2, "counting") as bar:
        bar.advance()
        sys.stdout.write("a,b\n")
        bar.advance(note="one failed")
    assert out.getvalue() == "a,b\n"
    assert "counting" in terminal.getvalue()

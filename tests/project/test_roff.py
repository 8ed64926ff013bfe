"""Text and Markdown as roff, and the pages of docs/ that become manual pages."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from roff import escaped, from_markdown


def test_what_a_shell_needs_is_printed_as_it_is():
    assert escaped(r".a 'b' `c` ~d ^e --f \n") == (
        r"\&.a \(aqb\(aq \(gac\(ga \(tid \(hae \-\-f \en"
    )


MARKDOWN = """## Head *line*
First `--option` line,
[second](other.md).

- one
  more
- **two**

.dot
```sh
a | b

# c
```

| key | type | meaning |
|---|---|---|
| `probs` | float16 | what it is |
### Sub
"""
ROFF = r"""
.SH HEAD \fILINE\fR
First \fB\-\-option\fR line, second.
.IP \(bu 2
one more
.IP \(bu 2
\fBtwo\fR
.PP
\&.dot
.PP
.RS 4
.nf
a | b

# c
.fi
.RE
.TP
\fBprobs\fR
float16; what it is
.SS Sub
"""


def test_markdown_becomes_roff():
    assert from_markdown(MARKDOWN) == ROFF.strip("\n").split("\n")


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_code_in_a_page_can_be_copied(tmp_path):
    page = tmp_path / "a.7"
    lines = ["set -- 'a b' `c` ~/d ^e", ".hidden \\n"]
    page.write_text(
        "\n".join([".TH A 7", ".SH B", *from_markdown("\n".join(["```", *lines, "```"]))])
    )
    shown = subprocess.run(
        ["man", "-E", "UTF-8", "-l", str(page)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
        check=True,
    ).stdout
    assert "\n".join(lines) in "\n".join(line.strip() for line in shown.splitlines())

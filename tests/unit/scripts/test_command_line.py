"""What a script refuses on its command line, and how it ends when it is stopped or fails."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.command_line import INTERRUPTED, Parser, amount, whole
from scripts.docs.generated import ROOT

# Modules that a person calls, each with an argument that it does not take.
COMMANDS = {
    "scripts.bench": "--minutes=nan",
    "scripts.bench.balance": "--supervisors=1",
    "scripts.bench.soak": "--minutes=-1",
    "scripts.bench.store": "--rows=x",
    "scripts.chaos": "--seconds=0",
    "scripts.chaos.cycles": "--count=0",
    "scripts.chaos.hosts": "--hosts=1000",
    "scripts.demo": "--events=x",
    "scripts.demo.extract": "--no",
    "scripts.docs.events": "--write",
    "scripts.docs.links": "--write",
    "scripts.docs.pictures": "--no",
    "scripts.docs.screenshots": "--no",
    "scripts.docs.settings": "--no",
    "scripts.localcloud": "--partitions=0",
    "scripts.localcloud.hub": "--partitions=0",
    "scripts.localcloud.snow": "--commit-delay=x",
    "scripts.peers": "--no",
    "scripts.release": "--no",
    "scripts.smoke": "--no",
    "tests.simulation": "--seeds=0",
}
# All of them in one process, because most of the time goes into imports.
EACH = """
import contextlib, io, json, runpy, sys
from supervisor import standard_streams
standard_streams.install = lambda: None  # it would take the output from the redirection
def ended(module, argument):
    sys.argv = ["", argument]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module(module, run_name="__main__")
        except SystemExit as end:
            return {"code": end.code, "stdout": out.getvalue(), "stderr": err.getvalue()}
said = {module: [ended(module, "--help"), ended(module, wrong)] for module, wrong in json.loads(sys.argv[1]).items()}
print(json.dumps(said))
"""
# What a script does that a test wants to see the end of, behind the imports that each needs.
SCRIPT = "import os, signal, sys, time\nfrom scripts.command_line import run\nfrom scripts.failure import Failed\n"


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def parser() -> Parser:
    parser = Parser("scripts.demo", "About.\n\nMore.", "python -m scripts.demo --events 3")
    parser.add_argument("--events", type=whole(1, 5))
    parser.add_argument("--seconds", type=amount("seconds"))
    parser.add_argument("--delay", type=amount("seconds", zero=True))
    return parser


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("--events=0", "--events: '0' is not a whole number from 1 to 5"),
        ("--events=6", "--events: '6' is not a whole number from 1 to 5"),
        ("--events=1.5", "--events: '1.5' is not a whole number from 1 to 5"),
        ("--seconds=0", "--seconds: '0' is not a number of seconds above 0"),
        ("--seconds=-1", "--seconds: '-1' is not a number of seconds above 0"),
        ("--seconds=nan", "--seconds: 'nan' is not a number of seconds above 0"),
        ("--seconds=inf", "--seconds: 'inf' is not a number of seconds above 0"),
        ("--seconds=x", "--seconds: 'x' is not a number of seconds above 0"),
        ("--delay=-1", "--delay: '-1' is not a number of seconds from 0 on"),
        ("--else", "unrecognized arguments: --else"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_64(
    typed: str, why: str, parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="64"):
        parser.parse_args([typed])
    assert capsys.readouterr().err == f"python -m scripts.demo: {why}. See python -m scripts.demo --help.\n"


def test_numbers_in_their_range_are_read(parser: Parser) -> None:
    options = parser.parse_args(["--events", "5", "--seconds", "0.5", "--delay", "0"])
    assert (options.events, options.seconds, options.delay) == (5, 0.5, 0.0)


def test_the_help_fits_the_terminal_and_keeps_paragraphs_and_examples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    example = "python -m scripts.demo --events 27004 --store postgres"
    lines = Parser("scripts.demo", f"{'word ' * 30}\n\nMore.", example).format_help().splitlines()
    assert f"  {example}" in lines
    assert lines[lines.index("More.") - 1] == ""
    assert max(len(line) for line in lines if example not in line) <= 40


@pytest.mark.parametrize(
    ("does", "code", "said"),
    [
        ("return 7", 7, ""),
        ("raise Failed('The disk is on fire')", 1, "The disk is on fire\n"),
        (
            "raise FileNotFoundError(2, 'No such file or directory', '/x')",
            os.EX_OSERR,
            "/x: No such file or directory\n",
        ),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", INTERRUPTED, "Stopped. Nothing is left running.\n"),
        ("os.kill(os.getpid(), signal.SIGHUP); time.sleep(9)", INTERRUPTED, "Stopped. Nothing is left running.\n"),
    ],
)
def test_a_script_ends_with_its_code_and_one_line(does: str, code: int, said: str) -> None:
    done = python("-c", f"{SCRIPT}\ndef main():\n  {does}\nrun(main)")
    assert (done.returncode, done.stderr) == (code, said)


def test_a_second_ctrl_c_does_not_end_the_cleaning_up() -> None:
    strike = "os.kill(os.getpid(), signal.SIGINT)"
    main = f"def main():\n  try:\n    {strike}\n  finally:\n    {strike}\n    print('clean')\nrun(main)"
    done = python("-c", f"{SCRIPT}\n{main}")
    assert (done.returncode, done.stdout) == (INTERRUPTED, "clean\n")


STRUCK_START = """
import subprocess
from pathlib import Path
from scripts.harness.host import Host
start = subprocess.Popen
def struck(*arguments, **options):
  process = start(*arguments, **options)
  os.kill(os.getpid(), signal.SIGINT)
  return process
subprocess.Popen = struck
def main():
  host = Host({}, Path(sys.argv[1]))
  try:
    host.start(command=("true",))
    print("went on")
  finally:
    print(len(host.started), "to end")
    host.close()
run(main)
"""


def test_ctrl_c_in_the_middle_of_a_start_leaves_no_process_that_nobody_knows(tmp_path: Path) -> None:
    done = python("-c", SCRIPT + STRUCK_START, str(tmp_path))
    assert (done.returncode, done.stdout) == (INTERRUPTED, "1 to end\n"), done.stderr


def test_an_output_that_nobody_reads_changes_no_exit_code() -> None:
    script = f"{SCRIPT}\ndef main():\n  print('x' * 100_000)\n  return 1\nrun(main)"
    unread, output = os.pipe()
    os.close(unread)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, stdout=output, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(output)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_output_that_was_closed_changes_no_exit_code() -> None:
    script = f"{SCRIPT}\ndef main():\n  print('x')\n  return 1\nrun(main)"
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", script]
    done = subprocess.run(closed, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_output_without_room_is_one_line() -> None:
    script = f"{SCRIPT}\ndef main():\n  print('x')\n  return 0\nrun(main)"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == os.EX_TEMPFAIL
    assert os.strerror(errno.ENOSPC) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_each_command_says_what_it_does_and_refuses_what_it_does_not_take() -> None:
    done = python("-c", EACH, json.dumps(COMMANDS))
    assert done.returncode == 0, done.stderr
    for module, (told, refused) in json.loads(done.stdout).items():
        assert told["code"] == 0
        assert told["stdout"].startswith(f"usage: python -m {module} ")
        assert refused["code"] == os.EX_USAGE, module
        assert refused["stderr"].startswith(f"python -m {module}: ")
        assert len(refused["stderr"].splitlines()) == 1


def test_ctrl_c_while_a_command_is_imported_ends_it_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = python("-m", "scripts.smoke", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")

"""``python -m initprobe`` and the ``initprobe`` command: the one place that ends the process."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from initprobe.errors import ExitCode, InitprobeError, inert


def main() -> None:
    """Run the command line and exit with the code of the interface."""
    # Threads that spin at every barrier make a probe ten times slower where the cores are shared, as in most CI.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of a command line; every error ends here, as a message on standard error."""
    try:
        return _command(arguments)
    except KeyboardInterrupt:
        return _interrupted()
    except InitprobeError as error:
        _tell(error.render())
        return error.exit_code
    except Exception as error:  # noqa: BLE001 whatever is no InitprobeError is a bug of ours, and is reported as one
        return _internal(error)


def _command(arguments: list[str]) -> int:
    from initprobe.cli.app import app

    try:
        app(args=arguments, prog_name="initprobe")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else ExitCode.OK
        return _interrupted() if code == ExitCode.INTERRUPTED else code
    return ExitCode.OK


def _interrupted() -> int:
    _tell("interrupted")
    return ExitCode.INTERRUPTED


def _internal(error: Exception) -> int:
    """A bug of ours: a short message, and the traceback in a file that can be sent."""
    with tempfile.NamedTemporaryFile("w", prefix="initprobe-", suffix=".txt", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    _tell(
        f"internal error: {type(error).__name__}: {error}\n"
        f"  = help: this is a bug in initprobe; the traceback is in {file.name}"
    )
    return ExitCode.INTERNAL


def _tell(message: str) -> None:
    encoding = sys.stderr.encoding or "ascii"
    print(inert(message).encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)  # noqa: T201 the one place


if __name__ == "__main__":
    main()

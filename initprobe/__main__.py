"""``python -m initprobe`` and the ``initprobe`` command: the one place that ends the process."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from initprobe.errors import ExitCode, InitprobeError


def main() -> None:
    """Run the command line and exit with the code of the interface."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of a command line; every error ends here, as a message on standard error."""
    try:
        code = _command(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _tell("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; without this Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except InitprobeError as error:
        _tell(error.render())
        return error.exit_code
    except Exception as error:  # noqa: BLE001 whatever is no InitprobeError is a bug of ours, and is reported as one
        return _internal(error)
    return code


def _command(arguments: list[str]) -> int:
    from initprobe.cli.app import app

    try:
        result = app(args=arguments, prog_name="initprobe", standalone_mode=False)
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else ExitCode.USAGE
    return result if isinstance(result, int) else ExitCode.OK


def _internal(error: Exception) -> int:
    """A bug of ours: a short message, and the traceback in a file that can be sent."""
    if "full" in os.environ.get("INITPROBE_TRACEBACK", ""):
        traceback.print_exc()
        return ExitCode.INTERNAL
    with tempfile.NamedTemporaryFile("w", prefix="initprobe-", suffix=".txt", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    _tell(
        f"internal error: {type(error).__name__}: {error}\n"
        f"  = help: this is a bug in initprobe; the traceback is in {file.name}"
    )
    return ExitCode.INTERNAL


def _tell(message: str) -> None:
    encoding = sys.stderr.encoding or "ascii"
    print(message.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)  # noqa: T201 the one place


if __name__ == "__main__":
    main()

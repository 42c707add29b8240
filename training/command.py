"""The command line that all stages of training share: a YAML file, resuming, and a dry run."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from empathy_r1.training.config import Run, load

_Config = TypeVar("_Config", bound=Run)


def run(
    about: str | None,
    kind: type[_Config],
    plan: Callable[[_Config], dict[str, Any]],
    train: Callable[..., dict[str, Any]],
    argv: Sequence[str] | None,
) -> None:
    """Trains as a YAML file says, or says what that would be, and prints figures as JSON.

    Args:
        about: the help text.
        kind: of the configuration.
        plan: of the stage; loads no torch.
        train: of the stage, `train(config, resume=...)`.
        argv: arguments; None takes those of the process.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds an unknown or wrong key.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="YAML, see training/configs/")
    parser.add_argument("--resume", action="store_true", help="go on from the newest whole checkpoint")
    parser.add_argument("--dry-run", action="store_true", help="say what would be trained and written")
    args = parser.parse_args(argv)
    config = load(args.config, kind)
    print(json.dumps(plan(config) if args.dry_run else train(config, resume=args.resume), indent=2))  # noqa: T201

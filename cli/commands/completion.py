"""`completion` and `sdk`: the scripts that make a shell complete lines of this program."""

from pathlib import Path
from typing import Final

import click

from cli.completion import SHELLS, script
from cli.failures import Failure, Remedy
from cli.grammar import Command, Group, Words
from cli.session import Session

BASH_FILE: Final = "wsk_cli_bash_completion.sh"
_COMPONENTS: Final = ("docker", "ios", "bashauto")
_SHELL_NEEDED: Final = f"A shell is required: one of {', '.join(SHELLS)}."


@click.command("completion", cls=Command, words=(1, 1), shown="|".join(SHELLS), needs=_SHELL_NEEDED)
@click.pass_context
def completion(ctx: click.Context, session: Session, words: Words) -> None:
    """Print what a shell has to read: `source <(brisk completion bash)`."""
    if words[0] not in SHELLS:
        raise Failure(
            f"Invalid argument(s): {words[0]}. {_SHELL_NEEDED}",
            remedy=Remedy(fix=f"{session.program} completion bash"),
        )
    print(script(ctx.find_root().command, session.program, words[0]))


sdk = Group("sdk", help="What OpenWhisk's command line installs; here, completion for bash.")


@sdk.command("install", words=(0, 1), shown="bashauto")
@click.option("-s", "--stdout", is_flag=True, help="print it")
@click.pass_context
def install(ctx: click.Context, session: Session, words: Words, stdout: bool) -> None:
    """Write the script for bash into this folder."""
    if not words:
        raise Failure(
            "The SDK component argument is missing. One component (docker, ios, or bashauto) must "
            "be specified"
        )
    if words[0] not in _COMPONENTS:
        raise Failure(
            f"The SDK component argument '{words[0]}' is invalid. "
            "Valid components are docker, ios and bashauto"
        )
    if words[0] != "bashauto":
        raise Failure(
            f"This platform has no SDK component '{words[0]}'.",
            remedy=Remedy("skeletons of images are kept by the projects of the runtimes"),
        )
    text = f"# bash completion for {session.program}\n" + script(
        ctx.find_root().command, session.program, "bash"
    )
    if stdout:
        print(text)
        return
    path = Path(BASH_FILE)
    try:
        with path.open("x") as file:
            file.write(text + "\n")
    except FileExistsError as error:
        said = f"The file {path} already exists.  Delete it and retry."
        raise Failure(said, remedy=Remedy(fix=f"rm {path}")) from error
    except OSError as error:
        raise Failure(f"Cannot create file '{path}': {error.strerror}") from error
    print(f"The bash auto-completion script ({path}) is installed in the current directory.")
    print(f"To enable command line completion, source it from your profile: source {path}")

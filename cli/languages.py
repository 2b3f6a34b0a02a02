"""Which language a file is of, by its name, and what a file of a language is called. Pure."""

from typing import Final

from cli.jsontext import Json

LANGUAGES: Final = {
    ".js": "nodejs",
    ".py": "python",
    ".swift": "swift",
    ".php": "php",
    ".rb": "ruby",
    ".rs": "rust",
    ".go": "go",
    ".jar": "java",
    ".balx": "ballerina",
}
ARCHIVES: Final = frozenset({".zip", ".jar", ".balx"})
NATIVE_IMAGE: Final = "openwhisk/dockerskeleton"
_ARCHIVE_OF: Final = {"java": ".jar", "ballerina": ".balx"}


def file_name(action_name: str, execution: dict[str, Json]) -> str:
    """Return the name under which the code of an action is saved."""
    language = str(execution.get("kind", "")).partition(":")[0]
    if execution.get("binary"):
        return action_name + _ARCHIVE_OF.get(language, ".zip")
    extensions = {of: extension for extension, of in LANGUAGES.items()}
    return action_name + extensions.get(language, "")

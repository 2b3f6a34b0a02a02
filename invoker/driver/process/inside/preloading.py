"""What a zygote imports, once, so that its clones need not."""

from __future__ import annotations

import importlib
import importlib.util
import site
from collections.abc import Callable


def load(proxy: str) -> Callable[[int], object]:
    """Import the runtime at *proxy*, and with it what functions use; return its entry point."""
    # `exit` and the like: -S leaves them out together with the host's installed packages.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    # By path and under a name of ours, so that a function's own `proxy` stays importable.
    spec = importlib.util.spec_from_file_location("_brisk_proxy", proxy)
    if spec is None or spec.loader is None:
        raise ImportError(proxy)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    serve: Callable[[int], object] = module.serve_channel
    return serve


def preload(names: list[str]) -> list[str]:
    """Import *names*; return why each that could not be imported was not."""
    failures = []
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            failures.append(f"{name}: {error}")
    return failures

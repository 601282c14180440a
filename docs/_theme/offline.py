"""With `OFFLINE=true`, the site is one that is read from the disk, and a zip file of it is made beside its folder."""

import os
import shutil
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority


@event_priority(100)  # before the plugin, which would name a file that is elsewhere
def on_config(config: MkDocsConfig) -> None:
    """Leave out the address, which such a site has none of, and bring what its search needs."""
    if os.environ.get("OFFLINE") == "true":
        config.site_url = ""
        config.extra["polyfills"] = ["assets/iframe-worker.js"]


@event_priority(-200)  # after everything has been written
def on_post_build(config: MkDocsConfig) -> None:
    """Pack the folder."""
    if os.environ.get("OFFLINE") == "true":
        folder = Path(config.site_dir)
        shutil.make_archive(str(folder), "zip", folder.parent, folder.name)

"""What the build adds to the site: Mermaid's own file."""

import hashlib
import importlib.metadata
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

# The official mermaid.min.js of Mermaid 11.16, byte for byte, as the package mermaidx carries it.
MERMAID_SHA256 = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Serve Mermaid ourselves: the file comes from the installed package and is not committed."""
    path = Path(str(importlib.metadata.distribution("mermaidx").locate_file("mermaidx/assets/mermaid.js")))
    if hashlib.sha256(path.read_bytes()).hexdigest() != MERMAID_SHA256:
        raise PluginError(
            f"mermaidx {importlib.metadata.version('mermaidx')} carries another Mermaid than the one this site was "
            "looked at with. Look at the diagrams in both schemes, then change MERMAID_SHA256 in docs/_theme/hooks.py."
        )
    files.append(File.generated(config, "assets/mermaid.min.js", abs_src_path=str(path)))
    return files

"""The plugins of the test run, each in a module of its own."""

pytest_plugins = [
    "tests.no_skips",
    "tests.long_first",
    "tests.old_objects",
    "tests.servers.fixtures",
    "tests.pageproof.plugin",
    "tests.docs.proof",
    "tests.sabotage.plugin",
    "tests.site.fixtures",
    "tests.status.record",
]

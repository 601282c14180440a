"""One test module for each guarantee; its first sentence is the guarantee's."""

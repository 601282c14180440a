"""The command line: what each command prints, how it ends, and that looking leaves no trace."""

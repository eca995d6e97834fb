"""The real runtimes of what is exported: each module hands a file to one and returns what it answers."""
